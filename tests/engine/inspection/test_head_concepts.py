"""What heads carry: ranks and vote shares by arithmetic, short names, and figures whose cells can be read back."""

from __future__ import annotations

import numpy as np
import pytest

from comfyui_hrv.tests.engine.examples import ballot, concept_set, random_counts, sd1_layout, sdxl_layout, small_layout
from comfyui_hrv.tests.engine.relevance.test_published import needs_arrays, paper34, published
from hrv_engine.attention.heads import HeadLayout
from hrv_engine.errors import HRVError
from hrv_engine.figures.head_concepts import concept_bars, concept_grid, shade
from hrv_engine.figures.heat_map import NO_HEAD
from hrv_engine.figures.plots import PALETTE
from hrv_engine.inspection.head_concepts import abbreviations, concepts_of_heads, head_concepts_text, vote_shares
from hrv_engine.relevance.relevance import HeadRelevance


def test_the_concepts_of_a_head_are_ranked_by_relevance_and_carry_their_share_of_its_votes():
    votes = ballot([[90, 10, 0, 0, 0, 0, 0, 0], [10, 90, 100, 100, 100, 100, 100, 100]])
    rows = concepts_of_heads(votes.relevance(), [0, 1])
    assert [(row.head, row.concept, row.rank) for row in rows] == [
        (0, "Color", 1),
        (0, "Shape", 2),
        (1, "Shape", 1),
        (1, "Color", 2),
    ]
    assert [row.relevance for row in rows] == pytest.approx([7.2, 80 / 700, 720 / 700, 0.8])
    assert [row.vote_share for row in rows] == pytest.approx([0.9, 0.1, 0.9, 0.1])
    assert head_concepts_text(rows).startswith(
        "head 0 = L1/h0 (input 1.0): Color (7.20, 90% of its votes); Shape (0.11, 10%"
    )


def test_a_rare_concept_may_be_the_strongest_of_a_head_that_votes_mostly_for_another():
    votes = ballot([[20, 1, 1, 1, 1, 1, 1, 1], [80, 99, 99, 99, 99, 99, 99, 99]])
    first = concepts_of_heads(votes.relevance(), [0])
    assert first[0].concept == "Color" and first[0].vote_share < first[1].vote_share


def test_shares_of_a_head_add_up_to_one_unless_it_never_voted_and_need_votes():
    counts = random_counts(3)
    counts[:, 4] = 0
    hrv = ballot(counts).relevance()
    shares = vote_shares(hrv)
    assert shares is not None
    np.testing.assert_allclose(shares.sum(axis=0), [1, 1, 1, 1, 0, 1, 1, 1])
    imported = HeadRelevance(hrv.values, hrv.concepts, hrv.layout)
    assert vote_shares(imported) is None and concepts_of_heads(imported, [0])[0].vote_share is None
    assert "votes" not in head_concepts_text(concepts_of_heads(imported, [0]))


def test_only_the_first_ranks_are_listed_when_asked():
    assert [row.rank for row in concepts_of_heads(ballot(random_counts(1)).relevance(), [2, 5], 2)] == [1, 2, 1, 2]
    with pytest.raises(HRVError, match="Head 8 does not exist"):
        concepts_of_heads(ballot(random_counts(1)).relevance(), [8])


@pytest.mark.parametrize(
    "names, expected",
    [
        (("Color", "Colour", "Colours"), ("Col", "Coo", "Cou")),
        (("Fruits and Vegetables", "Time of Day", "Geo-locations"), ("FrV", "TiD", "GeL")),
        (("A", "a b", "夏", "!"), None),
    ],
)
def test_short_names_are_read_from_the_names_and_never_alike(names, expected):
    short = abbreviations(names)
    assert len({each.casefold() for each in short.values()}) == len(names)
    assert expected is None or tuple(short.values()) == expected


def test_the_34_concepts_have_34_names_of_three_letters():
    short = abbreviations(paper34().names)
    assert len(set(short.values())) == 34 and {len(each) for each in short.values()} == {3}


