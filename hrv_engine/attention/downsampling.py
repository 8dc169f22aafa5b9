"""How far each transformer layer of a UNet is scaled down, and the layer sets that editing methods name by it."""

from collections.abc import Mapping
from typing import Any

from ..errors import HRVError
from .heads import BlockKey

Levels = Mapping[BlockKey, int]
AUTO, ALL = "auto", "all"
LIMITS = (AUTO, "1/8", "1/4", "1/2", ALL)


def downsampling(unet: Any) -> dict[BlockKey, int]:
    """By how much a layer's maps are smaller than the latent, per side (1, 2, 4, 8), in execution order.

    For SD1.x at 512 px, 4 means 16x16 maps; for SDXL at 1024 px, 32x32.
    """
    found: dict[BlockKey, int] = {}
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


def small_maps(levels: Levels, limit: str) -> frozenset[BlockKey]:
    """Layers whose maps are at most `limit` ("1/4": a quarter) of the latent's sides; "all", or "auto".

    auto: the coarsest level of the encoder and below, as Prompt-to-Prompt's 16x16 at 512 px on SD1.x.
    Raises HRVError when the model has no such layer.
    """
    if limit == AUTO:
        least = max((factor for (name, _, _), factor in levels.items() if name == "input"), default=1)
    else:
        least = _factor(limit)
    found = frozenset(block for block, factor in levels.items() if factor >= least)
    if not found:
        raise HRVError(
            f"No layer of this model has maps of {limit} of the latent's sides or smaller; it has"
            f" {', '.join(f'1/{factor}' for factor in sorted(set(levels.values())))}. Use {AUTO} or a larger limit."
        )
    return found


def without_finest(levels: Levels) -> frozenset[BlockKey]:
    """All layers but those with the largest maps: Free-Prompt-Editing's choice (SD1.x: 32x32 and below at 512 px)."""
    finest = min(levels.values())
    return frozenset(block for block, factor in levels.items() if factor > finest)


def decoder_from_second_block(levels: Levels) -> tuple[tuple[str, int], frozenset[BlockKey]]:
    """Plug-and-Play's places: the second decoder block with attention (features), and its layers and all after it."""
    blocks = list(dict.fromkeys(block[:2] for block in levels if block[0] == "output"))
    place = blocks[min(1, len(blocks) - 1)]
    return place, frozenset(block for block in levels if block[0] == "output" and block[1] >= place[1])


def from_layer(levels: Levels, start: int) -> frozenset[BlockKey]:
    """Layers from number `start` (0 is the first, in execution order); -1: the decoder above its coarsest level.

    -1 is MasaCtrl's 10 of 16 on SD1.x, 64 of 70 on SDXL. Raises HRVError for a layer that does not exist.
    """
    order = list(levels)
    if start == -1:
        decoder = [block for block in order if block[0] == "output"]
        coarsest = max(levels[block] for block in decoder)
        return frozenset(block for block in decoder if levels[block] < coarsest) or frozenset(decoder[-1:])
    if not 0 <= start < len(order):
        raise HRVError(
            f"There is no layer {start}: this model has {len(order)} transformer layers, 0 to {len(order) - 1}. Use one"
            " of these, or -1 for the usual place."
        )
    return frozenset(order[start:])


def _factor(limit: str) -> int:
    if limit not in LIMITS:
        raise HRVError(f'The limit "{limit}" is unknown. Legal: {", ".join(LIMITS)}.')
    return 1 if limit == ALL else int(limit.removeprefix("1/"))


def level_size(pixels: int, height: int, width: int) -> tuple[int, int]:
    """(height, width) of a layer with that many pixels below a latent of height x width: halved, rounding up.

    Raises ValueError when no halving fits.
    """
    h, w = height, width
    while h * w > pixels:
        h, w = -(-h // 2), -(-w // 2)
    if h * w != pixels:
        raise ValueError(f"{pixels} pixels are no halving of {height} x {width}")
    return h, w
