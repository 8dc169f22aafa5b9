"""`python -m tools.bench memory`: bytes that live at once in steps of a full-size SDXL at 1024x1024 in half precision.

Counted on meta tensors, operation by operation, with the code that runs on a card and attention as a fused kernel
keeps it. Not counted: a driver's own memory, libraries' workspaces, gaps of the allocator. The weights are those of the
UNet; ComfyUI moves the text encoders out before sampling and the VAE in after it.
"""

from __future__ import annotations

import argparse
import gc
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import comfy.ldm.modules.attention as host_attention
import comfy.model_patcher
import comfy.samplers
import comfy.sd
import comfy.sdxl_clip
import comfy.supported_models
import comfy.supported_models_base
import torch

import nodes
from comfyui_hrv.nodes.editing.p2p_edit import HRVP2PEdit
from comfyui_hrv.nodes.guidance.attend_excite import HRVAttendExcite
from comfyui_hrv.nodes.host.conditioning import KEY
from comfyui_hrv.nodes.host.gradients import loss_and_gradient
from comfyui_hrv.nodes.prompt import HRVPrompt
from comfyui_hrv.tools.random_checkpoint import SDXL_UNET

from .edits import SETTINGS, SOURCE, TARGET
from .full_size import random_vectors
from .guided import CONCEPT, TEXT, WORDS
from .live_bytes import LiveBytes, fused_attention

OUTPUT = Path(__file__).parents[2] / "output" / "memory.json"
CARD = 8e9  # bytes in all
SIDE = 128  # of the latent
META = torch.device("meta")
Call = Callable[[], Any]


class Subject:
    """A model without numbers: MODEL whose UNet is on the meta device, CLIP on the CPU, and its steps' parts."""

    def __init__(self, config: Any, clip: Any, side: int) -> None:
        config.set_inference_dtype(torch.float16, None)
        base = config.get_model({}, "", device=META)
        base.diffusion_model.requires_grad_(False)
        self.model = comfy.model_patcher.CoreModelPatcher(base, load_device=META, offload_device=META)
        self.model.model_options["transformer_options"]["optimized_attention_override"] = _pytorch_attention
        self.clip, self.side = clip, side
        self.negative = nodes.CLIPTextEncode().encode(clip, "")[0]

    @property
    def weights(self) -> int:
        """Bytes of the UNet's weights."""
        return sum(one.nbytes for one in self.model.model.diffusion_model.parameters())

    def prompt(self, text: str) -> list:
        """A prompt as HRV Prompt encodes it."""
        return HRVPrompt.execute(self.clip, text).args[0]

    def calls(self) -> dict[str, list[Call]]:
        """Name -> what happens in one step, part by part."""
        hrv = random_vectors(self.model)
        plain = self.prompt(TEXT)
        latent = {"samples": torch.zeros(1, 4, self.side, self.side)}

        def altered(preset: str, save_memory: bool, layers: str = "all") -> list[Call]:
            concepts = f"{CONCEPT}, {CONCEPT}" if preset == "hrv" else ""
            settings = (WORDS, preset, concepts, "all tokens", 100.0, "", 20, True, 20, 20.0, save_memory, layers, hrv)
            model, positive = HRVAttendExcite.execute(self.model, plain, *settings).args
            return [self.gradient(model, positive), self.prediction(model, positive, 1)]

        def edited(concept: str) -> list[Call]:
            source, target = self.prompt(SOURCE), self.prompt(TARGET)
            given = (self.model, source, target, latent)
            found = HRVP2PEdit.execute(*given, concept=concept, hrv=hrv if concept else None, **SETTINGS).args
            return [self.prediction(found[0], found[1], 2)]

        return {
            "plain": [self.prediction(self.model, plain, 1)],
            "A&E": altered("original", False),
            "A&E, save_memory": altered("original", True),
            "A&E-HRV, all layers": altered("hrv", False),
            "A&E-HRV, all layers, save_memory": altered("hrv", True),
            "P2P": edited(""),
            "P2P-HRV": edited("Color"),
        }

    def prediction(self, model: Any, positive: list, rows: int) -> Call:
        """A prediction of the positive and the negative prompt, which ComfyUI puts into one batch."""
        x, sigma, conds, options = self._ready(model, positive, rows)

        def call() -> None:
            _loaded(model)
            with torch.inference_mode():
                comfy.samplers.calc_cond_batch(model.model, conds, x, sigma, options)

        return call

    def gradient(self, model: Any, positive: list) -> Call:
        """A loss and its gradient, as an altered step takes them before its prediction."""
        x, sigma, conds, options = self._ready(model, positive, 1)
        (guidance,) = positive[0][1][KEY].guidance

        def call() -> None:
            _loaded(model)
            loss_and_gradient(guidance, model.model, conds[0][0], x, sigma, options)

        return call

    def _ready(self, model: Any, positive: list, rows: int) -> tuple[Any, Any, Any, Any]:
        x = torch.zeros(rows, 4, self.side, self.side, device=META)
        sigma = torch.full((rows,), 3.0)
        named = {"positive": positive, "negative": self.negative}
        conds = {name: comfy.sampler_helpers.convert_cond(group) for name, group in named.items()}
        conds = comfy.samplers.process_conds(model.model, x, conds, META, seed=1)
        options = comfy.model_patcher.create_model_options_clone(model.model_options)
        comfy.sampler_helpers.prepare_model_patcher(model, conds, options)
        return x, sigma, [conds["positive"], conds["negative"]], options