def hrv_of(layout: HeadLayout, concepts: int = 5) -> HeadRelevance:
    values = random_counts(2, concepts, layout.total).astype(np.float32) / 10
    return HeadRelevance(values, concept_set(*(f"Concept {number}" for number in range(concepts))), layout)


@pytest.mark.parametrize("layout", [sd1_layout(), sdxl_layout(), small_layout()], ids=lambda layout: layout.summary)
def test_each_cell_of_the_grid_has_the_hue_of_its_strongest_concept_as_dark_as_its_relevance(layout):
    hrv = hrv_of(layout)
    image = concept_grid(hrv)
    strongest, peaks = hrv.values.argmax(axis=0), hrv.values.max(axis=0)
    wide = len(layout.sites) > 24
    width, height = (34, 17) if wide else (46, 28)
    left, top = grid_corner(image)
    for index in range(layout.total):
        layer, head = layout.locate(index)
        strength = max(0, np.log(peaks[index]) / np.log(peaks.max()))
        y, x = top + (layer - 1) * height + 2, left + head * width + 2
        assert (image[y, x] == shade(int(strongest[index]), strength)).all(), layout.label(index)


def grid_corner(image: np.ndarray) -> tuple[int, int]:
    """(left, top) of the first cell: the first coloured pixels, below the title and right of the labels."""
    colour = np.ptp(image.astype(int), axis=-1) > 12
    ys, xs = np.nonzero(colour)
    return int(xs.min()), int(ys.min())


def test_full_colour_is_the_palette_and_none_is_white():
    hues = [tuple(int(hue[i : i + 2], 16) for i in (1, 3, 5)) for hue in PALETTE]
    assert [tuple(shade(row, 1.0)) for row in range(6)] == hues and tuple(shade(6, 1.0)) == hues[0]
    assert (shade(3, 0.0) == 255).all()


def test_places_without_a_head_and_heads_that_never_voted_are_grey():
    counts = random_counts(1)
    full = grey(concept_grid(ballot(counts).relevance()))
    counts[:, 5] = 0
    assert grey(concept_grid(ballot(counts).relevance())) > full > 0


def grey(image: np.ndarray) -> int:
    return int((image == NO_HEAD).all(axis=-1).sum())


def bar_lengths(image: np.ndarray) -> list[int]:
    """Lengths of the bars from top to bottom, in pixels."""
    blue = (image == shade(0, 1.0)).all(axis=-1).sum(axis=1)
    starts = np.flatnonzero((blue[1:] > 0) & (blue[:-1] == 0)) + 1
    return [int(blue[start]) for start in starts]


def test_bars_are_as_long_as_the_relevance_of_the_heads_strongest_concepts():
    hrv = ballot(random_counts(1)).relevance()
    lengths = bar_lengths(concept_bars(hrv, [6]))
    expected = np.sort(hrv.values[:, 6])[::-1]
    assert len(lengths) == 3
    np.testing.assert_allclose(np.array(lengths) / lengths[0], expected / expected[0], atol=0.02)
    assert len(bar_lengths(concept_bars(hrv, [6], count=2))) == 2


def test_vectors_in_which_no_concept_won_a_vote_have_nothing_to_draw():
    silent = ballot([[0] * 8] * 2).relevance()
    for draw in (lambda: concept_grid(silent), lambda: concept_bars(silent, [0])):
        with pytest.raises(HRVError, match="No concept of this HRV won a vote"):
            draw()


@needs_arrays
def test_the_last_layers_first_head_of_sd14_is_the_head_of_color():
    first, second, third = concepts_of_heads(published("sd14"), [120], 3)
    assert (first.concept, second.concept, third.concept) == ("Color", "Time of Day", "Fruits and Vegetables")
    assert [row.relevance for row in (first, second, third)] == pytest.approx([8.31, 3.92, 2.82], abs=5e-3)
