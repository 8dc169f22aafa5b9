"""Attention written out in float64, with a word's columns scaled for the image's queries: what families must equal."""

from __future__ import annotations

import math
import sys
from functools import partial
from typing import Any
from unittest.mock import patch

import torch

from .tiny_models import Tiny


class Explicit:
    """An override as another node would install it, which knows a tiny model by numbers alone, not by our families.

    context: the annotated prompt; its rows are those of the model call whose context begins or ends with it.
    """

    def __init__(self, tiny: Tiny, context: torch.Tensor, columns: tuple[int, ...], factors: torch.Tensor) -> None:
        self.tiny, self.context, self.columns, self.factors = tiny, context, columns, factors
        self.rows: list[int] = []
        self.site = self.untouched = 0

    def on(self, model: Any) -> Any:
        """A clone of MODEL with this attention."""
        clone = model.clone()
        self.own = self.tiny.prepared(model.model.diffusion_model, self.context)[:, : self.context.shape[1]]
        clone.set_model_unet_function_wrapper(self.call)
        clone.model_options["transformer_options"]["optimized_attention_override"] = self.attend
        return clone

    def call(self, function: Any, given: dict) -> torch.Tensor:
        """Note which rows of a model call are the prompt's, and how long its text is."""
        text = given["c"]["c_crossattn"]
        tokens = self.context.shape[1]
        start, self.text = self.tiny.padded(tokens)
        own = text[:, start : start + tokens]
        here = text.shape[1] == self.text
        self.rows = [row for row in range(len(text)) if here and torch.equal(own[row], self.own[0])]
        self.text, self.site = self.tiny.inside(text.shape[1]), 0
        return self.run(function, given, **given["c"])

    def run(self, function: Any, given: dict, **inputs: Any) -> torch.Tensor:
        """The model itself, its attention asked in any case."""
        if not self.tiny.optionless:
            return function(given["input"], given["timestep"], **inputs)
        home = sys.modules[self.tiny.optionless]
        with patch.object(home, "optimized_attention", partial(self.attend, home.optimized_attention)):
            return function(given["input"], given["timestep"], **inputs)

    def is_site(self, queries: int, keys: int) -> bool:
        tiny = self.tiny
        if not tiny.joint:
            return queries == tiny.image and keys == self.text
        return queries == keys == tiny.first + self.text + tiny.between + tiny.image + tiny.pads

    def places(self) -> tuple[int, slice]:
        """Which key is the prompt's first, and which queries are the image's."""
        tiny = self.tiny
        start, _ = tiny.padded(self.context.shape[1])
        if not tiny.joint:
            return start, slice(None)
        if tiny.image_first:
            return tiny.image + tiny.between + start, slice(0, tiny.image)
        image = tiny.first + self.text + tiny.between
        return tiny.first + start, slice(image, image + tiny.image)

    def attend(self, function: Any, query: Any, key: Any, value: Any, heads: int, *more: Any, **named: Any) -> Any:
        split = named.get("skip_reshape", False)
        queries, keys = (tensor.shape[2 if split else 1] for tensor in (query, key))
        if not self.is_site(queries, keys):
            self.untouched += 1
            return function(query, key, value, heads, *more, **named)
        factors = self.factors[self.site]
        self.site += 1
        if not self.rows:
            return function(query, key, value, heads, *more, **named)
        query, key, value = (part.double() if split else halves(part, heads) for part in (query, key, value))
        key, value = (part.repeat_interleave(query.shape[1] // part.shape[1], 1) for part in (key, value))
        scores = query @ key.transpose(-1, -2) * query.shape[-1] ** -0.5
        maps = (scores if (mask := (more[0] if more else named.get("mask"))) is None else masked(scores, mask)).softmax(
            -1
        )
        before, image = self.places()
        scaled = maps.clone()
        for row in self.rows:
            for column in self.columns:
                scaled[row, :, image, before + column] *= factors.double()[:, None]
        output = (scaled @ value).to(torch.float32)
        return output if named.get("skip_output_reshape") else output.transpose(1, 2).flatten(2)


def halves(part: torch.Tensor, heads: int) -> torch.Tensor:
    """[batch n heads*dim] or [batch n heads dim] -> float64 [batch heads n dim]."""
    return part.double().flatten(2).unflatten(-1, (heads, -1)).transpose(1, 2)


def masked(scores: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Scores [batch heads queries keys] under a mask of the host's kind."""
    mask = mask[None, None] if mask.ndim == 2 else mask[:, None] if mask.ndim == 3 else mask
    return scores.masked_fill(~mask, -math.inf) if mask.dtype == torch.bool else scores + mask.double()
