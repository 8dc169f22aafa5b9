"""The nodes that draw and list HRVs, executed on the vectors that ship with the pack: images, tables and refusals."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np
import pytest
import torch

from comfyui_hrv.hrv_engine.errors import HRVError
from comfyui_hrv.hrv_engine.relevance import files
from comfyui_hrv.hrv_engine.relevance.relevance import HeadRelevance, HeadVotes
from comfyui_hrv.nodes.build.concepts import HRVConcepts
from comfyui_hrv.nodes.see.compare import HRVCompare
from comfyui_hrv.nodes.see.head_concepts import HRVHeadConcepts
from comfyui_hrv.nodes.see.heatmap import HRVHeatmap
from comfyui_hrv.nodes.see.similarity import HRVSimilarity
from comfyui_hrv.nodes.see.top_heads import HRVTopHeads
from comfyui_hrv.nodes.see.tsne import HRVTSNE

SHIPPED = Path(__file__).parents[3] / "hrv_presets" / "hrv" / "pocket.safetensors"


@pytest.fixture(scope="module")
def hrv() -> HeadRelevance:
    return files.load(SHIPPED)


@pytest.fixture(scope="module")
def timed(hrv: HeadRelevance) -> HeadRelevance:
    """The same concepts and heads with random votes at each of 20 steps; every concept keeps to some heads."""
    draw = np.random.default_rng(1)
    habits = draw.random((1, len(hrv.concepts.names), hrv.layout.total)) ** 4 * 200
    per_step = draw.poisson(habits.repeat(20, axis=0))
    return HeadVotes(per_step.sum(axis=0), hrv.concepts, hrv.layout, per_step=per_step).relevance()


def rows_of(table: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(table)))


def is_image(tensor: torch.Tensor) -> bool:
    """ComfyUI's IMAGE: float32 [1 height width 3] within 0..1, and not of one colour."""
    return (
        tensor.dtype == torch.float32
        and tensor.ndim == 4
        and tuple(tensor.shape[::3]) == (1, 3)
        and 0 <= float(tensor.min()) < float(tensor.max()) <= 1
    )


@pytest.mark.parametrize("concept, drawn", [("", 12), ("color, Plant", 2)])
def test_the_heat_map_comes_with_the_numbers_it_draws(hrv, concept, drawn):
    image, table = HRVHeatmap.execute(hrv, concept).args
    rows = rows_of(table)
    assert is_image(image) and len(rows) == drawn * hrv.layout.total
    assert [row["concept"] for row in rows[:: hrv.layout.total]][:1] == ["Color"]
    np.testing.assert_allclose(
        [float(row["relevance"]) for row in rows[: hrv.layout.total]], hrv.row("Color"), rtol=1e-5
    )


def test_similarity_tabulates_the_cosines_of_all_concepts_and_names_the_closest(hrv):
    image, summary, table = HRVSimilarity.execute(hrv, "concepts").args
    names, rows = list(hrv.concepts.names), rows_of(table)
    assert is_image(image) and [row["concept"] for row in rows] == names
    matrix = np.array([[float(row[name]) for name in names] for row in rows])
    unit = hrv.values / np.linalg.norm(hrv.values, axis=1, keepdims=True)
    np.testing.assert_allclose(matrix, unit @ unit.T, rtol=1e-5)
    np.fill_diagonal(matrix, 0)
    assert f"closest: concept {' and '.join(names[i] for i in np.argwhere(matrix == matrix.max())[0])}" in summary


def test_similarity_of_timesteps_has_a_row_a_step_and_needs_votes_a_step(hrv, timed):
    image, summary, table = HRVSimilarity.execute(timed, "timesteps").args
    rows = rows_of(table)
    assert is_image(image) and [row["timestep"] for row in rows] == [str(step) for step in range(20)]
    assert float(rows[3]["7"]) == float(rows[7]["3"]) > 0.9 and summary.startswith("20 timesteps, 190 pairs")
    with pytest.raises(HRVError, match="per_timestep"):
        HRVSimilarity.execute(hrv, "timesteps")


