"""Importing the authors' published arrays gives the paper's vectors and orders; anything else is refused."""

import csv
from pathlib import Path

import numpy as np
import pytest

from comfyui_hrv.tests import skips
from comfyui_hrv.tests.engine.examples import concept_set, random_counts, sd1_layout, sdxl_layout, small_layout
from hrv_engine.attention.heads import HeadLayout
from hrv_engine.errors import HRVError
from hrv_engine.inspection.head_concepts import vote_shares
from hrv_engine.inspection.report import report
from hrv_engine.relevance import files
from hrv_engine.relevance.concepts import ConceptSet
from hrv_engine.relevance.relevance import HeadRelevance, HeadVotes
from hrv_engine.relevance.rescale import adjust

ROOT = Path(__file__).parents[3]
PUBLISHED = ROOT.parent / "shared" / "published"
STATISTICS = Path(__file__).with_name(
    "published_statistics.csv"
)  # the digits of the authors' arrays, one line a concept
needs_arrays = pytest.mark.skipif(not PUBLISHED.is_dir(), reason=skips.NO_PUBLISHED_ARRAYS)

VECTORS = "category_vectors_epoch_1_to_1_neg_prompt_False_merged_340_final_text_descriptions_{}.npy"
MODELS = {
    "sd14": (sd1_layout(), VECTORS.format("sd_v1_4"), "340_final_ranking_list.npy"),
    "sdxl": (sdxl_layout(), VECTORS.format("sd_xl_base_1_0"), "340_final_ranking_list_sd_xl_base_1_0.npy"),
}


def paper34() -> ConceptSet:
    return ConceptSet.load(ROOT / "hrv_presets" / "concepts" / "paper34.yaml")


def published(model: str, ranking: bool = False, order: bool = True) -> HeadRelevance:
    layout, vectors, ranks = MODELS[model]
    order_path = PUBLISHED / f"morhf_order_{model}.npy" if order else None
    return files.import_published(PUBLISHED / (ranks if ranking else vectors), paper34(), layout, order_path)


