"""Convergence of votes: what is summed, what it is compared with, and that more votes agree better."""

import numpy as np
import pytest

from hrv_engine.inspection.convergence import DetailedVotes, agreement, convergence, spread_steps


def simulated(images=64, steps=10, draws=2, concepts=3, heads=8, seed=0) -> tuple[DetailedVotes, np.ndarray]:
    """Votes drawn from a known preference of each head, and that preference [concepts heads]."""
    random = np.random.default_rng(seed)
    preference = random.dirichlet([0.4] * concepts, heads)  # [heads concepts]
    choice = np.stack(
        [random.choice(concepts, (draws, images, steps), p=preference[head]) for head in range(heads)], axis=-1
    )
    one_hot = (choice[..., None, :] == np.arange(concepts)[:, None]).astype(np.int8)
    return DetailedVotes(one_hot), preference.T


def test_a_setting_sums_its_own_images_steps_and_draws_only():
    votes, _ = simulated()
    expected = votes.counts[:1, :5][:, :, [2, 7]].sum((0, 1, 2))
    np.testing.assert_array_equal(votes.summed(slice(5), [2, 7], 1), expected)
    assert votes.summed(slice(None)).sum() == 64 * 10 * 2 * 8


def test_agreement_weights_concepts_by_the_votes_of_the_reference():
    votes, reference = np.array([[1, 0], [0, 5]]), np.array([[3, 0], [1, 0]])
    mean, rows = agreement(votes, reference)
    assert rows.tolist() == [1, 0] and mean == pytest.approx(0.75)
    assert agreement(np.zeros((2, 2)), reference)[0] == 0


def test_more_images_agree_better_with_images_they_never_saw():
    votes, _ = simulated(images=400)
    by_images = [row for row in convergence(votes) if row["vary"] == "images"]
    assert [row["images"] for row in by_images] == [1, 2, 4, 8, 16, 32, 64, 128, 200]
    cosines = [row["cosine"] for row in by_images]
    assert cosines[0] < cosines[3] < cosines[-1] and cosines[-1] > 0.99
    assert by_images[2]["unet_calls"] == 4 * 10
    others = [(row["vary"], row["value"], row["images"], row["draws"]) for row in convergence(votes)[-3:]]
    assert others == [("timesteps", 8, 200, 2), ("draws", 1, 16, 1), ("draws", 2, 16, 2)]


def test_the_second_half_is_never_drawn_from():
    votes, _ = simulated(images=8)
    altered = DetailedVotes(votes.counts.copy())
    altered.counts[:, 4:] = np.roll(altered.counts[:, 4:], 1, axis=-1)
    for before, after in zip(convergence(votes), convergence(altered), strict=True):
        assert before["images"] <= 4
        kept = votes.summed(slice(before["images"]), spread_steps(10, before["steps"]), before["draws"])
        assert after["cosine"] == pytest.approx(agreement(kept, altered.summed(slice(4, None)))[0])


@pytest.mark.parametrize("steps, kept, expected", [(20, 1, [10]), (20, 2, [5, 15]), (20, 20, list(range(20)))])
def test_kept_steps_are_spread_evenly(steps, kept, expected):
    assert spread_steps(steps, kept) == expected
