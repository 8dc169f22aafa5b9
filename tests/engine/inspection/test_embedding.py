"""t-SNE of concepts at timesteps: concepts that keep their heads make clusters; bad inputs are refused."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from comfyui_hrv.tests.engine.examples import ballot
from hrv_engine.errors import HRVError
from hrv_engine.figures.embedding import embedding_figure
from hrv_engine.inspection.embedding import Embedding, embed
from hrv_engine.relevance.relevance import HeadRelevance

NAMES = ["Color", "Shape", "Size"]


def timed(steps: int = 12) -> HeadRelevance:
    """Three concepts, each with heads of its own at every step; Size wins nothing at the first two steps."""
    habits = np.zeros((1, 3, 8))
    for row in range(3):
        habits[0, row, 2 * row : 2 * row + 3] = 60
    per_step = np.random.default_rng(1).poisson(habits.repeat(steps, axis=0))
    per_step[:2, 2] = 0
    return ballot(per_step.sum(axis=0), per_step=per_step).relevance()


def test_there_is_a_point_for_every_concept_and_step_with_votes():
    points = embed(timed(), NAMES, perplexity=5)
    assert list(zip(points.concepts, points.steps, strict=True)) == [
        (name, step) for name in NAMES for step in range(12) if name != "Size" or step >= 2
    ]
    assert points.places.shape == (34, 2) and np.isfinite(points.places).all()


def test_concepts_that_keep_their_heads_make_clusters():
    points = embed(timed(), NAMES, perplexity=5)
    owner = np.array(points.concepts)
    gaps = np.linalg.norm(points.places[:, None] - points.places, axis=-1)
    np.fill_diagonal(gaps, np.inf)
    assert (owner[gaps.argmin(axis=1)] == owner).all()


def test_the_same_seed_gives_the_same_points_and_only_the_direction_of_a_row_matters():
    hrv = timed()
    again = embed(hrv, ["size", "Color"], perplexity=4, seed=3)
    assert (again.places == embed(hrv, ["size", "Color"], perplexity=4, seed=3).places).all()
    assert set(again.concepts) == {"Size", "Color"}
    votes = hrv.votes
    assert votes is not None and votes.per_step is not None
    tripled = ballot(votes.counts * 3, per_step=votes.per_step * 3).relevance()
    np.testing.assert_allclose(embed(tripled, ["size", "Color"], 4, 3).places, again.places, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("perplexity", [34, 30.5 + 30, 0.5])
def test_a_perplexity_beyond_the_points_is_refused_with_the_legal_range(perplexity):
    with pytest.raises(
        HRVError, match=f"{perplexity:g} does not fit 34 points .*Legal: 1 up to, but not including, 34"
    ):
        embed(timed(), NAMES, perplexity)


def test_vectors_without_votes_per_step_or_with_too_few_are_refused():
    with pytest.raises(HRVError, match="no votes per timestep.*per_timestep"):
        embed(ballot([[1] * 8] * 3).relevance(), NAMES)
    with pytest.raises(HRVError, match="Only 2 of the vectors of Color"):
        embed(timed(2), ["Color"], 1)


def test_the_figure_shows_each_cluster_in_a_colour_of_its_own_lighter_when_early():
    corners = {"Color": (0, 0), "Shape": (40, 0), "Size": (20, 40)}
    concepts, steps = zip(*[(name, step) for name in NAMES for step in (0, 9)], strict=True)
    places = np.array(
        [(corners[name][0] + step / 3, corners[name][1]) for name, step in zip(concepts, steps, strict=True)]
    )
    image = embedding_figure(Embedding(concepts, steps, places)).astype(int)
    seen = {tuple(colour) for colour in np.unique(image.reshape(-1, 3), axis=0)}
    for late in [(0, 114, 178), (213, 94, 0), (0, 158, 115)]:
        early = tuple(round(255 - 0.35 * (255 - part)) for part in late)
        assert late in seen and any(np.abs(np.array(early) - other).max() <= 1 for other in seen)


def test_without_scikit_learn_the_user_is_told_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.manifold", None)
    with pytest.raises(
        HRVError, match='t-SNE plot needs the Python package scikit-learn.*"figures" extra.*pip install'
    ):
        embed(timed(), NAMES, perplexity=5)