@needs_arrays
@pytest.mark.parametrize("ranking", [False, True], ids=["vectors", "ranking list"])
@pytest.mark.parametrize("model", MODELS)
def test_vectors_and_ranking_list_import_to_the_ranking_shares_normalised_to_l1_equal_to_the_head_count(model, ranking):
    layout, vectors, ranks = MODELS[model]
    shares = np.load(PUBLISHED / ranks, allow_pickle=False)
    expected = shares / shares.sum(axis=1, keepdims=True) * layout.total
    values = published(model, ranking).values
    assert values.dtype == np.float32
    assert np.abs(values - expected).max() <= 1e-5
    stored = np.load(PUBLISHED / vectors, allow_pickle=False)  # float32 sums: 1e-6 relative
    np.testing.assert_allclose(values, stored, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(values.sum(axis=1), layout.total, rtol=1e-6)


@needs_arrays
@pytest.mark.parametrize("ranking", [False, True], ids=["vectors", "ranking list"])
@pytest.mark.parametrize("model", MODELS)
def test_morhf_and_lerhf_orders_are_the_published_ones_ties_included(model, ranking):
    hrv, orders = published(model, ranking), np.load(PUBLISHED / f"morhf_order_{model}.npy", allow_pickle=False)
    for row, concept in enumerate(hrv.concepts.names):
        assert (hrv.order(concept, "MoRHF") == orders[row]).all()
        assert (hrv.order(concept, "LeRHF") == orders[row, ::-1]).all()


@needs_arrays
@pytest.mark.parametrize("model", MODELS)
def test_without_the_order_file_only_heads_of_equal_relevance_change_places(model):
    ours, theirs = published(model, order=False), published(model)
    for concept in ours.concepts.names:
        row = ours.row(concept)
        assert (row[ours.order(concept)] == np.sort(row)[::-1]).all()
        np.testing.assert_allclose(row[theirs.order(concept)], np.sort(row)[::-1], atol=1e-5)


@needs_arrays
def test_the_ten_most_relevant_heads_of_color_in_sd14_are_those_of_the_paper():
    hrv = published("sd14")
    top = hrv.order("Color")[:10]
    assert top.tolist() == [120, 108, 117, 114, 123, 7, 98, 105, 97, 111]
    values = [8.31, 5.13, 4.70, 4.69, 4.69, 4.51, 4.46, 4.19, 4.00, 3.90]
    np.testing.assert_allclose(hrv.row("Color")[top], values, atol=0.006)
    assert hrv.layout.label(int(top[0])) == "L16/h0 (output 11.0)"


@needs_arrays
@pytest.mark.parametrize(
    "model, concept, head, label, value, zeros",
    [
        ("sd14", "Color", 120, "L16/h0 (output 11.0)", 8.307, 0),
        ("sd14", "Animals", 123, "L16/h3 (output 11.0)", 4.427, 0),
        ("sd14", "Shape", 53, "L7/h5 (middle 0.0)", 23.187, 16),
        ("sd14", "Counting", 80, "L11/h0 (output 6.0)", 17.759, 69),
        ("sd14", "Geometric Patterns", 1, "L1/h1 (input 1.0)", 15.494, 4),
        ("sdxl", "Color", 926, "L49/h6 (output 1.4)", 66.145, 465),
        ("sdxl", "Animals", 324, "L19/h4 (input 8.4)", 19.15, 258),
        ("sdxl", "Lighting Conditions", 432, "L24/h12 (input 8.9)", 27.136, 70),
        ("sdxl", "Musical Instruments", 1193, "L62/h13 (output 2.7)", 10.722, 80),
    ],
)
def test_the_strongest_head_of_a_concept_its_value_and_the_silent_heads_are_the_published_ones(
    model, concept, head, label, value, zeros
):
    hrv = published(model)
    row = hrv.row(concept)
    assert (hrv.order(concept)[0], hrv.layout.label(head)) == (head, label)
    assert row.max() == row[head] == pytest.approx(value, abs=6e-4)
    assert (row == 0).sum() == zeros


def published_votes(model: str) -> HeadVotes:
    """The whole votes behind a published ranking list, which is votes / (2100 prompts x 51 steps)."""
    layout, _, ranks = MODELS[model]
    votes = np.load(PUBLISHED / ranks, allow_pickle=False) * 2100 * 51
    assert np.abs(votes - votes.round()).max() < 0.01
    return HeadVotes(votes.round().astype(np.int64), paper34(), layout)


@needs_arrays
@pytest.mark.parametrize("model", MODELS)
def test_vote_shares_largest_elements_and_zeros_of_all_34_concepts_are_the_published_ones(model):
    with STATISTICS.open(encoding="utf-8", newline="") as file:
        expected = list(csv.DictReader(file))
    votes = published_votes(model)
    hrv = votes.relevance()
    shares = votes.counts.sum(axis=1) / votes.counts.sum()
    assert [row["concept"] for row in expected] == list(hrv.concepts.names)
    for row, share in zip(expected, shares, strict=True):
        elements = hrv.row(row["concept"])
        found = {
            "vote_share": f"{round(share, 4):g}",
            "largest": f"{round(float(elements.max()), 3):g}",
            "head": str(hrv.order(row["concept"])[0]),
            "above_one": str((elements > 1).sum()),
            "zeros": str((elements == 0).sum()),
        }
        assert found == {name: row[f"{model}_{name}"] for name in found}, row["concept"]
        if model == "sdxl":
            assert (elements > 9).sum() == int(row["sdxl_above_nine"])


@needs_arrays
def test_votes_read_back_from_the_ranking_list_give_the_published_vectors_and_the_share_of_each_concept():
    votes = published_votes("sd14")
    assert (votes.counts.sum(axis=0) == 2100 * 51).all(), "every head votes once a prompt and step"
    np.testing.assert_allclose(votes.relevance().values, published("sd14").values, atol=2e-5)
    assert "Votes: Brand Logos 9.8%, Electronics 9.6%, Animals 7.8%" in report(votes.relevance())
    assert vote_shares(votes.relevance()) == pytest.approx(np.load(PUBLISHED / MODELS["sd14"][2]), abs=1e-7)


@needs_arrays
def test_all_zeros_of_the_published_vectors_are_kept():
    zeros = {model: int((published(model).values == 0).sum()) for model in MODELS}
    assert zeros == {"sd14": 192, "sdxl": 3569}


@needs_arrays
@pytest.mark.parametrize("model, low, high", [("sd14", -5.79, 16.61), ("sdxl", -8.70, 131.1)])
def test_adjusting_color_against_plants_spans_the_published_range_with_mean_one(model, low, high):
    r = adjust(published(model), "Color", "Plants")
    assert (r.min(), r.max()) == (pytest.approx(low, abs=0.006), pytest.approx(high, abs=0.06))
    assert r.mean() == pytest.approx(1.0, abs=1e-5)


@needs_arrays
def test_clamping_sdxl_at_nine_ends_the_range_at_eighteen_and_lowers_the_mean():
    clamped = adjust(published("sdxl"), "Color", "Plants", clamp=9)
    assert (clamped.min(), clamped.max()) == (pytest.approx(-8.70, abs=0.006), pytest.approx(18.0, abs=0.006))
    assert clamped.mean() == pytest.approx(0.58, abs=0.006)


@needs_arrays
def test_imported_vectors_survive_being_saved_with_their_order(tmp_path):
    hrv = published("sd14")
    files.save(tmp_path / "sd14.safetensors", hrv)
    again = files.load(tmp_path / "sd14.safetensors")
    assert (again.values == hrv.values).all() and (again.orders == hrv.orders).all()
    assert again.source == {"imported_from": VECTORS.format("sd_v1_4")}


@needs_arrays
@pytest.mark.parametrize(
    "name, layout, said",
    [
        (VECTORS.format("sd_v1_4"), sdxl_layout(), ["(34, 128)", "(34, 1300)"]),
        (VECTORS.format("sd_xl_base_1_0"), sd1_layout(), ["(34, 1300)", "(34, 128)"]),
        (VECTORS.format("sd_v1_4_per_timesteps"), sd1_layout(), ["(51, 34, 128)", "(34, 128)"]),
        (VECTORS.format("sd_v1_4").replace("category_vectors", "head_index"), sd1_layout(), ["<U23"]),
    ],
)
def test_a_published_array_of_another_model_or_kind_is_refused(name, layout, said):
    with pytest.raises(HRVError) as error:
        files.import_published(PUBLISHED / name, paper34(), layout)
    assert all(part in str(error.value) for part in said)


# What follows needs no published array.


def imported(path: Path, layout: HeadLayout | None = None, order: Path | None = None) -> HeadRelevance:
    return files.import_published(path, concept_set("Color", "Shape", "Size"), layout or small_layout(), order)


def written(path: Path, array: np.ndarray) -> Path:
    np.save(path, array)
    return path


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.int32, ">f4"])
def test_rows_of_any_number_type_are_normalised(tmp_path, dtype):
    counts = random_counts(1)
    hrv = imported(written(tmp_path / "v.npy", counts.astype(dtype)))
    np.testing.assert_allclose(hrv.values, counts / counts.mean(axis=1, keepdims=True), rtol=1e-6)


def test_a_concept_of_zeros_stays_zero_and_is_explained_when_asked_for(tmp_path):
    counts = random_counts(1)
    counts[1] = 0
    hrv = imported(written(tmp_path / "v.npy", counts))
    assert not hrv.values[1].any()
    with pytest.raises(HRVError, match='"Shape" never won a vote'):
        hrv.row("Shape")
