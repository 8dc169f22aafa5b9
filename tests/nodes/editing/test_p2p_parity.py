"""HRV P2P Edit against Prompt-to-Prompt written down plainly over diffusers' UNet: other code, the same images."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import nodes
from comfyui_hrv.hrv_engine.relevance.concepts import Concept, ConceptSet
from comfyui_hrv.hrv_engine.relevance.relevance import HeadRelevance
from comfyui_hrv.nodes.host.unet import layout_of

from ..diffusers_twin import SHALLOW, diffusers_twin
from ..explicit import relative
from ..tiny import Trio, tiny_trio
from .test_p2p_edit import edited

STEPS, CFG = 10, 5.0
SOURCE, TARGET = "a blue car on a road", "a red car on a road"


class Controller:
    """State of one run: which UNet call this is, and which attention layer in it."""

    def __init__(self, cross_steps: int, self_steps: int, self_tokens: int, factors: dict | None, columns: list[int]):
        self.cross_steps, self.self_steps, self.self_tokens = cross_steps, self_steps, self_tokens
        self.factors, self.columns, self.step = factors, columns, 0

    def edit(self, probabilities: torch.Tensor, name: str, cross: bool) -> torch.Tensor:
        """Probabilities [batch heads queries keys] of [uncond source, uncond target, source, target]."""
        source, target = probabilities[2], probabilities[3]
        if cross and self.step < self.cross_steps:
            edited = source.clone()
            if self.factors is not None:
                for column in self.columns:
                    edited[:, :, column] = target[:, :, column] * self.factors[name][:, None]
            return torch.stack([*probabilities[:3], edited])
        if not cross and self.step < self.self_steps and probabilities.shape[-1] <= self.self_tokens:
            return torch.stack([*probabilities[:3], source])
        return probabilities


class Processor:
    """diffusers' plain attention, its probabilities shown to the controller."""

    def __init__(self, controller: Controller, name: str) -> None:
        self.controller, self.name = controller, name

    def __call__(self, attn, hidden_states, encoder_hidden_states=None, attention_mask=None, **_):
        context = hidden_states if encoder_hidden_states is None else encoder_hidden_states
        query, key, value = attn.to_q(hidden_states), attn.to_k(context), attn.to_v(context)
        query, key, value = (part.unflatten(-1, (attn.heads, -1)).transpose(1, 2) for part in (query, key, value))
        scores = query @ key.transpose(-1, -2) / query.shape[-1] ** 0.5
        probabilities = self.controller.edit(scores.softmax(-1), self.name, encoder_hidden_states is not None)
        output = (probabilities @ value).transpose(1, 2).flatten(2)
        return attn.to_out[1](attn.to_out[0](output))


def places_of(layout) -> dict[str, slice]:
    """diffusers' name of a cross-attention layer -> its heads in HRV order (down, mid, up)."""
    names = [f"down_blocks.{level}.attentions.0" for level in (0, 1)] + ["mid_block.attentions.0"]
    names += [f"up_blocks.{level}.attentions.{number}" for level in (0, 1) for number in (0, 1)]
    full = [f"{name}.transformer_blocks.0.attn2.processor" for name in names]
    return dict(zip(full, [layout.head_range(site.key) for site in layout.sites], strict=True))


def by_hand(trio: Trio, noise: torch.Tensor, controller: Controller) -> torch.Tensor:
    """Clean latents [source, target] after DDIM steps in variance-preserving coordinates with guidance."""
    unet = diffusers_twin(trio.model)
    unet.set_attn_processor({name: Processor(controller, name) for name in unet.attn_processors})
    levels = torch.cumprod(1 - torch.linspace(0.00085**0.5, 0.012**0.5, 1000, dtype=torch.float64) ** 2, 0)
    times = [number * (1000 // STEPS) + 1 for number in range(STEPS)][::-1]
    context = torch.cat([trio.encode(text)[0][0] for text in ("", "", SOURCE, TARGET)]).clone()
    z = noise.double() * (1 - levels[times[0]]).sqrt()  # the host starts from noise times sigma
    for i, time in enumerate(times):
        controller.step = i
        with torch.no_grad():
            eps = unet(torch.cat([z, z]).float(), time, context).sample.double()
        eps = eps[:2] + CFG * (eps[2:] - eps[:2])
        here, there = levels[time], levels[times[i + 1]] if i + 1 < len(times) else levels.new_tensor(1.0)
        clean = (z - (1 - here).sqrt() * eps) / here.sqrt()
        z = there.sqrt() * clean + (1 - there).sqrt() * eps
    return z.float()


@pytest.mark.parametrize("with_hrv", [False, True], ids=["p2p", "p2p-hrv"])
def test_the_final_latents_agree_with_an_independent_implementation(with_hrv):
    with torch.inference_mode():
        trio = tiny_trio(config=SHALLOW)
        layout = layout_of(trio.model)
        values = np.random.default_rng(3).random((1, layout.total)).astype(np.float32) * 2
        hrv = HeadRelevance(values, ConceptSet("one", (Concept("Color", ("red",)),)), layout)
        latent = nodes.EmptyLatentImage().generate(128, 128, 1)[0]
        extra = {"hrv": hrv, "concept": "Color"} if with_hrv else {}
        made = edited(trio, SOURCE, TARGET, latent=latent, cross_replace=0.8, self_replace=0.4, **extra)
        settings = (7, STEPS, CFG, "ddim", "ddim_uniform", made[1], trio.encode(""), made[2])
        ours = nodes.common_ksampler(made[0], *settings)[0]["samples"] * 0.18215
        noise = torch.randn(1, 4, 16, 16, generator=torch.manual_seed(7)).repeat(2, 1, 1, 1)
    factors = {name: torch.from_numpy(values[0, heads]) for name, heads in places_of(layout).items()}
    controller = Controller(8, 4, 64, factors if with_hrv else None, [2])
    theirs = by_hand(trio, noise, controller)
    assert relative(ours, theirs) <= 1e-3
    controller = Controller(0, 0, 0, None, [])
    assert relative(ours[1], by_hand(trio, noise, controller)[1]) > 1e-2
