"""The cross-attention layers of an ldm-style UNet, discovered from its modules; needs no ComfyUI."""

from collections.abc import Iterator
from typing import Any

from ....hrv_engine.attention.heads import AttentionSite, HeadLayout, SiteKey
from ._unreachable import no_family


def head_layout(unet: Any) -> HeadLayout:
    """The head layout of a UNet in HRV order (down, mid, up); raises HRVError for a model without such layers."""
    sites = tuple(
        AttentionSite(key, int(attention.heads), int(attention.dim_head)) for key, attention in cross_attentions(unet)
    )
    if not sites:
        raise no_family(unet)
    return HeadLayout(sites)


def cross_attentions(unet: Any) -> Iterator[tuple[SiteKey, Any]]:
    """Yield (block key, attention module) for every cross-attention layer of an ldm-style UNet, in execution order."""
    if not hasattr(unet, "input_blocks") or not hasattr(unet, "output_blocks"):
        return
    yield from _walk("input", unet.input_blocks)
    if getattr(unet, "middle_block", None) is not None:
        yield from _walk("middle", [unet.middle_block])
    yield from _walk("output", unet.output_blocks)


def _walk(name: str, sequences: Any) -> Iterator[tuple[SiteKey, Any]]:
    for number, sequence in enumerate(sequences):
        for layer in sequence:
            for depth, block in enumerate(getattr(layer, "transformer_blocks", ())):
                if getattr(block, "attn2", None) is not None:
                    yield (name, number, depth), block.attn2


def downsampling(unet: Any) -> dict[SiteKey, int]:
    """By how much a layer's maps are smaller than the latent, per side (1, 2, 4, 8), in execution order.

    For SD1.x at 512 px, 4 means 16x16 maps; for SDXL at 1024 px, 32x32.
    """
    found: dict[SiteKey, int] = {}
    factor = 1
    for name, sequences in (
        ("input", unet.input_blocks),
        ("middle", [unet.middle_block] if unet.middle_block is not None else []),
        ("output", unet.output_blocks),
    ):
        for number, sequence in enumerate(sequences):
            for layer in sequence:
                kind = type(layer).__name__
                factor = factor * 2 if kind == "Downsample" else factor // 2 if kind == "Upsample" else factor
                for depth in range(len(getattr(layer, "transformer_blocks", ()))):
                    found[name, number, depth] = factor
    return found