def test_top_heads_are_the_front_of_the_morhf_order(hrv):
    text, table = HRVTopHeads.execute(hrv, "Shape, color", 5).args
    rows = rows_of(table)
    assert [int(row["head"]) for row in rows] == [*hrv.order("Shape")[:5], *hrv.order("Color")[:5]]
    assert all(row["label"] in text for row in rows)
    assert len(rows_of(HRVTopHeads.execute(hrv, "", 10).args[1])) == 120
    with pytest.raises(HRVError, match='There is no concept "Colour"'):
        HRVTopHeads.execute(hrv, "Colour", 5)


def test_t_sne_places_every_concept_at_every_step_and_keeps_the_concepts_apart(timed):
    image, table = HRVTSNE.execute(timed, "Color, Shape, Plant", 10.0, 1).args
    rows = rows_of(table)
    assert is_image(image) and len(rows) == 60 and rows[25]["concept"] == "Shape" and rows[25]["step"] == "5"
    places = np.array([[float(row["x"]), float(row["y"])] for row in rows]).reshape(3, 20, 2)
    spread = np.linalg.norm(places - places.mean(axis=1, keepdims=True), axis=-1).max()
    middles = places.mean(axis=1)
    assert min(np.linalg.norm(middles[i] - middles[i - 1]) for i in range(3)) > spread


def test_t_sne_refuses_vectors_without_steps_and_too_large_a_perplexity(hrv, timed):
    with pytest.raises(HRVError, match="per_timestep"):
        HRVTSNE.execute(hrv, "", 30.0, 0)
    with pytest.raises(HRVError, match="40 does not fit 40 points.*not including, 40"):
        HRVTSNE.execute(timed, "Color, Shape", 40.0, 0)


def test_head_concepts_draw_all_heads_or_the_ones_named_and_list_their_concepts(hrv):
    grid, _, table = HRVHeadConcepts.execute(hrv, "").args
    rows = rows_of(table)
    assert is_image(grid) and len(rows) == hrv.layout.total * 12
    first = {int(row["head"]): row["concept"] for row in rows if row["rank"] == "1"}
    assert [first[head] for head in range(112)] == [hrv.concepts.names[row] for row in hrv.values.argmax(axis=0)]
    shares = {head: sum(float(row["vote_share"]) for row in rows if row["head"] == str(head)) for head in (0, 64)}
    assert shares == pytest.approx({0: 1, 64: 1}, abs=1e-5)

    bars, text, table = HRVHeadConcepts.execute(hrv, "L2/h1, 3").args
    assert is_image(bars) and bars.shape != grid.shape
    assert {row["head"] for row in rows_of(table)} == {"9", "3"}
    assert text.split("\n")[0].startswith("head 9 = L2/h1") and text.count("\n") == 1
    with pytest.raises(HRVError, match='There is no head "L99"'):
        HRVHeadConcepts.execute(hrv, "L99")


def test_compare_lists_how_far_every_concept_moved(hrv):
    votes = hrv.votes
    changed = votes.counts.copy()
    changed[1, :56] = changed[1, 56:]  # Shape moves to other heads
    other = HeadVotes(changed, votes.concepts, votes.layout).relevance()
    image, text, table = HRVCompare.execute(hrv, other).args
    rows = {row["concept"]: row for row in rows_of(table)}
    assert is_image(image) and list(rows) == list(hrv.concepts.names)
    one, two = hrv.row("Shape"), other.row("Shape")
    assert float(rows["Shape"]["cosine"]) == pytest.approx(one @ two / np.linalg.norm(one) / np.linalg.norm(two), 1e-4)
    assert float(rows["Shape"]["largest_change"]) == pytest.approx(np.abs(one - two).max(), rel=1e-4)
    assert all(row["top_heads_shared"] == "10" for name, row in rows.items() if name != "Shape")
    assert "12 shared concepts" in text and "moved most: Shape" in text


def test_concepts_of_an_extended_preset_and_of_pasted_text_that_extends_one_are_the_presets_and_more():
    base = HRVConcepts.execute("pocket", "", "").args[0]
    extended = HRVConcepts.execute("pocket_extended", "", "").args[0]
    pasted = HRVConcepts.execute("paper34", "extends: pocket\nAge: [old, young]", "").args[0]
    assert extended.concepts[:12] == pasted.concepts[:12] == base.concepts
    assert (extended.names[12:], pasted.names[12:]) == (("Plural",), ("Age",))
    with pytest.raises(HRVError, match="extends: pocketz.*legal:.*paper34"):
        HRVConcepts.execute("paper34", "extends: pocketz\nAge: [old]", "")
