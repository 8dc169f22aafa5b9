"""What `python -m tools.figures suggest` counts, on the pocket model."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import torch

from comfyui_hrv.hrv_engine.relevance import files
from comfyui_hrv.hrv_engine.relevance.concepts import ConceptSet
from comfyui_hrv.hrv_engine.relevance.relevance import HeadRelevance
from comfyui_hrv.nodes.steering.suggest import HRVSuggest
from comfyui_hrv.tests.engine.examples import small_layout
from comfyui_hrv.tests.nodes.tiny import tiny_trio
from comfyui_hrv.tools import suggest_check
from comfyui_hrv.tools.figures import session, suggest, suggest_report

pytestmark = pytest.mark.usefixtures("inference_mode")
ORANGE, LIME = (
    {"text": f"{article} {word} circle", "word": word, "desired": "Color", "undesired": "Fruit"}
    for article, word in (("an", "orange"), ("a", "lime"))
)


@pytest.fixture(scope="module")
def found() -> dict:
    with torch.inference_mode():
        return suggest.task({"few": [ORANGE, LIME]}, ["orange", "crane"])


def test_the_first_variant_is_the_nodes_own_ranking_counted_another_way(found):
    check, first = found["check"], found["variants"][0]
    assert (first["first"], first["among"]) == (check["first"], check["among"])
    report = HRVSuggest.execute("an orange circle", session.vectors(), "", session.pocket()[1], "", 3).args[0]
    assert f"for {check['first']} of {check['words']}" in report
    both = [word["both_in_two"] for word in found["words"]], [word["both_in_three"] for word in found["words"]]
    assert (first["two"], first["three"]) == tuple(map(sum, both))


def test_every_variant_ranks_otherwise_and_beats_guessing(found):
    counts = [(row["first"], row["among"], row["two"], row["three"]) for row in found["variants"]]
    assert len(set(counts)) > len(counts) // 2
    check = found["check"]
    assert all(row["first"] > 3 * check["words"] / check["concepts"] for row in found["variants"][:-1])


def test_proposals_are_set_beside_what_was_asked(found):
    (row, _) = found["prompts"]["few"]
    assert row["asked"] == ("Color", "Fruit") == row["free"] == row["told"] and row["first"]
    assert 0 < found["openness"] < 1


def test_a_word_of_another_benchmark_that_the_encoder_has_not_seen_is_not_counted_as_known(found):
    assert found["foreign"] == {"words": ["orange", "crane"], "known": ["orange"]}


def test_the_closing_table_has_every_variant_word_and_share(found):
    text = "\n".join(
        suggest_report.suggest_lines(
            {**found, "images": 8, "vectors": "votes", "steered": {"plain": 0.5, "free": 0.25}}
        )
    )
    assert all(row["variant"] in text for row in found["variants"])
    assert "orange    Fruit 0.71" in text and "plain 50.0%, free 25.0%" in text
    assert "few: of 2 prompts the word is proposed in 2, the pair of senses in 2, with the meaning given in 2" in text
    assert "of its 2 words the pocket encoder has seen 1 (orange)" in text


@pytest.fixture(scope="module")
def paper_vectors() -> HeadRelevance:
    """Random vectors of the paper's concepts."""
    concepts = ConceptSet.load(Path(__file__).parents[3] / "hrv_presets" / "concepts" / "paper34.yaml")
    return HeadRelevance(np.random.default_rng(0).random((34, 8)).astype(np.float32), concepts, small_layout())


def test_a_checkpoint_of_ones_own_is_checked_on_stable_diffusions_prompts(paper_vectors):
    text = suggest_check.checked(tiny_trio().clip, paper_vectors)
    first = re.search(r"first (\d+) of 340, among three (\d+) of 340; guessing: 10 and 30", text)
    assert first and int(first[1]) <= int(first[2])
    assert '"An Apple device on a table", Apple: Fruits and Vegetables 1.00' in text  # the set lists the word
    assert "asked Brand Logos / Fruits and Vegetables" in text and "of 10 prompts: both senses" in text


def test_what_cannot_be_checked_is_named(paper_vectors, tmp_path, capsys):
    ours, theirs = tmp_path / "paper.safetensors", tmp_path / "nowhere.safetensors"
    files.save(ours, paper_vectors)
    assert suggest_check.run(theirs, ours) == 1
    assert f"no checkpoint {theirs}" in capsys.readouterr().err
    assert suggest_check.run(theirs, theirs) == 1
    assert "nowhere.safetensors" in capsys.readouterr().err
