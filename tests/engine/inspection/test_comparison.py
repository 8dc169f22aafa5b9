"""Comparing two files: cosines, changes and overlaps by arithmetic, what stands in one only, and refusals."""

from __future__ import annotations

import numpy as np
import pytest

from comfyui_hrv.tests.engine.examples import ballot, concept_set, random_counts, sd1_layout, sdxl_layout, small_layout
from comfyui_hrv.tests.engine.relevance.test_published import needs_arrays, published
from hrv_engine.attention.heads import HeadLayout
from hrv_engine.errors import HRVError
from hrv_engine.figures.comparison import comparison_figure
from hrv_engine.inspection.comparison import compare
from hrv_engine.relevance.relevance import HeadRelevance

OLD = [[8, 0, 0, 0, 0, 0, 0, 0], [1] * 8, [1, 2, 3, 4, 5, 6, 7, 8]]
NEW = [[4, 4, 0, 0, 0, 0, 0, 0], [3] * 8, [1, 2, 3, 4, 5, 6, 7, 8], [2] * 8]


def test_shared_concepts_are_compared_by_cosine_largest_change_and_top_heads():
    found = compare(ballot(NEW).relevance(), ballot(OLD).relevance())
    color, shape, size = found.changes
    assert [change.concept for change in found.changes] == ["Color", "Shape", "Size"]
    assert (color.cosine, color.change) == pytest.approx((0.5**0.5, 4))
    assert (shape.cosine, shape.change, size.cosine, size.change) == pytest.approx((1, 0, 1, 0))
    assert found.top == size.top_shared == 8  # a model of eight heads has no ten


def test_top_heads_are_those_of_the_morhf_order():
    values = np.arange(1, 129, dtype=np.float32)[None]
    one = HeadRelevance(values, concept_set("Color"), sd1_layout())
    two = HeadRelevance(np.roll(values, 4, axis=1), concept_set("Color"), sd1_layout())
    assert compare(one, one).changes[0].top_shared == 10
    assert compare(one, two).changes[0].top_shared == 6  # four of the ten moved to the other end


def test_the_text_says_what_moved_most_and_which_share_of_votes_an_added_concept_takes():
    text = compare(ballot(NEW).relevance(), ballot(OLD).relevance()).text()
    assert "3 shared concepts: mean cosine 0.9024, lowest 0.7071" in text
    assert "moved most: Color (cosine 0.7071, an element by 4.00" in text
    assert "only in the new file: Texture (19.0% of its votes)" in text and "only in the old" not in text
    back = compare(ballot(OLD).relevance(), ballot(NEW).relevance()).text()
    assert "only in the old file: Texture (19.0% of its votes)" in back


def test_concepts_are_matched_by_name_not_by_row_and_other_words_are_told():
    counts = random_counts(1)
    old = ballot(counts, concepts=concept_set("A", "B", "C")).relevance()
    new = ballot(counts[::-1], concepts=concept_set("c", "b", "D")).relevance()
    found = compare(new, old)
    assert [(change.concept, change.cosine) for change in found.changes] == [
        ("c", pytest.approx(1)),
        ("b", pytest.approx(1)),
    ]
    assert (list(found.only_new), list(found.only_old)) == (["D"], ["A"])
    changed = concept_set("c", "b", "D").to_json()
    changed["concepts"][1][1] = ["new word"]
    again = compare(ballot(counts[::-1], concepts=concept_set("c", "b").from_json(changed)).relevance(), old)
    assert again.reworded == ("b",) and "other concept words: b" in again.text()


def test_vectors_without_votes_have_no_known_share():
    new = ballot(NEW).relevance()
    imported = HeadRelevance(new.values, new.concepts, new.layout)
    assert "only in the new file: Texture (votes unknown)" in compare(imported, ballot(OLD).relevance()).text()


def test_a_concept_without_votes_in_one_file_is_left_out_and_named():
    silent = ballot([NEW[0], [0] * 8, NEW[2]]).relevance()
    found = compare(silent, ballot(OLD).relevance())
    assert [change.concept for change in found.changes] == ["Color", "Size"]
    assert "left out, without votes in one of the files: Shape" in found.text()
    with pytest.raises(HRVError, match=r"None of the shared concepts \(Color, Shape, Size\) won votes in both"):
        compare(ballot([[0] * 8] * 3).relevance(), ballot(OLD).relevance())


def test_other_heads_and_files_without_a_common_concept_are_refused_quoting_both():
    values, concepts = np.ones((1, 128), np.float32), concept_set("Color")
    sd1 = HeadRelevance(values, concepts, sd1_layout())
    with pytest.raises(HRVError, match="hrv has 16 layers, 128 heads, other has 70 layers, 1300 heads"):
        compare(sd1, HeadRelevance(np.ones((1, 1300), np.float32), concepts, sdxl_layout()))
    turned = HeadLayout(sd1_layout().sites[::-1])
    with pytest.raises(HRVError, match="another order"):
        compare(sd1, HeadRelevance(values, concepts, turned))
    with pytest.raises(HRVError, match="hrv has Color, Shape, Size; other has Age, Mood"):
        compare(ballot(OLD).relevance(), ballot(OLD[:2], concepts=concept_set("Age", "Mood")).relevance())


def dots(image: np.ndarray) -> list[tuple[int, int]]:
    """(y, x) of the dots' middles, from top to bottom."""
    blue = (image == (0, 114, 178)).all(axis=-1)
    ys = np.flatnonzero(blue.any(axis=1))
    rows = np.split(ys, np.flatnonzero(np.diff(ys) > 1) + 1)
    return [(int(row.mean()), int(np.flatnonzero(blue[row].any(axis=0)).mean())) for row in rows]


def test_the_figure_has_a_dot_a_concept_sorted_and_placed_by_its_cosine():
    rng = np.random.default_rng(1)
    old = HeadRelevance(rng.random((6, 8), np.float32) + 0.1, concept_set(*"ABCDEF"), small_layout())
    new = HeadRelevance(old.values + rng.random((6, 8), np.float32), old.concepts, old.layout)
    found = compare(new, old)
    places = np.array([x for _, x in dots(comparison_figure(found))], float)
    cosines = np.sort([change.cosine for change in found.changes])[::-1]
    assert len(places) == 6 and (np.diff(places) <= 0).all()
    expected = (cosines - cosines[-1]) / (cosines[0] - cosines[-1])
    np.testing.assert_allclose((places - places[-1]) / (places[0] - places[-1]), expected, atol=0.02)


@needs_arrays
def test_the_published_vectors_equal_themselves_and_those_of_two_models_cannot_be_compared():
    sd14 = published("sd14")
    assert min(change.cosine for change in compare(sd14, sd14).changes) == pytest.approx(1)
    with pytest.raises(HRVError, match="70 layers, 1300 heads"):
        compare(sd14, published("sdxl"))
