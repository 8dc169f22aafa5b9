"""Every language says all that English says: no key missing, no number or name lost on the way."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from comfyui_hrv.tools.make_locales import carried

FOLDER = Path(__file__).parents[2] / "locales"
LANGUAGES = sorted(path.name for path in FOLDER.iterdir() if path.name != "en")
MOST_ENGLISH = 0.1  # of the texts may wait for a translator
NUMBER = re.compile(r"\d+(?:\.\d+)?")
NAME = re.compile(r"HRV [A-Z]\w+(?: [A-Z]\w+)*|models/\w+|[a-z0-9]+_[a-z0-9_]+", re.ASCII)


def read(language: str, name: str) -> dict[str, Any]:
    return json.loads((FOLDER / language / f"{name}.json").read_text(encoding="utf-8"))


def pairs(english: Any, other: Any) -> Iterator[tuple[str, str]]:
    """Every English text with the other language's; fails where their keys differ."""
    if isinstance(english, dict):
        assert english.keys() == other.keys()
        for key in english:
            yield from pairs(english[key], other[key])
    else:
        yield english, other


def test_there_are_chinese_japanese_and_korean():
    assert {"zh", "ja", "ko"} <= set(LANGUAGES)


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_key_is_missing_and_hardly_a_sentence_is_still_english(language):
    assert list(pairs(read("en", "main"), read(language, "main")))
    texts = list(pairs(read("en", "nodeDefs"), read(language, "nodeDefs")))
    sentences = [(english, other) for english, other in texts if english.count(" ") > 2]
    assert sum(english == other for english, other in sentences) <= MOST_ENGLISH * len(sentences)
    assert [english for english, other in texts if bool(english) != bool(other)] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_numbers_and_names_are_those_of_the_english_text(language):
    lost = [
        (english, other)
        for english, other in pairs(read("en", "nodeDefs"), read(language, "nodeDefs"))
        if set(NUMBER.findall(english)) - set(NUMBER.findall(other))
        or any(name not in other for name in NAME.findall(english))
    ]
    assert lost == []


def test_a_text_that_changed_in_english_waits_for_its_translation_and_the_others_stay():
    before = {"a": {"name": "word", "tooltip": "One."}, "gone": "Old."}
    now = {"a": {"name": "word", "tooltip": "Another."}, "new": "New."}
    translated = {"a": {"name": "Wort", "tooltip": "Eins."}, "gone": "Alt."}
    assert carried(now, before, translated) == {"a": {"name": "Wort", "tooltip": "Another."}, "new": "New."}
