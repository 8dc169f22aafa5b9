"""Trains the pocket model from nothing: ``python -m hrv_engine.pocket.training --minutes 180``.

Plain conditional diffusion on rendered scenes; no term of the loss knows of attention heads or of Head Relevance
Vectors. Two single-threaded processes average their gradients (on two cores faster than one process with two threads).
Everything needed to go on is in the checkpoint, written every few minutes; started again, it continues there.
(torch.compile and bfloat16 were measured and give nothing at this size.)
"""

from __future__ import annotations

import argparse
import copy
import io
import random
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch import Tensor

from ..storage.atomic import replace_file
from .captions import draw_caption
from .diffusion import STEPS, alphas_cumprod, to_latent
from .model import SHIPPED, PocketModel
from .render import render
from .text import Vocabulary


@dataclass(frozen=True)
class Recipe:
    """The training settings, with the reason where it is not the usual one."""

    batch: int = 48  # per process
    pictures_per_caption: int = 2  # the text, and its keys and values, are computed once per caption
    learning_rate: float = 1.5e-3
    warmup: int = 150
    decay_share: float = 0.25  # the learning rate falls linearly to zero over this last share of the budget
    empty_captions: float = 0.1  # for classifier-free guidance
    # Share of captions whose end-of-text tokens get the empty caption's outputs: meaning must then sit in the words
    # themselves, as it largely does in big models, and not in sixty copies of a summary.
    summary_dropout: float = 0.4
    time_power: float = 0.7  # t = 1000 u^0.7: more of the high noise levels, where it is decided what a picture shows
    weight_limit: float = 5.0  # loss weight 1 / (1 − ᾱ), at most this
    ema: float = 0.999


def _conditioning(model: PocketModel, captions: list[str], recipe: Recipe, rng: random.Random) -> Tensor:
    """Conditioning [n, 77, width] of the captions after summary dropout."""
    encoded = [model.vocabulary.encode(caption) for caption in [*captions, ""]]
    hidden = model.text(torch.tensor([rows for rows, _ in encoded]))
    first_end = torch.tensor([end if rng.random() < recipe.summary_dropout else 77 for _, end in encoded[:-1]])
    is_summary = torch.arange(77)[None, :] >= first_end[:, None]
    return torch.where(is_summary[:, :, None], hidden[-1:], hidden[:-1])


