"""Word senses from a language model: asked for within the concepts there are, everything else dropped and said so."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import HRVError
from ..inspection.similarity import cosines
from ..relevance.relevance import HeadRelevance
from .llm import Endpoint
from .suggest import ALIKE

TASK = """You help someone whose text-to-image prompt may be misread because a word has several meanings.
You get JSON: the prompt, some of its words, and concepts. For each word, choose from these concepts only, spelled as
given:
"senses": the concepts the word can stand for in general, likeliest first (one to four);
"meant": the one that is meant in this prompt; "misread_as": the one a picture might wrongly show instead, or "" if
there is none.
Answer with JSON only: {"words": [{"word": "...", "senses": ["..."], "meant": "...", "misread_as": "..."}]}"""


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


def ask(endpoint: Endpoint, prompt: str, words: Sequence[str], relevance: HeadRelevance) -> Answer:
    """Ask for the senses of some words of a prompt; raises HRVError when nothing of the answer can be used."""
    asked = {"prompt": prompt, "words": list(words), "concepts": relevance.voted}
    return read_answer(endpoint.complete(TASK, json.dumps(asked, ensure_ascii=False)), words, relevance.voted)


def read_answer(text: str, words: Sequence[str], concepts: Sequence[str]) -> Answer:
    """What is legal in a model's text: words that were asked, concepts that exist (capitals do not count)."""
    named, dropped = dict[str, NamedSenses](), list[str]()
    legal = {name.casefold(): name for name in concepts}
    by_word = {word.casefold(): word for word in words}
    for entry in _entries(text, words, concepts):
        word = by_word.get(str(entry.get("word", "")).strip().casefold()) if isinstance(entry, dict) else None
        if word is None or word in named:
            dropped.append(f"{str(entry)[:80]} (a word that was not asked for, or twice)")
            continue
        given = entry.get("senses", [])
        meant, misread = (str(entry.get(key) or "").strip() for key in ("meant", "misread_as"))
        names = [*(str(name).strip() for name in (given if isinstance(given, list) else [given])), meant, misread]
        foreign = [name for name in dict.fromkeys(names) if name and name.casefold() not in legal]
        dropped += [f'{word}: "{name}" (no concept)' for name in foreign]
        senses = tuple(dict.fromkeys(legal[name.casefold()] for name in names if name.casefold() in legal))
        desired, undesired = legal.get(meant.casefold()), legal.get(misread.casefold())
        if senses:
            pair = (desired, undesired) if desired and undesired and desired != undesired else ()
            named[word] = NamedSenses(word, senses, *pair)
    if not named:
        raise HRVError(f"{_unusable(text, words, concepts)} Dropped: {'; '.join(dropped[:5]) or 'nothing'}.")
    return Answer(tuple(named[word] for word in words if word in named), tuple(dropped))


def answer_text(answer: Answer, asked: Sequence[str], relevance: HeadRelevance, model: str) -> str:
    """A line a word, what was dropped or left out, and what such an answer is worth."""
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
    lines += [f"Dropped: {'; '.join(answer.dropped)}."] * bool(answer.dropped)
    lines += ["No word has a second meaning by this answer."] * (answer.first is None)
    lines.append(f"Said by {model}, which knows words but not your checkpoint: look at plain images before you steer.")
    return "\n".join(lines)


def _entries(text: str, words: Sequence[str], concepts: Sequence[str]) -> list[Any]:
    """The list under "words" of the last such JSON object in a text that may hold anything around it."""
    lists = [answer["words"] for answer in _objects(text) if isinstance(answer.get("words"), list)]
    if not lists:
        raise HRVError(_unusable(text, words, concepts))
    return lists[-1]


def _objects(text: str) -> Iterator[dict[str, Any]]:
    decoder, place = json.JSONDecoder(), text.find("{")
    while place >= 0:
        try:
            decoded, end = decoder.raw_decode(text, place)
        except ValueError:
            end = place + 1
        else:
            yield decoded
        place = text.find("{", end)


def _unusable(text: str, words: Sequence[str], concepts: Sequence[str]) -> str:
    return (
        f"The language model's answer cannot be used: {' '.join(text.split())[:200]!r}. It must be JSON about"
        f" {', '.join(words)} with concepts among {', '.join(concepts)}. Run again, or choose a larger model."
    )
