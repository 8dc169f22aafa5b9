"""Write a Stable Diffusion 1.5 checkpoint of full size with random weights, for tests of the stock loaders.

    python -m tools.random_checkpoint FILE.safetensors

The pictures are noise; shapes, keys and speed are those of the real thing.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from .pack import use_comfyui

if TYPE_CHECKING:
    import torch

UNET = {
    "use_checkpoint": False,
    "image_size": 32,
    "out_channels": 4,
    "use_spatial_transformer": True,
    "legacy": False,
    "adm_in_channels": None,
    "in_channels": 4,
    "model_channels": 320,
    "num_res_blocks": [2, 2, 2, 2],
    "transformer_depth": [1, 1, 1, 1, 1, 1, 0, 0],
    "channel_mult": [1, 2, 4, 4],
    "transformer_depth_middle": 1,
    "use_linear_in_transformer": False,
    "context_dim": 768,
    "num_heads": 8,
    "transformer_depth_output": [1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0],
    "use_temporal_attention": False,
    "use_temporal_resblock": False,
}
VAE = {
    "double_z": True,
    "z_channels": 4,
    "resolution": 256,
    "in_channels": 3,
    "out_ch": 3,
    "ch": 128,
    "ch_mult": [1, 2, 4, 4],
    "num_res_blocks": 2,
    "attn_resolutions": [],
    "dropout": 0.0,
}


def modules() -> dict[str, torch.nn.Module]:
    """Checkpoint prefix -> module on the meta device. Needs ComfyUI importable."""
    import comfy.ops
    import torch
    from comfy.ldm.models.autoencoder import AutoencoderKL
    from comfy.ldm.modules.diffusionmodules.openaimodel import UNetModel
    from comfy.sd1_clip import SD1ClipModel

    with torch.device("meta"):
        return {
            "model.diffusion_model.": UNetModel(**UNET, operations=comfy.ops.disable_weight_init),
            "cond_stage_model.": SD1ClipModel(device="meta", dtype=torch.float32).clip_l,
            "first_stage_model.": AutoencoderKL(ddconfig=VAE, embed_dim=4),
        }


def random_weights(seed: int = 0) -> dict[str, torch.Tensor]:
    """float16 tensors by checkpoint key: weights N(0, 1/fan-in), norms 1, biases 0; activations stay finite."""
    import torch

    generator = torch.Generator().manual_seed(seed)
    tensors = {}
    for prefix, module in modules().items():
        for name, parameter in module.named_parameters():
            if prefix == "cond_stage_model." and not name.startswith("transformer.text_model."):
                continue
            value = torch.full(parameter.shape, 0.0 if name.endswith("bias") else 1.0)
            if parameter.ndim > 1:
                value.normal_(0, parameter[0].numel() ** -0.5, generator=generator)
            tensors[prefix + name] = value.half()
    return tensors


def main() -> None:
    target = Path(sys.argv[1])
    if target.exists():
        return
    use_comfyui("--cpu")
    from safetensors.torch import save_file

    part = target.with_suffix(f".{os.getpid()}.part")
    save_file(random_weights(), part)
    os.replace(part, target)


if __name__ == "__main__":
    main()
