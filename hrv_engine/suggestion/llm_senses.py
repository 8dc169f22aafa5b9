"""Word senses from a language model: asked for within the concepts there are, everything else dropped and said so."""

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import HRVError, printable
from ..inspection.similarity import cosines
from ..relevance.relevance import HeadRelevance
from ..remote.exchange import never
from .llm import Endpoint
from .suggest import ALIKE

TASK = """You help someone whose text-to-image prompt may be misread because a word has several meanings.
You get JSON: the prompt, some of its words, and concepts. For each word, choose from these concepts only, spelled as
given:
"senses": the concepts the word can stand for in general, likeliest first (one to four);
"meant": the one that is meant in this prompt; "misread_as": the one a picture might wrongly show instead, or "" if
there is none.
Answer with JSON only: {"words": [{"word": "...", "senses": ["..."], "meant": "...", "misread_as": "..."}]}"""

LONGEST = 2**18  # characters of an answer that are looked through
LAST = 20  # places in it, from its end, where the list may begin
SHOWN = 20  # dropped entries in the report
QUOTED = 80  # characters of each
LIST = re.compile(r'"words"\s*:\s*(?=\[)')


@dataclass(frozen=True)
class NamedSenses:
    """One word as the model sees it; desired and undesired are None where it names no second meaning."""

    word: str
    senses: tuple[str, ...]
    desired: str | None = None
    undesired: str | None = None


@dataclass(frozen=True)
class Answer:
    """The words answered for, in the order asked; dropped: what the model said outside the legal set."""

    words: tuple[NamedSenses, ...]
    dropped: tuple[str, ...]

    @property
    def first(self) -> NamedSenses | None:
        """The first word with two meanings, None if there is none."""
        return next((named for named in self.words if named.undesired), None)


def ask_senses(
    endpoint: Endpoint, prompt: str, words: Sequence[str], relevance: HeadRelevance,
    cancelled: Callable[[], None] = never,
) -> Answer:  # fmt: skip
    """Ask for the senses of some words of a prompt; raises HRVError when nothing of the answer can be used.

    cancelled: looked at while waiting; it may raise.
    """
    asked = {"prompt": prompt, "words": list(words), "concepts": relevance.voted}
    text = endpoint.complete(TASK, json.dumps(asked, ensure_ascii=False), cancelled)
    return read_answer(text, words, relevance.voted)


def read_answer(text: str, words: Sequence[str], concepts: Sequence[str]) -> Answer:
    """What is legal in a model's text: words that were asked, concepts that exist (capitals do not count)."""
    named, dropped = dict[str, NamedSenses](), list[str]()
    legal = {name.casefold(): name for name in concepts}
    by_word = {word.casefold(): word for word in words}
    entries = _entries(text)
    if entries is None:
        raise HRVError(_unusable("It holds no such list", words, concepts))
    for entry in entries:
        fields = entry if isinstance(entry, dict) else {}
        said = _text(fields.get("word"))
        word = by_word.get(said.casefold())
        if word is None or word in named:
            dropped.append(f'"{said[:QUOTED]}" (a word that was not asked for, or twice)')
            continue
        given = fields.get("senses")
        meant, misread = _text(fields.get("meant")), _text(fields.get("misread_as"))
        names = [*map(_text, given if isinstance(given, list) else [given]), meant, misread]
        foreign = [name for name in dict.fromkeys(names) if name and name.casefold() not in legal]
        dropped += [f'{word}: "{name[:QUOTED]}" (no concept)' for name in foreign]
        senses = tuple(dict.fromkeys(legal[name.casefold()] for name in names if name.casefold() in legal))
        desired, undesired = legal.get(meant.casefold()), legal.get(misread.casefold())
        if senses:
            pair = (desired, undesired) if desired and undesired and desired != undesired else ()
            named[word] = NamedSenses(word, senses, *pair)
    if not named:
        raise HRVError(
            _unusable(f"It names {len(dropped)} other words or concepts, and none of these", words, concepts)
        )
    return Answer(tuple(named[word] for word in words if word in named), tuple(dropped))


def answer_text(answer: Answer, asked: Sequence[str], relevance: HeadRelevance, model: str) -> str:
    """A line per word, what was dropped or left out, and what such an answer is worth."""
    lines = []
    for named in answer.words:
        lines.append(f"{'> ' if named is answer.first else '  '}{named.word}: {', '.join(named.senses)}")
        if named.desired and named.undesired:
            rows = [relevance.concepts.index(name) for name in (named.desired, named.undesired)]
            cosine = float(cosines(relevance.values[rows])[0, 1])
            little = ": little can be turned" if cosine > ALIKE else ""
            pair = f"desired {named.desired}, undesired {named.undesired}"
            lines.append(f"    {pair} (cosine of their vectors {cosine:.2f}{little})")
    silent = [word for word in asked if word not in {named.word for named in answer.words}]
    lines += [f"Nothing usable was said about: {', '.join(silent)}."] * bool(silent)
    more = f"; and {len(answer.dropped) - SHOWN} more" if len(answer.dropped) > SHOWN else ""
    lines += [f"Dropped: {printable('; '.join(answer.dropped[:SHOWN]))}{more}."] * bool(answer.dropped)
    lines += ["No word has a second meaning by this answer."] * (answer.first is None)
    lines.append(f"Said by {model}, which knows words but not your checkpoint: look at plain images before you steer.")
    return "\n".join(lines)


def _entries(text: str) -> list[Any] | None:
    """The last list under "words" in a text that may hold anything around it, None if there is none."""
    decoder = json.JSONDecoder(parse_int=str, parse_float=str)
    for match in reversed([*LIST.finditer(text[:LONGEST])][-LAST:]):
        try:
            return decoder.raw_decode(text, match.end())[0]
        except (ValueError, RecursionError):
            continue
    return None


def _text(value: Any) -> str:
    return value.strip() if isinstance(value, str) else ""


def _unusable(fault: str, words: Sequence[str], concepts: Sequence[str]) -> str:
    return (
        f'The language model\'s answer cannot be used. {fault}: it must be JSON with a list "words" about'
        f" {', '.join(words)} with concepts among {', '.join(concepts)}. Run again, or choose a larger model."
    )
