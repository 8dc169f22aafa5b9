"""How far each attention site is scaled down below the latent, and the sets of sites that methods name by it."""

from collections.abc import Mapping

from ..errors import HRVError
from .heads import SiteKey

Downsampling = Mapping[SiteKey, int]  # by how much the maps of a site are smaller than the latent, per side
AUTO, ALL = "auto", "all"
ENCODER, DECODER = "input", "output"  # the first part of a site's key
LIMITS = (AUTO, "1/8", "1/4", "1/2", ALL)


def small_maps(downsampling: Downsampling, limit: str) -> frozenset[SiteKey]:
    """Layers whose maps are at most `limit` ("1/4": a quarter) of the latent's sides; "all", or "auto".

    auto: the coarsest level of the encoder and below, as Prompt-to-Prompt's 16x16 at 512 px.
    Raises HRVError when the model has no such layer.
    """
    if limit == AUTO:
        least = max((factor for (name, _, _), factor in downsampling.items() if name == ENCODER), default=1)
    else:
        least = _factor(limit)
    small = frozenset(block for block, factor in downsampling.items() if factor >= least)
    if not small:
        sizes = ", ".join(f"1/{factor}" for factor in sorted(set(downsampling.values())))
        raise HRVError(
            f"No layer of this model has maps of {limit} of the latent's sides or smaller; it has {sizes}. Use {AUTO}"
            " or a larger limit."
        )
    return small


def without_finest(downsampling: Downsampling) -> frozenset[SiteKey]:
    """All layers but those with the largest maps: Free-Prompt-Editing's choice (32x32 and below at 512 px)."""
    finest = min(downsampling.values())
    return frozenset(block for block, factor in downsampling.items() if factor > finest)


def decoder_from_second_block(downsampling: Downsampling) -> tuple[tuple[str, int], frozenset[SiteKey]]:
    """Plug-and-Play's places: the second decoder block with attention (features), and its layers and all after it."""
    blocks = list(dict.fromkeys(block[:2] for block in downsampling if block[0] == DECODER))
    place = blocks[min(1, len(blocks) - 1)]
    return place, frozenset(block for block in downsampling if block[0] == DECODER and block[1] >= place[1])


def from_layer(downsampling: Downsampling, start: int) -> frozenset[SiteKey]:
    """Layers from number `start` (0 is the first, in execution order); -1: the decoder above its coarsest level.

    -1 is MasaCtrl's choice (10 of 16, 64 of 70 layers). Raises HRVError for a layer that does not exist.
    """
    order = list(downsampling)
    if start == -1:
        decoder = [block for block in order if block[0] == DECODER]
        coarsest = max(downsampling[block] for block in decoder)
        return frozenset(block for block in decoder if downsampling[block] < coarsest) or frozenset(decoder[-1:])
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
