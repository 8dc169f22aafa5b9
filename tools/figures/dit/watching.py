"""A Flux-shaped model called directly: every attention call is seen, its text rows are changed for the image alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import astuple, dataclass
from typing import Any

import comfy.sample
import torch
from torch import Tensor

from ....hrv_engine.relevance.samples import Sample
from ....nodes.host.build_effect import columns_of
from ....nodes.host.words import encode
from ..effect.session import latent, pocket, sampling

LEVELS = (2, 4)  # the steps at which latents are kept, of 8
TEXT = 77  # tokens before those of the image
Rows = tuple[Tensor, Tensor]  # keys and values [images heads tokens dim] of the text at a site


@dataclass
class Text:
    """A prompt's context [1 77 channels], the columns of its word, and of all its semantic tokens."""

    context: Tensor
    word: tuple[int, ...]
    end: int

    @property
    def groups(self) -> dict[str, list[int]]:
        """Columns by what they are; the end-of-text tokens fill the rest of the context."""
        rest = [column for column in range(1, self.end) if column not in self.word]
        ends = list(range(self.end, TEXT))
        return {"word": list(self.word), "other words": rest, "begin token": [0], "end tokens": ends}


def text_of(world: str, sample: Sample, without: bool = False) -> Text:
    """A sample's sentence, or the one without its word (whose columns are then those of the first)."""
    clip = pocket(world)[1]
    sentence = sample.without if without else sample.with_word
    tokens = clip.tokenize(sample.with_word)["l"][0]
    ends = [place for place, (token, *_) in enumerate(tokens) if token == tokens[-1][0]]
    return Text(encode(clip, sentence)[0][0], tuple(columns_of(clip, sample)), ends[0])


def latents(world: str, text: str, seed: int) -> list[tuple[Tensor, float]]:
    """Noisy latents [1 48 h w] on the way to an image of a prompt, and their noise levels, at LEVELS."""
    model, clip, _ = pocket(world)
    empty, settings = latent(world), sampling(world, seed)
    start = comfy.sample.fix_empty_latent_channels(model, empty["samples"], empty.get("downscale_ratio_spacial"))
    kept: dict[int, Tensor] = {}
    comfy.sample.sample(
        model, comfy.sample.prepare_noise(start, seed), *astuple(settings)[1:], encode(clip, text), encode(clip, ""),
        start, last_step=LEVELS[-1] + 1, disable_pbar=True, seed=seed,
        callback=lambda step, _denoised, x, _total: kept.update({step: x.clone()}),
    )  # fmt: skip
    return [(kept[step], 1 - step / settings.steps) for step in LEVELS]


def predict(world: str, x: Tensor, level: float, context: Tensor, act: Callable[..., Tensor] | None = None) -> Tensor:
    """The model's prediction float32 for one latent and each context [n 77 channels].

    act(site, query, key, value, proceed): what answers for an attention call, proceed(query, key, value) being the
    host's; tensors are [n heads tokens dim].
    """
    flux: Any = pocket(world)[0].model.diffusion_model
    count = iter(range(10_000))

    def override(attention: Callable, q: Tensor, k: Tensor, v: Tensor, *args: Any, **named: Any) -> Tensor:
        def proceed(*tensors: Tensor) -> Tensor:
            return attention(*tensors, *args, **named)

        site = next(count)
        return proceed(q, k, v) if act is None else act(site, q, k, v, proceed)

    n, dtype = len(context), flux.dtype
    x, times = x.expand(n, -1, -1, -1).to(dtype), torch.full((n,), level, dtype=dtype)
    options = {"optimized_attention_override": override}
    with torch.no_grad():
        return flux(x, times, context.to(dtype), None, None, transformer_options=options).float()


def for_image(change: Callable[[int, Tensor, Tensor], Rows | None]) -> Callable[..., Tensor]:
    """An `act` that changes keys and values for the queries of the image only."""

    def act(site: int, q: Tensor, k: Tensor, v: Tensor, proceed: Callable[..., Tensor]) -> Tensor:
        changed = change(site, k, v)
        if changed is None:
            return proceed(q, k, v)
        return torch.cat([proceed(q[:, :, :TEXT], k, v), proceed(q[:, :, TEXT:], *changed)], dim=1)

    return act
