"""What prompt weights do to the pocket model's images, and which limit keeps them whole.

For each weight, and for two ways to limit a large one: how often the word is read, how certain the scorer is of any
object, and how much of the image leaves the range of pixels. And how large what a weight of 2 adds to a head's output
is beside the output without it.
"""

from __future__ import annotations

import json
from collections import defaultdict
from typing import Any

import numpy as np
import torch

from ...hrv_engine.pocket.diffusion import PATCH
from ...hrv_engine.pocket.scorer import readable
from ...hrv_engine.relevance.rescale import HeadScale
from ...nodes.host import steering
from ...nodes.host.conditioning import with_scale
from ...nodes.host.steering import ValueScaling, steered
from ...nodes.host.unet import layout_of
from ...nodes.host.words import encode
from ...nodes.prompt import HRVPrompt
from ..pack import ROOT
from . import session

SMALL = "a small red and striped square in the forest at night"
CASES = [
    ("a red square", "red"), ("a striped circle", "striped"), ("a wooden square", "wooden"), ("a blue apple", "blue"),
    ("a green triangle on the left", "left"), (SMALL, "striped"), (SMALL, "forest"), ("an orange square", "orange"),
]  # fmt: skip
WEIGHTS = (1, 1.5, 2, 3, 4, 5, 9, 0, -1, -2, -3)
BOUNDS, LARGE = (0.5, 1, 2), (9.0, -9.0)  # of what is added, measured by head, at these weights
IMAGES, OUTSIDE = 8, 1.05
Added = dict[tuple[Any, ...], list[tuple[torch.Tensor, float]]]
OUTPUT = ROOT / "output" / "prompt_weights.json"


def draw(text: str, word: str, factors: np.ndarray) -> dict[str, float]:
    """The mean readings of a prompt's images with the word's columns times factors [heads]."""
    model, clip, vae = session.pocket()
    scale = HeadScale((), factors.astype(np.float32))
    positive = with_scale(HRVPrompt.execute(clip, text).args[0], lambda table: table.columns_of(word), scale)
    latents = session.draw(steered(model), positive, encode(clip, ""), 1, IMAGES)
    seen = session.scorer().network(vae.decode(latents).movedim(-1, 1))
    family, number = readable(word)
    pixels = torch.nn.functional.pixel_shuffle(latents, PATCH)
    return {
        "word": float(seen[family][:, number].mean()),
        "object": float(seen["object"].amax(1).mean()),
        "outside": float((pixels.abs() > OUTSIDE).float().mean()),
    }


class Measured(ValueScaling):
    """Notes how large what is added is beside the output without it: by head over all queries, and at most."""

    added: Added = defaultdict(list)

    def __call__(self, call: Any) -> torch.Tensor:
        plain, scaled = call.proceed(), super().__call__(call)
        rows = [row for number in self.plans for row in call.batch.rows(number)]
        by_head = [part[rows].unflatten(-1, (call.site.heads, -1)).norm(dim=-1) for part in (scaled - plain, plain)]
        change, size = by_head
        root = (change.square().mean((0, 1)) / size.square().mean((0, 1))).sqrt()
        self.added[call.site.key].append((root, float((change / size).max())))
        return scaled


def added_at_two(text: str, word: str) -> tuple[np.ndarray, float]:
    """Of a weight of 2: what is added by head, as a share of the output over all queries [heads]; the most at one."""
    layout, usual = layout_of(session.pocket()[0]), steering.ValueScaling
    Measured.added.clear()
    steering.ValueScaling = Measured  # type: ignore[misc]
    try:
        draw(text, word, np.full(layout.total, 2.0))
    finally:
        steering.ValueScaling = usual  # type: ignore[misc]
    notes = [Measured.added[site.key] for site in layout.sites]
    shares = [torch.stack([share for share, _ in steps]).mean(0).numpy() for steps in notes]
    return np.concatenate(shares), max(most for steps in notes for _, most in steps)


def main() -> None:
    """Measure, print as it goes, write the file."""
    torch.set_num_threads(1)
    rows: list[dict[str, Any]] = []
    with torch.inference_mode():
        heads = layout_of(session.pocket()[0]).total
        measured = [added_at_two(*case) for case in CASES]

        def row(kind: str, weight: float, bound: float, factors: list[np.ndarray]) -> None:
            readings = [draw(*case, r) for case, r in zip(CASES, factors, strict=True)]
            means = {name: round(float(np.mean([one[name] for one in readings])), 4) for name in readings[0]}
            rows.append({"kind": kind, "weight": weight, "bound": bound, **means})
            print(rows[-1], flush=True)

        for weight in WEIGHTS:
            row("factor", weight, abs(weight - 1), [np.full(heads, float(weight))] * len(CASES))
        for weight in LARGE:
            for bound in BOUNDS:
                limits = [bound / np.maximum(share, 0.01) for share, _ in measured]
                row("by head", weight, bound, [1 + np.clip(weight - 1, -limit, limit) for limit in limits])
    shares = np.concatenate([share for share, _ in measured])
    added = {f"{percent} %": round(float(np.percentile(shares, percent)), 3) for percent in (10, 50, 90, 100)}
    added["one query"] = round(max(most for _, most in measured), 2)
    OUTPUT.parent.mkdir(exist_ok=True)
    OUTPUT.write_text(json.dumps({"added at weight 2": added, "rows": rows}, indent=1) + "\n", encoding="utf-8")
    print(added)
