"""Stand-ins for what other packs do to a MODEL: tilers, attention couples, regional blocks, bypasses. Written anew."""

from __future__ import annotations

import math
from typing import Any

import comfy.hooks
import comfy.ldm.modules.attention as host_attention
import comfy.samplers
import torch
from comfy.ldm.modules.attention import BasicTransformerBlock
from comfy.ldm.modules.diffusionmodules.openaimodel import UNetModel


class Tiler:
    """A model function wrapper that cuts the latent into tiles of `tile` and runs `at_once` of them in one call.

    Tiles are stacked tile by tile, every tensor of the call is repeated to the stacked batch (as Tiled Diffusion does).
    """

    def __init__(self, tile: int, at_once: int) -> None:
        self.tile, self.at_once, self.calls = tile, at_once, 0

    def on(self, model: Any) -> Any:
        """A clone of MODEL with this wrapper."""
        tiled = model.clone()
        tiled.set_model_unet_function_wrapper(self)
        return tiled

    def __call__(self, apply_model: Any, given: dict) -> torch.Tensor:
        x, time = given["input"], given["timestep"]
        corners = [(y, x_) for y in range(0, x.shape[-2], self.tile) for x_ in range(0, x.shape[-1], self.tile)]
        whole = torch.zeros_like(x)
        for first in range(0, len(corners), self.at_once):
            part = corners[first : first + self.at_once]
            tiles = torch.cat([x[..., y : y + self.tile, z : z + self.tile] for y, z in part])
            options = {name: self._repeated(value, len(tiles)) for name, value in given["c"].items()}
            out = apply_model(tiles, self._repeated(time, len(tiles)), **options)
            for (y, z), tile in zip(part, out.chunk(len(part)), strict=True):
                whole[..., y : y + self.tile, z : z + self.tile] += tile
            self.calls += 1
        return whole

    def _repeated(self, value: Any, rows: int) -> Any:
        if not isinstance(value, torch.Tensor):
            return value
        return value.repeat(math.ceil(rows / len(value)), *[1] * (value.ndim - 1))[:rows]


def known_keys_only(apply_model: Any, given: dict) -> torch.Tensor:
    """A model function wrapper that hands on only what it knows."""
    known = {name: given["c"][name] for name in ("c_crossattn", "transformer_options") if name in given["c"]}
    return apply_model(given["input"], given["timestep"], **known)


