"""Whatever a message quotes can be written to every log and terminal, and reads as it was typed."""

from __future__ import annotations

import io
import pickle
import sys
import unicodedata

import pytest

from hrv_engine.errors import HRVError, printable

EVERY_CHARACTER = "".join(map(chr, range(sys.maxunicode + 1)))
HARMLESS = (
    "a rose square", "été, Straße, ΟΔΟΣ", "赤い薔薇", "👩‍🌾", "שלום", "two\nlines\tand tabs", r"C:\new \x1b \ud83c", "",
)  # fmt: skip


@pytest.mark.parametrize("text", HARMLESS)
def test_what_people_write_is_quoted_unchanged(text):
    assert str(HRVError(f'"{text}" is no word.')) == f'"{text}" is no word.'


@pytest.mark.parametrize(
    ("typed", "read"),
    [
        ("\ud83c", r"\ud83c"),
        ("\udc80\udfff", r"\udc80\udfff"),
        ("\ude00\ud83d", r"\ude00\ud83d"),
        ("\x1b[2J\x1b]0;title\x07", r"\x1b[2J\x1b]0;title\x07"),
        ("\x9b31m", r"\x9b31m"),
        ("done\rError", r"done\rError"),
        ("\x00\x08\x7f\x85", r"\x00\x08\x7f\x85"),
        ("\u202egnp.exe\u2066", r"\u202egnp.exe\u2066"),
        ("one\u2028two\u2029", r"one\u2028two\u2029"),
    ],
)
def test_what_would_steer_a_terminal_or_stop_a_log_is_quoted_as_an_escape(typed, read):
    assert str(HRVError(f'"{typed}" is no word.')) == f'"{read}" is no word.'


def test_no_character_at_all_steers_a_terminal_or_cannot_be_encoded():
    text = str(HRVError(EVERY_CHARACTER))
    assert text.encode("utf-8").decode("utf-8") == text
    controls = {character for character in set(text) if unicodedata.category(character) in ("Cc", "Cs")}
    assert controls == {"\n", "\t"}
    assert printable(text) == text, "escaping twice changes nothing"


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "cp932", "utf-16"])
def test_a_log_of_another_encoding_can_take_every_message(monkeypatch, encoding):
    log = io.TextIOWrapper(io.BytesIO(), encoding=encoding, errors="strict")
    monkeypatch.setattr(sys, "stderr", log)
    log.write(str(HRVError(EVERY_CHARACTER)))
    log.flush()
    assert "rose" in str(HRVError("a rose, 赤い薔薇"))


def test_without_standard_streams_there_is_a_message_all_the_same(monkeypatch):
    monkeypatch.setattr(sys, "stdout", None)
    monkeypatch.setattr(sys, "stderr", None)
    assert str(HRVError("赤い\x1b")) == r"赤い\x1b"


def test_an_error_crosses_a_process_boundary_unchanged():
    error = HRVError("a \x1b rose")
    assert str(pickle.loads(pickle.dumps(error))) == str(error) == r"a \x1b rose"
