"""Write a Stable Diffusion 1.5 or XL checkpoint of full size with random weights, for tests of the stock loaders.

    python -m tools.random_checkpoint FILE.safetensors [sdxl]

The images are noise; shapes, keys and speed are those of the real thing.
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
SDXL_UNET = UNET | {
    "num_classes": "sequential",
    "adm_in_channels": 2816,
    "num_res_blocks": [2, 2, 2],
    "transformer_depth": [0, 0, 2, 2, 10, 10],
    "channel_mult": [1, 2, 4],
    "transformer_depth_middle": 10,
    "use_linear_in_transformer": True,
    "context_dim": 2048,
    "num_heads": -1,
    "num_head_channels": 64,
    "transformer_depth_output": [0, 0, 0, 2, 2, 2, 10, 10, 10],
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

NOT_STORED = {  # parameters that ComfyUI's encoders have and checkpoints do not
    ("cond_stage_model.", "transformer.text_projection.weight"),
    ("clip_l.", "transformer.text_projection.weight"),
}


def modules(sdxl: bool = False) -> dict[str, torch.nn.Module]:
    """Key prefix -> module on the meta device, text encoders as ComfyUI names them. Needs ComfyUI importable."""
    import comfy.ops
    import torch
    from comfy.ldm.models.autoencoder import AutoencoderKL
    from comfy.ldm.modules.diffusionmodules.openaimodel import UNetModel
    from comfy.sd1_clip import SD1ClipModel
    from comfy.sdxl_clip import SDXLClipModel

    with torch.device("meta"):
        if sdxl:
            both = SDXLClipModel(device="meta", dtype=torch.float32)
            encoders = {"clip_l.": both.clip_l, "clip_g.": both.clip_g}
        else:
            encoders = {"cond_stage_model.": SD1ClipModel(device="meta", dtype=torch.float32).clip_l}
        unet = UNetModel(**(SDXL_UNET if sdxl else UNET), operations=comfy.ops.disable_weight_init)
        vae = AutoencoderKL(ddconfig=VAE, embed_dim=4)
        return {"model.diffusion_model.": unet, **encoders, "first_stage_model.": vae}


def random_weights(seed: int = 0, sdxl: bool = False) -> dict[str, torch.Tensor]:
    """float16 tensors by checkpoint key: weights N(0, 1/fan-in), norms 1, biases 0; activations stay finite."""
    import torch

    generator = torch.Generator().manual_seed(seed)
    tensors = {}
    for prefix, module in modules(sdxl).items():
        encoder = prefix not in ("model.diffusion_model.", "first_stage_model.")
        for name, parameter in module.named_parameters():
            if encoder and not name.startswith("transformer.text_") or (prefix, name) in NOT_STORED:
                continue
            value = torch.full(parameter.shape, 0.0 if name.endswith("bias") else 1.0)
            if parameter.ndim > 1:
                value.normal_(0, parameter[0].numel() ** -0.5, generator=generator)
            tensors[prefix + name] = value.half()
    return _as_stored(tensors) if sdxl else tensors


def _as_stored(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """SDXL's text encoders under the names its checkpoints have, by ComfyUI's own conversion for saving."""
    from comfy.supported_models import SDXL

    encoders = {name: tensors.pop(name) for name in list(tensors) if name.startswith("clip_")}
    stored = SDXL(SDXL_UNET).process_clip_state_dict_for_saving(encoders)
    return tensors | {name: value.contiguous() for name, value in stored.items()}


def main() -> None:
    target = Path(sys.argv[1])
    if target.exists():
        return
    use_comfyui("--cpu")
    from safetensors.torch import save_file

    part = target.with_suffix(f".{os.getpid()}.part")
    save_file(random_weights(sdxl="sdxl" in sys.argv[2:]), part)
    os.replace(part, target)


if __name__ == "__main__":
    main()
