"""A sample of `make attack`: damaged prompts and names, which need ComfyUI's modules."""

from __future__ import annotations

import importlib
import logging
import random

import folder_paths
import pytest

from comfyui_hrv.tools.attacks import KINDS, attempt


@pytest.mark.parametrize("name", [name for name, kind in KINDS.items() if kind.host])
def test_damaged_input_is_refused_in_a_sentence_or_read_as_it_is(tmp_path, monkeypatch, name):
    monkeypatch.setattr(folder_paths, "folder_names_and_paths", dict(folder_paths.folder_names_and_paths))
    module = importlib.import_module(f"comfyui_hrv.tools.attacks.{name}")
    try:
        outcome = attempt.run(module.attempts(random.Random("sample"), tmp_path), 60)
    finally:
        logging.disable(logging.NOTSET)
    assert not outcome.faults, "\n".join(outcome.examples)
