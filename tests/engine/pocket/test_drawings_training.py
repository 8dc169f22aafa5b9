"""The drawings' trainer, dry: a tiny network on the CPU that learns, is resumed and comes back in parts."""

from __future__ import annotations

import os
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch

from hrv_engine.pocket.drawings import batches
from hrv_engine.pocket.drawings import training as training_module
from hrv_engine.pocket.drawings.batches import Batch, Batches, draw_batch
from hrv_engine.pocket.drawings.training import (
    WEIGHTS,
    DrawingsTrainer,
    Recipe,
    conditioning,
    model_to_train,
    ship,
)
from hrv_engine.pocket.model import MODELS, PocketModel
from hrv_engine.pocket.network import UNetConfig
from hrv_engine.pocket.parts import joined, split
from hrv_engine.pocket.text import TextConfig

TINY = Recipe(
    batch=4,
    warmup=1,
    learning_rate=3e-3,
    fresh=True,
    unet=UNetConfig(48, 32, (1, 1), (1, 1), (0, 1), 1, context_dim=16, num_heads=2),
    text=TextConfig(width=16, heads=2, layers=1),
)


@pytest.fixture(scope="module")
def words() -> dict[str, list[int]]:
    return PocketModel.load(MODELS["drawings"]).vocabulary.words


def trainer(folder: Path) -> DrawingsTrainer:
    model = model_to_train(TINY)
    drawn = Batches(model.vocabulary, TINY.seed, TINY.batch, TINY.empty_captions)
    return DrawingsTrainer(folder, TINY, torch.device("cpu"), drawn, model)


class OneBatch:
    """The same batch for every step."""

    def __init__(self, batch: Batch) -> None:
        self.batch = batch

    def take(self, number: int, progress: float) -> Batch:
        return self.batch


def test_the_loss_is_finite_and_falls_on_one_batch(tmp_path):
    training = trainer(tmp_path)
    training.batches = OneBatch(training.batches.take(0, 0.5))
    losses = torch.stack([training.step(0.3) for _ in range(16)])
    assert losses.isfinite().all()
    assert losses[-4:].mean() < 0.8 * losses[:3].mean()
    assert not torch.equal(training.average.unet.out[2].weight, training.network.unet.out[2].weight)


def test_a_run_that_was_interrupted_ends_with_the_very_weights_of_one_that_was_not(tmp_path):
    whole = trainer(tmp_path / "whole")
    for _ in range(2):
        whole.step(0.4)
    first = trainer(tmp_path / "parts")
    first.step(0.4)
    first.save()
    second = trainer(tmp_path / "parts")
    assert (second.progress.step, second.progress.seen) == (1, 4)
    second.step(0.4)
    for kind in ("network", "average"):
        ours, theirs = (getattr(training, kind).state_dict() for training in (second, whole))
        assert all(torch.equal(ours[name], theirs[name]) for name in theirs), kind


def test_a_run_that_is_stopped_is_saved_and_goes_on(tmp_path, monkeypatch):
    training = trainer(tmp_path)
    steps = iter((training.step, training.step, lambda share: os.kill(os.getpid(), signal.SIGTERM)))
    monkeypatch.setattr(training, "step", lambda share: next(steps)(share))
    with pytest.raises(KeyboardInterrupt):
        training.run(1000)
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    assert trainer(tmp_path).progress.step == 2


def test_a_compiler_that_fails_or_takes_too_long_costs_no_step(tmp_path, monkeypatch):
    for error in (RuntimeError("no compiler"), training_module.TooLong("too long")):
        training = trainer(tmp_path / type(error).__name__)

        def fail(module, error=error, **_):
            monkeypatch.setattr(module, "_compiled_call_impl", lambda *args, **kwargs: (_ for _ in ()).throw(error))

        monkeypatch.setattr(torch.nn.Module, "compile", fail)
        training.try_compiled()
        taken = training.progress.step
        assert taken == training_module.TIMED + training_module.WARM and training.progress.seconds > 0
        training.step(0.5)
        assert training.progress.step == taken + 1


def test_a_run_without_a_checkpoint_goes_on_from_the_weights_that_ship():
    shipped = PocketModel.load(MODELS["drawings"]).state_dict()
    started = model_to_train(Recipe()).state_dict()
    assert all(torch.equal(started[name], shipped[name]) for name in shipped)
    full = Recipe()
    assert PocketModel.load(MODELS["drawings"]).unet.config == full.unet, "from nothing it would be another network"


def test_weights_come_back_in_parts_and_ship_in_eight_bits(tmp_path, monkeypatch):
    training = trainer(tmp_path)
    training.save()
    written = split(tmp_path / WEIGHTS, limit=100_000)
    assert len(written) > 3 and all(part.stat().st_size <= 100_000 for part in written)
    assert joined(tmp_path / WEIGHTS) == (tmp_path / WEIGHTS).read_bytes()
    (tmp_path / WEIGHTS).unlink()
    sent = ship(tmp_path, tmp_path / "unet.safetensors")
    back = PocketModel.load(tmp_path / "unet.safetensors")
    assert back.side == 64 and back.vocabulary.words == sent.vocabulary.words
    for name, value in back.state_dict().items():
        step = training.average.state_dict()[name].abs().max() / 127
        torch.testing.assert_close(
            value, training.average.state_dict()[name], rtol=1e-3, atol=0.51 * step.item() + 1e-4
        )
    written[1].unlink()
    with pytest.raises(FileNotFoundError, match=r"safetensors\.001 of .* is missing"):
        joined(tmp_path / WEIGHTS)


def test_dropped_summaries_are_those_of_the_empty_caption(words):
    model = model_to_train(TINY)
    (rows, end), (empty, _) = (model.vocabulary.encode(text) for text in ("a red cat", ""))
    both, ends = torch.tensor([rows, rows]), torch.tensor([end, end])
    kept, dropped = conditioning(model, both, ends, torch.tensor([False, True]))
    plain, nothing = model.text(torch.tensor([rows, empty]))
    torch.testing.assert_close(kept, plain)
    torch.testing.assert_close(dropped[:end], plain[:end])
    torch.testing.assert_close(dropped[end:], nothing[end:])


def test_batches_drawn_ahead_by_others_are_those_drawn_when_asked(words, monkeypatch):
    model = model_to_train(TINY)
    monkeypatch.setattr(batches, "_vocabulary", [model.vocabulary])
    alone = Batches(model.vocabulary, 5, 3, 0.1)
    with ThreadPoolExecutor(2) as pool:
        ahead = Batches(model.vocabulary, 5, 3, 0.1, pool, ahead=3)
        for number in (7, 8, 9, 12):  # a resumed run begins later, and may leap
            ours, theirs = ahead.take(number, 1.0), alone.take(number, 1.0)
            assert torch.equal(ours.rows, theirs.rows) and torch.equal(ours.scenes.drawing, theirs.scenes.drawing)
            assert torch.equal(ours.scenes.x, theirs.scenes.x)


def test_a_share_of_the_captions_is_empty(words):
    vocabulary = model_to_train(TINY).vocabulary
    drawn = draw_batch(vocabulary, "chance", 300, 1.0, 0.1)
    assert 15 <= (drawn.ends == 1).sum() <= 48 and drawn.rows.shape == (300, 77) and len(drawn.scenes) == 300
