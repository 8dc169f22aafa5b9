"""What `make figures-dit` makes of looks, votes and effects, on numbers made by hand."""

from __future__ import annotations

import numpy as np
import pytest

from comfyui_hrv.tools.figures.dit.reasons import correlations, looks_by_concept, rank_correlation
from comfyui_hrv.tools.figures.dit.routes import depths


def looks(value: float, vote: int) -> dict:
    votes = np.eye(2, dtype=int)[[vote, vote, 1 - vote]].T.tolist()  # [concepts heads]
    return dict.fromkeys(("word", "text", "end tokens", "written"), [value, 0.0, 1.0]) | {
        "alone": votes, "in sentences": votes,
    }  # fmt: skip


def test_attention_is_a_mean_over_a_concepts_own_samples_and_votes_are_all_that_were_cast():
    found = looks_by_concept(["A", "A", "B"], ["A", "B"], [looks(0.2, 0), looks(0.4, 0), looks(9.0, 1)])
    assert found["A"]["word"] == pytest.approx([0.3, 0, 1]) and found["B"]["word"] == pytest.approx([9, 0, 1])
    assert found["A"]["alone"].tolist() == [2, 2, 1] and found["B"]["alone"].tolist() == [1, 1, 2]


def test_ranks_do_not_see_sizes_and_ties_share_theirs():
    assert rank_correlation(np.array([1.0, 2, 3]), np.array([5.0, 50, 500])) == pytest.approx(1)
    assert rank_correlation(np.array([1.0, 1, 2]), np.array([0.0, 3, 7])) == pytest.approx(3**0.5 / 2)


def test_double_blocks_are_also_compared_among_themselves():
    one = {
        name: np.array([1.0, 2, 9, 8]) for name in ("alone", "in sentences", "word", "text", "end tokens", "written")
    }
    found = correlations(np.array([4.0, 3, 2, 1]), np.array([10.0, 20, 1, 0]), one, double=2)
    assert found["votes"] == [pytest.approx(0.8), pytest.approx(-1)]
    assert found["word"] == [pytest.approx(-0.6), pytest.approx(1)]


def test_depths_cover_every_layer_once():
    for double, single in ((4, 9), (1, 2), (19, 38)):
        assert [site for sites in depths(double, single).values() for site in sites] == list(range(double + single))