def _pytorch_attention(_: Callable, *args: Any, **named: Any) -> Any:
    return host_attention.attention_pytorch(*args, **named)


def _loaded(model: Any) -> None:
    """Let a model without numbers count as loaded, with memory enough to put all rows into one call."""
    model.get_free_memory = lambda device: 1 << 50
    model.model.current_patcher = model


def peak_of(calls: list[Call]) -> int:
    """The most bytes that live at once, beyond weights and inputs."""
    peaks = []
    for call in calls:
        with fused_attention(), LiveBytes() as counted:
            call()
        peaks.append(counted.peak)
        gc.collect()
    return max(peaks)


def sdxl() -> Subject:
    """SDXL in full size; its text encoders are of full width, and a few layers deep."""
    widths = {"l": 768, "g": 1280}
    sizes = {
        f"clip_{letter}_model_config": {
            "hidden_size": width, "num_hidden_layers": 3, "num_attention_heads": 4, "intermediate_size": 64,
            "projection_dim": width,
        }
        for letter, width in widths.items()
    }  # fmt: skip
    target = comfy.supported_models_base.ClipTarget(comfy.sdxl_clip.SDXLTokenizer, comfy.sdxl_clip.SDXLClipModel)
    clip = comfy.sd.CLIP(target, model_options=sizes, state_dict=[])
    return Subject(comfy.supported_models.SDXL(SDXL_UNET), clip, SIDE)


def main(arguments: list[str]) -> int:
    """Count, print a table, write output/memory.json; 1 if a step that is to fit a card of 8 GB does not."""
    argparse.ArgumentParser(prog="python -m tools.bench memory", description=__doc__).parse_args(arguments)
    subject = sdxl()
    rows = [_row(name, peak_of(calls), subject.weights) for name, calls in subject.calls().items()]
    OUTPUT.parent.mkdir(exist_ok=True)
    OUTPUT.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")
    print(f"SDXL at 1024x1024 in float16, weights of the UNet {subject.weights / 1e9:.2f} GB; counted on meta tensors")
    for row in rows:
        verdict = "" if row["ok"] is None else f"   bar {CARD / 1e9:.0f} GB {'ok' if row['ok'] else 'MISSED'}"
        print(f"{row['name']:34}{row['mb']:7} MB beyond them{row['gb_in_all']:8.2f} GB in all{verdict}")
    return 1 if any(row["ok"] is False for row in rows) else 0


def _row(name: str, peak: int, weights: int) -> dict[str, Any]:
    barred = "save_memory" in name or "P2P" in name
    in_all = peak + weights
    return {
        "name": name,
        "mb": round(peak / 1e6),
        "gb_in_all": round(in_all / 1e9, 2),
        "ok": in_all <= CARD if barred else None,
    }