def _loss(model: PocketModel, recipe: Recipe, rng: random.Random, progress: float) -> Tensor:
    """Weighted x0 error of one batch."""
    repeats = recipe.pictures_per_caption
    drawn = [draw_caption(rng, progress) for _ in range(recipe.batch // repeats)]
    pictures = [caption.picture(rng) for caption in drawn for _ in range(repeats)]
    texts = ["" if rng.random() < recipe.empty_captions else caption.text for caption in drawn]
    clean = to_latent(render(pictures, rng.getrandbits(40)))
    share = (torch.randperm(recipe.batch) + torch.rand(recipe.batch)) / recipe.batch
    times = (STEPS * share**recipe.time_power).long().clamp(0, STEPS - 1)
    alpha = alphas_cumprod()[times][:, None, None, None]
    noisy = alpha.sqrt() * clean + (1 - alpha).sqrt() * torch.randn_like(clean)
    predicted = model.unet(noisy, times, _conditioning(model, texts, recipe, rng), repeats)
    return ((predicted - clean) ** 2 * (1 / (1 - alpha)).clamp(max=recipe.weight_limit)).mean()


def _average_gradients(parameters: list[Tensor], limit: float = 1.0) -> float:
    """Averages gradients over the processes and clips their norm; returns the norm before clipping."""
    flat = torch.cat([p.grad.flatten() for p in parameters])
    dist.all_reduce(flat)
    flat /= dist.get_world_size()
    norm = flat.norm().item()
    flat *= min(1.0, limit / (norm + 1e-6))
    start = 0
    for p in parameters:
        p.grad.copy_(flat[start : start + p.numel()].view_as(p))
        start += p.numel()
    return norm


def _write(path: Path, content: dict[str, object]) -> None:
    stored = io.BytesIO()
    torch.save(content, stored)
    replace_file(path, stored.getvalue())


def _train(rank: int, args: argparse.Namespace, recipe: Recipe, meeting_point: str) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{meeting_point}", rank=rank, world_size=args.workers)
    torch.manual_seed(args.seed)
    model = PocketModel(Vocabulary.load(SHIPPED / "vocabulary.json"))
    average = copy.deepcopy(model)
    parameters = list(model.parameters())
    groups = [
        {"params": [p for p in parameters if p.ndim >= 2], "weight_decay": 0.01},
        {"params": [p for p in parameters if p.ndim < 2], "weight_decay": 0.0},
    ]
    optimiser = torch.optim.AdamW(groups, lr=recipe.learning_rate, betas=(0.9, 0.99), fused=True)
    folder = Path(args.out)
    checkpoint, step, seen, spent = folder / "checkpoint.pt", 0, 0, 0.0
    if checkpoint.exists() and not args.restart:
        state = torch.load(checkpoint, map_location="cpu", weights_only=True)
        model.load_state_dict(state["model"])
        average.load_state_dict(state["average"])
        optimiser.load_state_dict(state["optimiser"])
        step, seen, spent = state["step"], state["seen"], state["seconds"]
        del state
    rng = random.Random(f"{args.seed}/{rank}/{step}")
    torch.manual_seed(rng.getrandbits(40))
    budget, started, saved, smooth = args.minutes * 60, time.monotonic() - spent, spent, None
    log = (folder / "training.log").open("a", encoding="utf-8") if rank == 0 else None
    while True:
        elapsed = torch.tensor([time.monotonic() - started])
        dist.broadcast(elapsed, 0)
        now = elapsed.item()
        progress = min(1.0, now / budget)
        rate = recipe.learning_rate * min(1.0, (step + 1) / recipe.warmup, (1 - progress) / recipe.decay_share)
        for group in optimiser.param_groups:
            group["lr"] = rate
        loss = _loss(model, recipe, rng, progress)
        loss.backward()
        norm = _average_gradients(parameters)
        optimiser.step()
        optimiser.zero_grad(set_to_none=False)
        step += 1
        seen += recipe.batch * args.workers
        if log is not None:
            keep = min(recipe.ema, (1 + step) / (12 + step))
            with torch.no_grad():
                torch._foreach_lerp_(list(average.parameters()), parameters, 1 - keep)
            smooth = loss.item() if smooth is None else 0.98 * smooth + 0.02 * loss.item()
            if step % 50 == 0 or step == 5:
                pace = f"{step} steps {seen} seen {now:.0f} s {seen / now:.0f}/s"
                log.write(f"{pace} loss {smooth:.4f} grad {norm:.2f} lr {rate:.1e}\n")
                log.flush()
            if now - saved > args.save_every or progress >= 1:
                state = {
                    "model": model.state_dict(),
                    "average": average.state_dict(),
                    "optimiser": optimiser.state_dict(),
                }
                _write(checkpoint, {**state, "step": step, "seen": seen, "seconds": now})
                average.save(folder / "pocket.safetensors", seen=str(seen))
                saved = now
        if progress >= 1:
            break
    dist.destroy_process_group()


def main() -> None:
    """Command line of the trainer."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=180, help="total budget, time before an interruption included")
    parser.add_argument("--out", default="~/.cache/comfyui-hrv/train", help="folder of checkpoint, log and weights")
    parser.add_argument("--workers", type=int, default=2, help="single-threaded processes")
    parser.add_argument("--save-every", type=float, default=180, help="seconds between checkpoints")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--restart", action="store_true", help="ignore the checkpoint in --out and begin anew")
    args = parser.parse_args()
    args.out = str(Path(args.out).expanduser())
    Path(args.out).mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        mp.spawn(_train, (args, Recipe(), str(Path(folder) / "meeting-point")), nprocs=args.workers)


if __name__ == "__main__":
    main()
