"""The trained pair of text encoder and denoiser: construction, files and plain sampling."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from ..paths import PRESETS
from .diffusion import LATENT_CHANNELS, PATCH, ddim, to_images
from .network import UNet, UNetConfig
from .text import TextConfig, TextEncoder, Vocabulary
from .weights import read_weights, write_weights

SHIPPED = PRESETS / "pocket"
#: The models that ship, by name: 64×64 drawings of everyday things, and 32×32 squares and other shapes.
MODELS = {"drawings": SHIPPED / "drawings" / "unet.safetensors", "squares": SHIPPED / "pocket.safetensors"}
#: A Flux-shaped model of the drawings, offered where there is one: this file, or the one that FLUX_VARIABLE names.
FLUX, FLUX_FILE, FLUX_VARIABLE = "drawings (DiT)", SHIPPED / "drawings" / "flux.safetensors", "HRV_POCKET_DIT"
#: Side in pixels of a model whose file does not say.
SIDE, FLUX_SIDE = 32, 64
CFG = 3.0


def models() -> dict[str, Path]:
    """The files of all pocket models that can be loaded here, by name."""
    flux = Path(os.environ.get(FLUX_VARIABLE) or FLUX_FILE)
    return {**MODELS, FLUX: flux} if flux.is_file() else MODELS


class PocketModel(nn.Module):
    """Text encoder, denoiser, vocabulary, and the side in pixels of the images it draws."""

    def __init__(
        self,
        vocabulary: Vocabulary,
        unet: UNetConfig | None = None,
        text: TextConfig | None = None,
        side: int = SIDE,
    ) -> None:
        super().__init__()
        self.vocabulary = vocabulary
        self.side = side
        self.unet = UNet(unet or UNetConfig())
        self.text = TextEncoder(len(vocabulary), text or TextConfig())

    def encode(self, captions: Sequence[str]) -> Tensor:
        """Conditioning [n, 77, width] of captions."""
        return self.text(torch.tensor([self.vocabulary.encode(caption)[0] for caption in captions]))

    @torch.no_grad()
    def sample(self, captions: Sequence[str], seed: int = 0, steps: int = 20, cfg: float = CFG) -> Tensor:
        """Images [n, 3, side, side] for captions by DDIM with classifier-free guidance."""
        generator = torch.Generator().manual_seed(seed)
        positions = self.side // PATCH
        noise = torch.randn(len(captions), LATENT_CHANNELS, positions, positions, generator=generator)
        context = torch.cat([self.encode([""]).expand(len(captions), -1, -1), self.encode(captions)])

        def denoise(x: Tensor, timesteps: Tensor) -> Tensor:
            plain, asked = self.unet(torch.cat([x, x]), torch.cat([timesteps, timesteps]), context).chunk(2)
            return plain + cfg * (asked - plain)

        return to_images(ddim(denoise, noise, steps))

    def _metadata(self) -> dict[str, str]:
        config = {
            "unet": asdict(self.unet.config),
            "text": asdict(self.text.config),
            "words": self.vocabulary.words,
            "side": self.side,
        }
        return {"pocket": json.dumps(config)}

    def save(self, path: str | Path, **metadata: str) -> None:
        """Writes fp16 weights (``unet.*``, ``text.*``) with the configuration as JSON in the file's metadata."""
        weights = {name: value.detach().half().cpu().contiguous() for name, value in self.state_dict().items()}
        save_file(weights, str(path), {**self._metadata(), **metadata})

    def save_in_eight_bits(self, path: str | Path, **metadata: str) -> None:
        """The same in half the size, see `weights.py`."""
        write_weights(path, self.state_dict(), {**self._metadata(), **metadata})

    @classmethod
    def load(cls, path: str | Path) -> PocketModel:
        """Reads what :meth:`save` wrote, or the same in eight bits, as fp32."""
        weights, metadata = read_weights(path)
        if "pocket" not in metadata:
            raise ValueError(f"{path} is no pocket model: its metadata has no 'pocket' entry")
        config = json.loads(metadata["pocket"])
        unet: dict[str, Any] = {
            key: tuple(value) if isinstance(value, list) else value for key, value in config["unet"].items()
        }
        text = TextConfig(**config["text"])
        model = cls(Vocabulary(config["words"]), UNetConfig(**unet), text, config.get("side", SIDE))
        model.load_state_dict(weights)
        return model.eval()
