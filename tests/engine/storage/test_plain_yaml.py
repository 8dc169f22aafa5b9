"""YAML that anyone may have written: the values of PyYAML for plain documents, one sentence for everything else."""

from __future__ import annotations

import datetime
import time
import tracemalloc
from pathlib import Path

import pytest
import yaml

from hrv_engine.paths import PRESETS
from hrv_engine.storage import plain_yaml
from hrv_engine.storage.plain_json import excerpt

BOMB = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{after}: &{after} [{', '.join([f'*{before}'] * 10)}]\n"
    for before, after in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize("path", sorted(PRESETS.rglob("*.yaml")), ids=lambda path: path.name)
def test_every_preset_reads_as_pyyaml_reads_it(path: Path):
    assert plain_yaml.read(path) == yaml.safe_load(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    "text",
    ["", "# nothing", "a", "'5'", "[1, 2.5, yes, no, ~, 0x1f, 1_000, 190:20]", "{a: {b: [c]}, d: e}", "2026-11-26"]
    + ["- a\n- b:\n    c\n", "a: |\n  b\n  c\n", "a: &x [1]\nb: *x", "!!str 5", "{a, b: c}", "1: a\n2.5: b\n"],
)
def test_plain_documents_read_as_pyyaml_reads_them(text):
    assert plain_yaml.parse(text) == yaml.safe_load(text)


@pytest.mark.parametrize(
    "text, said",
    [
        (BOMB, "more than 400000 entries"),
        ("a: &a [*a]", "'a', which is not complete"),
        ("[" * 100_000, "nested more than 32 deep"),
        ("- " * 10_000 + "a", "nested more than 32 deep"),
        ("a: &a " + "[" * 20 + "]" * 20 + "\nb: " + "[" * 20 + "*a" + "]" * 20, "nested more than 32 deep"),
        ("x" * (plain_yaml.LARGEST + 1), "more than 4194304"),
        ("[" + "a," * 500_000 + "]", "more than 400000 entries"),
        ("!!bool maybe", "'maybe' in line 1 is no bool"),
        ("a:\n- 2026-99-99", "'2026-99-99' in line 2 is no timestamp"),
        ("!!int 0x", "'0x' in line 1 is no int"),
        ("!!python/object/apply:os.system [echo]", "of the type"),
        ("!!binary aGk=", "of the type"),
        ("!!set {a}", "of the type"),
        ("<<: {a: b}", "of the type"),
        ("9" * 5000, "too long for a number"),
        ("1:" * 40 + "1", "too large a number"),
        ("1.0e+999", "too large a number"),
        (".nan", "too large a number"),
        ("? [a]\n: b", "a list where a name must be text"),
        ("a: 1\na: 2", "'a' in line 2 appears twice"),
        ("a\x00b", "not allowed"),
        ("a: \ud83c", "half of a character"),
        ("a\n---\nb", "a second document"),
        ("a: [b", "line"),
        ("*a", "line 1|undefined"),
    ],
    ids=range(25),
)
def test_everything_else_is_one_short_sentence_at_once(text, said):
    begun = time.monotonic()
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match=said) as error:
            plain_yaml.parse(text)
        assert tracemalloc.get_traced_memory()[1] < 200 << 20
    finally:
        tracemalloc.stop()
    assert len(str(error.value)) < 300 and "\n" not in str(error.value)
    assert time.monotonic() - begun < 20, "tracing memory costs most of it"


def test_a_library_that_stops_at_a_depth_of_its_own_is_told_as_ours(monkeypatch):
    def stop(*_: object, **__: object):
        mark = yaml.Mark("", 1000, 0, 1000, None, None)
        raise yaml.scanner.ScannerError("while increasing flow level", mark, "exceeded maximum nesting depth", mark)

    monkeypatch.setattr(plain_yaml.yaml, "parse", stop)
    with pytest.raises(ValueError, match="nested more than 32 deep in line 1"):
        plain_yaml.parse("[" * 2000)


def test_a_date_stays_a_date_and_bytes_that_are_no_text_are_refused(tmp_path):
    assert plain_yaml.parse("a: 2026-11-26") == {"a": datetime.date(2026, 11, 26)}
    (tmp_path / "a.yaml").write_bytes(b"a: \xff")
    with pytest.raises(ValueError, match="not UTF-8"):
        plain_yaml.read(tmp_path / "a.yaml")


def test_an_excerpt_of_anything_is_short_and_made_at_once():
    deep: list = []
    for _ in range(5000):
        deep = [deep, deep]
    for value in (deep, "x" * 10**6, 10**10_000, {number: deep for number in range(1000)}, b"x" * 10**6):
        assert len(excerpt(value)) < 100
