"""A sample of `make attack`: a few dozen damaged inputs of each kind that needs no ComfyUI."""

from __future__ import annotations

import importlib
import os
import random

import pytest

from comfyui_hrv.tools.attacks import KINDS, attempt


@pytest.mark.parametrize("name", [name for name, kind in KINDS.items() if not kind.host])
def test_damaged_input_is_refused_in_a_sentence_or_read_as_it_is(tmp_path, monkeypatch, name):
    monkeypatch.setattr(os, "fsync", os.fsync)  # one kind does without
    module = importlib.import_module(f"comfyui_hrv.tools.attacks.{name}")
    outcome = attempt.run(module.attempts(random.Random("sample"), tmp_path), 60)
    assert outcome.tries == 60 and outcome.refused + outcome.accepted == 60
    assert not outcome.faults, "\n".join(outcome.examples)


def test_an_attack_counts_tracebacks_hangs_and_wrong_values(monkeypatch):
    def fails():
        raise KeyError("x")

    monkeypatch.setattr(attempt, "LONGEST", 0.05)
    attempts = [
        attempt.Attempt("fails", fails, lambda value: ""),
        attempt.Attempt("hangs", lambda: [None for _ in iter(int, 1)], lambda value: ""),
        attempt.Attempt("is wrong", lambda: 5, lambda value: "it is 5"),
        attempt.Attempt("is right", lambda: 5, lambda value: ""),
    ]
    outcome = attempt.run(iter(attempts), 10)
    assert (outcome.tries, outcome.tracebacks, outcome.hangs, outcome.wrong, outcome.accepted) == (4, 1, 1, 1, 2)
    assert outcome.faults == 3 and [example.partition(":")[0] for example in outcome.examples] == [
        "tracebacks",
        "hangs",
        "wrong",
    ]
