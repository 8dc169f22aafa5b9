"""Heads switched in random groups: exact for what is linear, unbiased and with a true error for the rest."""

from __future__ import annotations

import numpy as np
import pytest

from comfyui_hrv.hrv_engine.relevance.effect_regression import SWITCH, Switchings


@pytest.mark.parametrize("heads", [1, 2, 3, 7, 8, 15, 128, 200])
def test_the_whole_design_is_orthogonal_and_balanced(heads):
    switchings = Switchings.of(heads, 0, (1, 2))
    signs = switchings.signs.astype(np.float64)
    assert switchings.whole and len(signs) > heads
    assert np.array_equal(signs.T @ signs, len(signs) * np.eye(heads)) and not signs.sum(axis=0).any()


def test_a_linear_effect_is_found_exactly_without_error():
    effects = np.random.default_rng(0).normal(size=50)
    switchings = Switchings.of(50, 0, (0,))
    found, squares = switchings.estimate(switchings.signs.astype(np.float64) @ effects)
    assert found == pytest.approx(effects, abs=1e-12) and squares.max() < 1e-20


def test_a_part_of_the_design_is_unbiased_and_knows_its_error():
    effects, heads = np.random.default_rng(1).normal(size=60), 60
    estimates, squares = [], []
    for seed in range(300):
        switchings = Switchings.of(heads, 24, (seed, 5))
        assert not switchings.whole and len(switchings.signs) == 24
        found, square = switchings.estimate(switchings.signs.astype(np.float64) @ effects)
        estimates.append(found)
        squares.append(square)
    spread = np.var(estimates, axis=0).mean()
    assert np.abs(np.mean(estimates, axis=0) - effects).max() < 5 * np.sqrt(spread / 300)
    assert np.mean(squares) == pytest.approx(spread, rel=0.25)


def test_opposite_pairs_cancel_what_is_even():
    generator = np.random.default_rng(2)
    slope, bend = generator.normal(size=20), generator.normal(size=(20, 20))

    def f(r: np.ndarray) -> np.ndarray:
        return (r - 1) @ slope + np.einsum("ki,ij,kj->k", r - 1, bend, r - 1)

    switchings = Switchings.of(20, 0, (3,))
    signs = SWITCH * switchings.signs.astype(np.float64)
    found, _ = switchings.estimate((f(1 + signs) - f(1 - signs)) / (2 * SWITCH))
    assert found == pytest.approx(slope, abs=1e-9)


def test_the_same_key_gives_the_same_switchings_and_another_gives_others():
    assert np.array_equal(Switchings.of(30, 8, (1, 2)).signs, Switchings.of(30, 8, (1, 2)).signs)
    assert not np.array_equal(Switchings.of(30, 8, (1, 2)).signs, Switchings.of(30, 8, (1, 3)).signs)
