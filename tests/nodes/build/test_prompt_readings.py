"""How HRV Build reads the parentheses of a prompt set, and where a set may come from."""

from __future__ import annotations

import os
from pathlib import Path

import folder_paths
import numpy as np
import pytest
import torch

from comfyui_hrv.hrv_engine.benchmarks.prompts import PLAIN, READINGS, WEIGHTS, PromptSet
from comfyui_hrv.hrv_engine.errors import HRVError
from comfyui_hrv.hrv_engine.text.spelling import escaped
from comfyui_hrv.nodes.build.prompt_set import HRVPromptSet, own_lists
from comfyui_hrv.nodes.host.folders import FOLDER
from comfyui_hrv.nodes.host.tokens import token_table
from comfyui_hrv.nodes.host.words import encode

from .test_build import PROMPTS, run

pytestmark = pytest.mark.usefixtures("inference_mode")
KITE = PromptSet("kite", ("a photo of a kite (bird of prey).", r"a \(dog:1.5\) ((cat))", "a )red( boat"))


def test_read_plainly_no_token_is_weighted_and_each_parenthesis_is_a_character(trio):
    for prompt, text in zip(KITE.prompts, KITE.texts, strict=True):
        ids = trio.clip.tokenizer.clip_l.tokenizer(prompt)["input_ids"][:-1]  # as in the authors' code
        (chunk,) = trio.clip.tokenize(text)["l"]
        assert chunk[: len(ids)] == [(token, 1.0) for token in ids]
        assert {weight for _, weight in chunk} == {1.0}


def test_plain_votes_are_those_of_the_escaped_prompts_and_not_those_of_weights(trio):
    plain, weighted = run(trio, prompts=KITE), run(trio, prompts=KITE.read_as(WEIGHTS))
    same = run(trio, prompts=PromptSet("kite", tuple(map(escaped, KITE.prompts)), WEIGHTS))
    assert np.array_equal(plain.counts, same.counts)
    assert not np.array_equal(plain.counts, weighted.counts)
    assert [votes.parts[0].reading for votes in (plain, weighted)] == [PLAIN, WEIGHTS]


def test_without_parentheses_the_vote_files_of_both_readings_are_the_same_bytes(trio, tmp_path):
    written = []
    for reading in READINGS:
        run(trio, tmp_path / f"{reading}.safetensors", PROMPTS.read_as(reading))
        written.append((tmp_path / f"{reading}.safetensors").read_bytes())
    assert written[0] == written[1] and b"reading" not in written[0]


def test_a_file_that_was_built_in_one_reading_does_not_go_on_in_the_other(trio, tmp_path):
    path = tmp_path / "kite.safetensors"
    run(trio, path, KITE.read_as(WEIGHTS))
    with pytest.raises(HRVError, match='parentheses read as weights.*Set reading of the prompt set to "weights"'):
        run(trio, path, KITE)
    assert run(trio, path, KITE.read_as(WEIGHTS)).images == len(KITE.prompts)


@pytest.fixture
def lists(tmp_path, monkeypatch) -> Path:
    """A `hrv` folder of the user's."""
    monkeypatch.setitem(folder_paths.folder_names_and_paths, FOLDER, ([str(tmp_path)], {".safetensors"}))
    return tmp_path


def test_a_text_file_of_2100_lines_in_models_hrv_is_a_prompt_set(lists):
    (lists / "sets").mkdir()
    lines = [f"a photo of a thing ({number})." for number in range(2100)]
    (lists / "sets" / "merged.txt").write_text("\n".join(lines), encoding="utf-8")
    assert own_lists() == ["sets/merged.txt"]
    prompts = HRVPromptSet.execute("sets/merged.txt", "", 0).args[0]
    assert prompts == PromptSet("merged", tuple(lines)) and len(prompts.prompts) == 2100
    assert HRVPromptSet.execute("sets/merged.txt", "", 3, WEIGHTS).args[0] == PromptSet(
        "merged", tuple(lines[:3]), WEIGHTS
    )


def test_a_list_with_a_suffix_in_capitals_is_listed_read_and_watched(lists):
    (lists / "List.TXT").write_text("a dog\na cat: 3", encoding="utf-8")
    assert own_lists() == ["List.TXT"]
    assert HRVPromptSet.execute("List.TXT", "", 0).args[0] == PromptSet("List", ("a dog", "a cat: 3"))
    assert HRVPromptSet.fingerprint_inputs(preset="List.TXT", custom="")[0] > 0


def test_an_edited_list_is_noticed_typed_or_linked_and_a_shipped_preset_never_changes(lists):
    for name, changed in (("one.txt", 100), ("two.txt", 200)):
        (lists / name).write_text("a dog", encoding="utf-8")
        os.utime(lists / name, (changed, changed))

    def seen(preset, custom=""):
        return HRVPromptSet.fingerprint_inputs(preset=preset, custom=custom, limit=0)

    assert (seen("two.txt"), seen(None), seen(None, None)) == ([200], [100, 200], [100, 200])
    assert (seen("quick"), seen("two.txt", "a cat"), seen(None, "a cat")) == ([], [], [])
    assert seen("gone.txt") == [0]


@pytest.mark.parametrize("name", ["other.txt", "../merged.txt", "/etc/hosts.txt"])
def test_a_list_that_is_not_there_is_refused_with_the_nearest(lists, name):
    (lists.parent / "merged.txt").write_text("a dog", encoding="utf-8")
    (lists / "others.txt").write_text("a dog", encoding="utf-8")
    with pytest.raises(HRVError, match=f'no list of prompts "{name}" in models/hrv.*"others.txt"'):
        HRVPromptSet.execute(name, "", 0)


def test_typed_prompts_are_read_plainly_unless_asked_otherwise(trio):
    plain = HRVPromptSet.execute("quick", "a (red) cat\n", 0).args[0]
    assert plain.texts == (r"a \(red\) cat",)
    assert token_table(trio.clip, plain.texts[0]).words() == ["a", "(", "red", ")", "cat"]
    weighted = HRVPromptSet.execute("quick", "a (red) cat\n", 0, WEIGHTS).args[0]
    assert torch.equal(encode(trio.clip, weighted.texts[0])[0][0], trio.encode("a (red) cat")[0][0])