class AttentionCouple:
    """Other prompts for regions, as rows beside each conditional row inside cross-attention.

    conds: contexts [1 tokens channels] beside the base prompt; masks: [1 + conds height width], 1 in sum.
    same_values: returns its keys as values too, and asserts that they were the same before.
    """

    def __init__(self, conds: list[torch.Tensor], masks: torch.Tensor, same_values: bool = False) -> None:
        self.conds, self.masks, self.same_values = conds, masks, same_values

    def on(self, model: Any) -> Any:
        """A clone of MODEL with the couple's patches (PPM, cgem156)."""
        coupled = model.clone()
        coupled.set_model_attn2_patch(self.widen)
        coupled.set_model_attn2_output_patch(self.merge)
        return coupled

    def hooked(self, conditioning: list) -> list:
        """A conditioning whose own rows are coupled, by a hook that travels with it (prompt-control)."""
        hook = comfy.hooks.TransformerOptionsHook(hook_scope=comfy.hooks.EnumHookScope.HookedOnly)
        hook.transformers_dict = {"patches": {"attn2_patch": [self.widen], "attn2_output_patch": [self.merge]}}
        group = comfy.hooks.HookGroup()
        group.add(hook)
        return comfy.hooks.set_hooks_for_conditioning(conditioning, hooks=group)

    def widen(self, n, keys, values, options):
        assert not self.same_values or keys.mean() == values.mean(), "k and v must be the same."
        tokens = math.lcm(keys.shape[1], *(cond.shape[1] for cond in self.conds))
        queries, wide_keys, wide_values = [], [], []
        chunks = options["cond_or_uncond"]
        for kind, *parts in zip(chunks, *(part.chunk(len(chunks)) for part in (n, keys, values)), strict=True):
            beside = (
                [cond.repeat(len(parts[0]), tokens // cond.shape[1], 1) for cond in self.conds] if kind == 0 else []
            )
            queries.append(parts[0].repeat(1 + len(beside), 1, 1))
            for wide, part in ((wide_keys, parts[1]), (wide_values, parts[1] if self.same_values else parts[2])):
                wide.append(torch.cat([part.repeat(1, tokens // part.shape[1], 1), *beside]))
        return torch.cat(queries), torch.cat(wide_keys), torch.cat(wide_values)

    def merge(self, out, options):
        chunks, several = options["cond_or_uncond"], 1 + len(self.conds)
        rows = len(out) // sum(several if kind == 0 else 1 for kind in chunks)
        masks = torch.nn.functional.interpolate(self.masks[None], options["activations_shape"][-2:])[0].flatten(1)
        merged = []
        for kind, part in zip(chunks, out.split([rows * (several if k == 0 else 1) for k in chunks]), strict=True):
            weights = masks[:, None, :, None] if kind == 0 else torch.ones(1, 1, 1, 1)
            merged.append((part.unflatten(0, (-1, rows)) * weights).sum(dim=0))
        return torch.cat(merged)


class OwnKeysAndValues:
    """A cross-attention replacement that projects another prompt for conditional rows (attention-couple)."""

    def __init__(self, module: Any, cond: torch.Tensor) -> None:
        self.module, self.cond = module, cond

    def __call__(self, q, k, v, options):
        out = []
        for kind, *parts in zip(options["cond_or_uncond"], *(part.chunk(2) for part in (q, k, v)), strict=True):
            if kind == 0:
                parts[1:] = [project(self.cond).repeat(len(parts[0]), 1, 1) for project in self.projections]
            out.append(host_attention.optimized_attention(*parts, options["n_heads"]))
        return torch.cat(out)

    @property
    def projections(self):
        return self.module.to_k, self.module.to_v


class RegionalBlock(BasicTransformerBlock):
    """A transformer block that masks its cross-attention, and drops the mask where that is replaced (RES4LYF)."""

    def forward(self, x, context, transformer_options):
        mask = transformer_options.get("AttnMask")
        key = (*transformer_options["block"], transformer_options["block_index"])
        replaced = key in transformer_options.get("patches_replace", {}).get("attn2", {})
        if mask is not None and not replaced:
            context = context[:, mask]
        return super().forward(x, context, transformer_options)


class RegionalUNet(UNetModel):
    """A UNet that runs its rows one by one (RES4LYF)."""

    def _forward(self, x, timesteps, context, y, control, transformer_options):
        rows = zip(x.split(1), timesteps.split(1), context.split(1), strict=True)
        return torch.cat([super(RegionalUNet, self)._forward(*row, y, control, transformer_options) for row in rows])


def with_regional_blocks(model: Any) -> None:
    """Exchange the classes of a UNet and its blocks in place."""
    unet = model.model.diffusion_model
    unet.__class__ = RegionalUNet
    for module in unet.modules():
        if type(module) is BasicTransformerBlock:
            module.__class__ = RegionalBlock


def skipped(x, **_):
    """A transformer block that does nothing, and calls no attention."""
    return x


def own_calc_cond_batch(args: dict) -> list[torch.Tensor]:
    """A sampler_calc_cond_batch_function that calls the model by itself."""
    x, sigma, model = args["input"], args["sigma"], args["model"]
    options = {**args["model_options"]["transformer_options"], "cond_or_uncond": [0], "sigmas": sigma, "uuids": [0]}
    contexts = [group[0]["model_conds"]["c_crossattn"].cond.repeat(len(x), 1, 1) for group in args["conds"]]
    return [model._apply_model(x, sigma, c_crossattn=c, transformer_options=options) for c in contexts]


class OwnGuider(comfy.samplers.CFGGuider):
    """A guider that calls the model by itself."""

    def predict_noise(self, x, timestep, model_options, seed=None):
        conds = [self.conds["positive"], self.conds["negative"]]
        args = {
            "conds": conds,
            "input": x,
            "sigma": timestep,
            "model": self.inner_model,
            "model_options": model_options,
        }
        positive, negative = own_calc_cond_batch(args)
        return negative + (positive - negative) * self.cfg
