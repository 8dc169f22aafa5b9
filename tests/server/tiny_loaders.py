"""A node pack of one node for a test server: a tiny random transformer of the host's classes with its text encoder."""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import torch

PACK = Path(__file__).resolve().parents[2] / "tools" / "pack.py"


def tests(name: str) -> Any:
    """A module of the tests; the repository is importable under its name in tests."""
    spec = importlib.util.spec_from_file_location("tiny_loaders_pack", PACK)
    assert spec is not None and spec.loader is not None
    pack = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(pack)
    pack.load_pack()
    return import_module(f"comfyui_hrv.tests.nodes.{name}")


class Pixels:
    """A VAE that shows three channels of the latent, and writes an image into all sixteen of Qwen-Image's."""

    def encode(self, images: torch.Tensor) -> torch.Tensor:
        """[images height width 3] -> [images 16 1 height/8 width/8]."""
        small = torch.nn.functional.avg_pool2d(images.movedim(-1, 1), 8)
        return small.repeat(1, 6, 1, 1)[:, :16, None] * 2 - 1

    def decode(self, latent: torch.Tensor) -> torch.Tensor:
        """[images channels (frames) height width] -> [images (frames) 8 height 8 width 3], from 0 to 1."""
        seen = latent[:, :3].sigmoid().movedim(1, -1)
        return seen.repeat_interleave(8, dim=-3).repeat_interleave(8, dim=-2)


class TinyTransformer:
    """MODEL, CLIP and VAE of a family."""

    RETURN_TYPES = ("MODEL", "CLIP", "VAE")
    FUNCTION = "make"
    CATEGORY = "tests"

    @classmethod
    def INPUT_TYPES(cls) -> dict:  # noqa: N802  the host's name
        return {"required": {"family": ("STRING", {})}}

    def make(self, family: str) -> tuple:
        tiny = tests("families.tiny_models").TINY[family]
        option, width, more = tests("families.test_with_the_nodes").SIZES[family]
        tiny = replace(tiny, config=tiny.config | {option: width} | more)
        return tiny.model(), tests("host.tiny_encoders").ENCODERS[family].clip(), Pixels()


class TinyEditEncode:
    """TextEncodeQwenImageEditPlus with tiny images, and without the encoder's eye."""

    RETURN_TYPES = ("CONDITIONING",)
    FUNCTION = "encode"
    CATEGORY = "tests"

    @classmethod
    def INPUT_TYPES(cls) -> dict:  # noqa: N802  the host's name
        names = {"clip": "CLIP", "vae": "VAE", "image1": "IMAGE", "image2": "IMAGE", "prompt": "STRING"}
        return {"required": {name: (kind, {}) for name, kind in names.items()}}

    def encode(self, clip: Any, vae: Pixels, image1: torch.Tensor, image2: torch.Tensor, prompt: str) -> tuple:
        latents = [vae.encode(image[:, :64, :64]) for image in (image1, image2)]
        encoded = clip.encode_from_tokens_scheduled(clip.tokenize(prompt))
        return ([[context, {**values, "reference_latents": latents}] for context, values in encoded],)


NODE_CLASS_MAPPINGS = {"TinyTransformer": TinyTransformer, "TinyEditEncode": TinyEditEncode}
