"""The step rule: sizes, thresholds, caps, and the order of evaluations and moves of the original loop."""

from __future__ import annotations

import pytest
import torch

from hrv_engine.errors import HRVError
from hrv_engine.guidance.descent import REFINEMENT, Schedule, descend, parse_thresholds

PUBLISHED = Schedule(25, thresholds=parse_thresholds(REFINEMENT))


def bowl(latent: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """A loss in [0, 1) of each image that falls smoothly to 0, and its gradient."""
    x = latent.clone().requires_grad_(True)
    loss = 1 - torch.exp(-x.flatten(1).square().mean(1) / 50)
    (gradient,) = torch.autograd.grad(loss.sum(), x)
    return loss.detach(), gradient


def original_loop(latent: torch.Tensor, schedule: Schedule, step: int, total: int) -> tuple[torch.Tensor, list[float]]:
    """The published algorithm for one image, its needless evaluations included; the losses that led to a move."""
    size, moved = schedule.step_size(step, total), []
    loss, gradient = bowl(latent)
    thresholds = dict(schedule.thresholds)
    if step in thresholds and loss > 1 - thresholds[step]:
        count = 0
        while loss > 1 - thresholds[step]:
            count += 1
            loss, gradient = bowl(latent)
            if loss != 0:
                latent = latent - size * gradient
                moved.append(float(loss))
            if count >= schedule.rounds:
                break
        loss, gradient = bowl(latent)
    if step < schedule.steps and loss != 0:
        latent = latent - size * gradient
        moved.append(float(loss))
    return latent, moved


def start(images: int = 1) -> torch.Tensor:
    scale = torch.tensor([12.0, 5.0, 30.0])[:images].view(-1, 1, 1, 1)
    return torch.randn(images, 4, 4, 4, generator=torch.Generator().manual_seed(0)) * scale


@pytest.mark.parametrize("step", [0, 3, 10, 20, 24, 25, 30])
def test_every_step_moves_the_latent_as_the_original_loop_does(step):
    expected, moved = original_loop(start(), PUBLISHED, step, 50)
    latent = start()
    losses = descend(latent, bowl, PUBLISHED, step, 50, lambda _: None) if PUBLISHED.acts(step) else []
    assert torch.allclose(latent, expected, atol=1e-5)
    assert [float(loss) for loss in losses] == pytest.approx(moved, abs=1e-6)


def test_refinement_ends_one_move_after_the_loss_is_low_enough_or_at_the_cap():
    schedule = Schedule(25, size=1000, thresholds=((0, 0.5),), rounds=20)
    losses = [float(loss) for loss in descend(start(), bowl, schedule, 0, 50, lambda _: None)]
    assert losses[-2] <= 0.5 < losses[-3] and len(losses) < 20
    capped = descend(start(), bowl, Schedule(25, size=1e-3, thresholds=((0, 0.9),), rounds=4), 0, 50, lambda _: None)
    assert len(capped) == 1 + 4


def test_every_image_has_its_own_loss_and_its_own_stop():
    schedule = Schedule(25, size=1000, thresholds=((0, 0.5),))
    together = start(3)
    descend(together, bowl, schedule, 0, 50, lambda _: None)
    for number in range(3):
        alone = start(3)[number : number + 1]
        descend(alone, bowl, schedule, 0, 50, lambda _: None)
        assert torch.equal(together[number : number + 1], alone)


def test_a_loss_of_zero_moves_nothing():
    latent = start()
    before = latent.clone()
    descend(latent, lambda x: (torch.zeros(1), torch.ones_like(x)), PUBLISHED, 1, 50, lambda _: None)
    assert torch.equal(latent, before)


def test_the_published_step_sizes_fall_from_20_to_14():
    sizes = [PUBLISHED.step_size(step, 51) for step in range(51)]
    assert (
        sizes[0] == 20 and sizes[25] == pytest.approx(17.32, abs=0.01) and sizes[-1] == pytest.approx(14.14, abs=0.01)
    )
    line = torch.linspace(1.0, 0.5, 51, dtype=torch.float64)
    assert sizes == pytest.approx((20 * line.sqrt()).tolist())
    assert Schedule(25, last=1.0).step_size(24, 50) == 20
    assert PUBLISHED.step_size(0, 1) == 20


def test_a_schedule_acts_on_its_first_steps_and_where_it_refines():
    assert [step for step in range(50) if Schedule(3, thresholds=((7, 0.5),)).acts(step)] == [0, 1, 2, 7]
    assert (
        Schedule(0).neutral and Schedule(25, size=0).neutral and Schedule(0, thresholds=((0, 0.5),), rounds=0).neutral
    )
    assert not Schedule(0, thresholds=((0, 0.5),)).neutral and not PUBLISHED.neutral


def test_progress_is_told_before_every_evaluation():
    seen: list[int] = []
    losses = descend(start(), bowl, Schedule(25, thresholds=((0, 0.9),), rounds=3), 0, 50, seen.append)
    assert seen == [0, 1, 2, 3] and len(losses) == 4


def test_thresholds_are_read_and_bad_ones_refused_with_the_syntax():
    assert parse_thresholds("20: .8,0:.05 , 10:.5") == ((0, 0.05), (10, 0.5), (20, 0.8))
    assert parse_thresholds("  ") == ()
    for text in ("0", "0:2", "-1:.5", "ten:.5", "0:.5;10:.5"):
        with pytest.raises(HRVError, match="step:value"):
            parse_thresholds(text)
