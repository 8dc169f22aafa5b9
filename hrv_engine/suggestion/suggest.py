"""What the words of a prompt may mean, and between which concepts a misread one could be turned."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import HRVError
from ..text.alignment import TokenTable
from ..text.lists import listed
from ..text.phrases import CUTS, MEDIA
from .lexicon import FIRST, Check, Lexicon, Pair, Sense

ALIKE = 0.7  # cosine of two vectors above which there is little to turn


@dataclass(frozen=True)
class WordSenses:
    """One word of a prompt: its senses, nearest first, and the pair proposed for it.

    gap: of the pair that would be proposed if no meaning were given; listed: concepts that have this very word;
    known: False when the encoder has never learned it.
    """

    word: str
    senses: tuple[Sense, ...]
    pair: Pair
    gap: float
    listed: tuple[str, ...] = ()
    known: bool = True


def content_words(table: TokenTable) -> list[str]:
    """The words of a prompt that could mean something to see, each once; raises HRVError when there is none."""
    words: dict[str, None] = {}
    for word, _ in table.spoken():
        if any(letter.isalpha() for letter in word) and word not in (*CUTS, *MEDIA):
            words[word] = None
    if not words:
        raise HRVError(
            f'The prompt "{table.prompt}" has no word that could mean something to see: articles, prepositions, numbers'
            ' and "photo of" are left out. Write a prompt, or name the words in `words`.'
        )
    return list(words)


def chosen_words(table: TokenTable, text: str) -> list[str]:
    """The words of a comma-separated list, each once; empty: all content words; raises HRVError for an absent one."""
    words = list(dict.fromkeys(listed(text)))
    for word in words:
        table.columns_of(word)
    return words or content_words(table)


def word_senses(
    lexicon: Lexicon, vectors: Mapping[str, np.ndarray], unknown: Sequence[str] = (), desired: str = ""
) -> list[WordSenses]:
    """Each word's senses from its embedding [channels]; unknown: words the encoder has not learned."""
    words = []
    for word, vector in vectors.items():
        senses = lexicon.senses(vector)
        pair, gap, own = lexicon.pair(senses, desired), lexicon.pair(senses).gap, tuple(lexicon.listed(word))
        words.append(WordSenses(word, tuple(senses), pair, gap, own, word not in unknown))
    return words


def most_open(words: Sequence[WordSenses]) -> WordSenses:
    """The word whose two proposed senses are equally near; words the encoder does not know come last."""
    return min(words, key=lambda word: (not word.known, abs(word.pair.gap)))


def sense_rows(words: Sequence[WordSenses]) -> list[dict[str, Any]]:
    """One row per word and concept: word, rank (from 1), concept, similarity, like, proposed as."""
    return [
        {
            "word": word.word,
            "rank": rank,
            "concept": sense.concept,
            "similarity": sense.similarity,
            "like": sense.like,
            "proposed": word.pair.role(sense.concept),
        }
        for word in words
        for rank, sense in enumerate(word.senses, start=1)
    ]


def report_text(words: Sequence[WordSenses], check: Check, concepts: int, shown: int) -> str:
    """A paragraph per word, its first `shown` senses in it, and at the end how far to trust them with this encoder."""
    first = most_open(words)
    lines = [line for word in words for line in _lines(word, check, shown, word is first)]
    return "\n".join([*lines, "", *_trust(check, concepts)])


def _lines(word: WordSenses, check: Check, shown: int, proposed: bool) -> list[str]:
    senses = ", ".join(f"{sense.concept} {sense.similarity:.2f} (like {sense.like})" for sense in word.senses[:shown])
    lines = [f"{'> ' if proposed else '  '}{word.word}: {senses}"]
    if not word.known:
        return [*lines, "    This text encoder does not know the word, so these senses say nothing."]
    if word.listed:
        lines.append(f"    It is a word of {' and '.join(word.listed)} in this concept set.")
    pair = word.pair
    lines.append(f"    desired {pair.desired}, undesired {pair.undesired} (swap them if it is the other way round)")
    if pair.cosine > ALIKE:
        lines.append(f"    Their vectors share their heads (cosine {pair.cosine:.2f}): little can be turned.")
    if check.words and not word.listed:
        right, near = check.alike(word.gap)
        lines.append(
            f"    First and other sense {word.gap:.2f} apart: {check.as_open(word.gap):.0%} of the concept words"
            f" look as open or more; of those with a like gap the first sense was right for {right} of {near}."
        )
    return lines


def _trust(check: Check, concepts: int) -> list[str]:
    if not check.words:
        return ["How far to trust this is not known: no concept has a second word to try it with."]
    return [
        f"How far to trust this, with this text encoder and concept set: each concept word left out in turn, the first"
        f" sense is its concept for {check.first} of {check.words} ({check.first / check.words:.0%}), one of the first"
        f" {FIRST} for {check.among} ({check.among / check.words:.0%}); guessing: {1 / concepts:.0%} and"
        f" {min(1.0, FIRST / concepts):.0%}.",
        "Words are read alone, so this lists what a word may mean, not what it means in this prompt, and not whether"
        " the model will misread it.",
    ]
