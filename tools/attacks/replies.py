"""What a language model or its server may answer: only words that were asked for and concepts that exist come of it."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from hrv_engine.suggestion import llm
from hrv_engine.suggestion.llm_senses import read_answer

from .attempt import Attempt
from .mutations import damaged, damaged_bytes, damaged_text, odd_value

WORDS, CONCEPTS = ["lavender", "bank", "crane"], ["Color", "Plants", "Animals", "Geography", "Été"]
ANSWER = {
    "words": [
        {"word": "lavender", "senses": ["Plants", "Color"], "meant": "Color", "misread_as": "Plants"},
        {"word": "crane", "senses": ["Animals"], "meant": "Animals", "misread_as": ""},
    ]
}


def attempts(chance: random.Random, folder: Path) -> Iterator[Attempt]:
    """Answers as text, and whole replies of the server."""
    while True:
        value = damaged(ANSWER, chance, chance.choice([0, 1, 2, 5]))
        text = json.dumps(value, ensure_ascii=chance.random() < 0.5)
        if chance.random() < 0.4:
            text = damaged_text(text, chance)
        if chance.random() < 0.2:
            text = f"<think>{damaged_text(text, chance)}</think>Here: ```json\n{text}\n``` and more {{"
        if chance.random() < 0.1:
            text = (
                chance.choice(["{", "[", '"words": [', '{"words": [' * 2, "\\"]) * chance.choice([100, 10_000, 200_000])
                + text
            )
        if chance.random() < 0.6:
            yield Attempt(f"answer: {text[:150]}", partial(read_answer, text, WORDS, CONCEPTS), _wrong)
            continue
        whole = damaged({"choices": [{"message": {"content": text}}]}, chance, chance.choice([0, 1, 1, 2]))
        body = json.dumps(odd_value(chance) if chance.random() < 0.1 else whole).encode()
        body = damaged_bytes(body, chance) if chance.random() < 0.3 else body
        yield Attempt(f"reply: {body[:150]!r}", partial(_asked, body), _wrong)


def _asked(body: bytes) -> Any:
    reply = llm.Reply(200, {}, body)
    asked, llm.ask = llm.ask, lambda *_, **__: reply
    try:
        return read_answer(llm.Endpoint("http://127.0.0.1:1/v1", "m").complete("s", "u"), WORDS, CONCEPTS)
    finally:
        llm.ask = asked


def _wrong(answer: Any) -> str:
    for named in answer.words:
        chosen = [name for name in (*named.senses, named.desired, named.undesired) if name is not None]
        if named.word not in WORDS or not set(chosen) <= set(CONCEPTS) or not named.senses:
            return f"it names {named}"
        if (named.desired is None) != (named.undesired is None) or (named.desired and named.desired == named.undesired):
            return f"its pair is none: {named}"
    return "" if answer.words else "it names nothing"
