"""`python -m tools.bench gpu` without a card: a dry run that keeps to its time, and loses nothing when a part fails."""

from __future__ import annotations

import json
import time

import pytest

from comfyui_hrv.tests.benchmarks import gpu


@pytest.fixture
def sections(monkeypatch, tmp_path):
    """Sections in place of the real ones; the report is read back by `run`."""
    monkeypatch.setattr(gpu, "OUTPUT", tmp_path / "bench_gpu.json")

    def run(chosen: dict, *arguments: str) -> tuple[int, list[dict]]:
        monkeypatch.setattr(gpu, "SECTIONS", chosen)
        code = gpu.main(list(arguments))
        return code, json.loads(gpu.OUTPUT.read_text(encoding="utf-8"))["rows"]

    return run


def takes(milliseconds: float):
    """A run that says how many seconds it took: 5 once, and so many milliseconds a step."""
    return lambda steps=1: 5 + steps * milliseconds / 1000


def broken(steps: int = 1) -> None:
    raise ZeroDivisionError("on purpose")


def fails(scale, timed, report):
    raise MemoryError("no room")


def test_what_fails_is_a_row_and_the_rest_is_measured_without_what_happens_once_a_run(sections, monkeypatch):
    def works(scale, timed, report):
        timed({"plain": takes(20), "bad": broken, "twice": takes(40)})

    monkeypatch.setattr(gpu, "_seconds", lambda run: run())
    code, rows = sections({"first": (1, fails), "second": (1, works)}, "--seconds", "20")
    found = {(row["section"], row["name"]): row for row in rows}
    assert code == 0 and "no room" in found["first", "all"]["error"]
    assert "on purpose" in found["second", "bad"]["error"]
    assert (found["second", "plain"]["ms"], found["second", "twice"]["ms"]) == (20, 40)
    assert found["second", "twice"]["ratio"] == 2


def test_a_section_that_asks_no_clock_is_cut_off_and_later_ones_have_their_share(sections):
    def hangs(scale, timed, report):
        time.sleep(60)

    def works(scale, timed, report):
        timed({"plain": takes(20)})

    started = time.monotonic()
    code, rows = sections({"hangs": (1, hangs), "works": (3, works)}, "--seconds", "2")
    assert time.monotonic() - started < 10
    assert code == 0 and "cut off" in rows[0]["skipped"] and rows[1]["name"] == "plain"
    assert sections({"fails": (1, fails)})[0] == 1  # nothing was measured


@pytest.mark.parametrize("name", ["SD1.5 pair", "SDXL on 8 GB"])
def test_a_real_section_runs_dry_on_the_cpu(sections, name):
    code, rows = sections({name: gpu.SECTIONS[name]}, "--seconds", "120")
    assert not [row for row in rows if "error" in row]
    assert {"P2P-HRV"} <= {row["name"] for row in rows} and code == (0 if "pair" in name else 1)
