"""HRV Token Map View: token maps over the image, by head, by layer, or weighted by an HRV."""

from typing import Any

import numpy as np
import torch
from comfy_api.latest import io
from PIL import Image

from ...hrv_engine.attention.heads import parse_heads
from ...hrv_engine.errors import HRVError
from ...hrv_engine.figures.sheets import tiles
from ...hrv_engine.figures.token_map import overlaid
from ...hrv_engine.inspection.token_maps import mean_weights, peaked, resized, views
from ...hrv_engine.tables import as_csv
from ...hrv_engine.text.lists import listed
from ..hints import hint
from ..host.node_pictures import pictured, references
from ..images import to_image, to_pixels
from ..types import CATEGORY, HRV, TokenMaps

ALL, CONCEPT, LAYERS, HEADS = "all heads", "weighted by concept", "each layer", "single heads"
WIDEST = 8  # maps side by side
LARGEST_TIP, OPAQUE = 256, 0.65  # of the map that is shown for one word: pixels, and how much it covers
LARGEST_MAP = 64  # a map's least side on the sheet when there is no image


class HRVTokenMapView(io.ComfyNode):
    """The pixels that attend to a word, over the image."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="HRVTokenMapView",
            display_name="HRV Token Map View",
            category=f"{CATEGORY}/see",
            is_output_node=True,
            has_intermediate_output=True,
            description=(
                "Shows which pixels attend to a word: over all heads, layer by layer, head by head, or through a"
                " concept's heads."
            ),
            search_aliases=["hrv", "attention map", "DAAM", "overlay", "heat map", "mask from word", "attention heads"],
            inputs=[
                TokenMaps.Input("token_maps", tooltip="What HRV Token Maps recorded."),
                io.Image.Input(
                    "image",
                    optional=True,
                    tooltip="The decoded image to lay the maps over. Left open: the maps alone.",
                ),
                HRV.Input(
                    "hrv", optional=True, tooltip="Needed for `weighted by concept`, and to choose a concept's heads."
                ),
                io.String.Input(
                    "word",
                    default="",
                    placeholder="star",
                    tooltip="Recorded words to show, separated by commas. Empty: all.",
                ),
                io.Combo.Input(
                    "view",
                    options=[ALL, CONCEPT, LAYERS, HEADS],
                    default=ALL,
                    tooltip=(
                        "all heads: their mean; weighted by concept: each head counts by its relevance; each layer;"
                        " single heads."
                    ),
                ),
                io.String.Input(
                    "concept", default="Color", tooltip="The concept whose heads count, for views that need an HRV."
                ),
                io.String.Input(
                    "heads",
                    default="",
                    placeholder="120, L16/h3",
                    tooltip=(
                        "For single heads: HRV indices, L16/h0 or L16 for a layer. Empty: the concept's 8 most"
                        " relevant."
                    ),
                ),
                io.Float.Input(
                    "opacity",
                    default=0.65,
                    min=0.0,
                    max=1.0,
                    step=0.05,
                    tooltip="How strongly the map covers the image.",
                ),
            ],
            outputs=[
                io.Image.Output(display_name="IMAGE", tooltip="All maps with captions; connect it to Preview Image."),
                io.Mask.Output(
                    display_name="MASK", tooltip="The same maps from 0 to 1 in image size, one after another."
                ),
                io.String.Output(
                    display_name="table",
                    tooltip="CSV: image, word, heads, least, mean and peak share, place of the peak.",
                ),
            ],
        )

    @classmethod
    def execute(cls, token_maps, word, view, concept, heads, opacity, image=None, hrv=None) -> io.NodeOutput:
        pixels = None if image is None else to_pixels(image)
        if pixels is not None:
            pixels = pixels[token_maps.shown_in(len(pixels))]
        words = listed(word) or token_maps.words
        weights = _weights(token_maps.layout, hrv, view, concept, heads)
        with hint("Words are recorded by HRV Token Maps."):
            visible = views(token_maps, words, weights)
        size = _size(visible[0].map) if pixels is None else pixels.shape[1:3]
        drawn = [overlaid(None if pixels is None else pixels[item.image], item.map, size, opacity) for item in visible]
        together = len(visible) // token_maps.images // (1 if view in (ALL, CONCEPT) else len(words))
        rows = -(-together // WIDEST)
        sheet = tiles(np.stack(drawn), [item.caption for item in visible], -(-together // rows))
        masks = torch.cat([peaked(resized(item.map[None], size)) for item in visible])
        table = as_csv([item.row() for item in visible])
        picture = to_image(sheet)
        under = None if pixels is None else pixels[0]
        whole = weights if view == CONCEPT else _weights(token_maps.layout, None, ALL, "", "")
        shown = pictured(picture, hrv_maps=lambda: _word_maps(token_maps, whole, under))
        return io.NodeOutput(picture, masks, table, ui=shown)


def _word_maps(token_maps, weights, pixels: np.ndarray | None) -> dict[str, Any]:
    """What web/js/word_maps.js shows for each recorded word: its map over the first image, as a file of the host."""
    words = list(token_maps.words)
    first = views(token_maps, words, weights)[: len(words)]
    height, width = _size(first[0].map) if pixels is None else pixels.shape[:2]
    part = min(1.0, LARGEST_TIP / max(height, width))
    size = max(1, round(height * part)), max(1, round(width * part))
    if pixels is not None:
        pixels = np.broadcast_to(pixels[..., :1], (*pixels.shape[:2], 3)) if pixels.shape[2] < 3 else pixels[..., :3]
        pixels = np.asarray(Image.fromarray(np.ascontiguousarray(pixels)).resize(size[::-1]))
    drawn = np.stack([overlaid(pixels, item.map, size, OPAQUE) for item in first])
    return {"prompt": token_maps.prompt, "words": words, "images": references(torch.from_numpy(drawn) / 255)}


def _weights(layout, hrv, view, concept, heads) -> dict[str, np.ndarray]:
    """The named weightings of a view, float [heads] each."""
    if view == ALL:
        return {"all heads": mean_weights(layout, slice(None))}
    if view == LAYERS:
        return {site.label: mean_weights(layout, layout.head_range(site.key)) for site in layout.sites}
    if view == HEADS and heads.strip():
        return {layout.label(head): mean_weights(layout, [head]) for head in parse_heads(heads, layout)}
    if hrv is None:
        raise HRVError(
            f'The view "{view}" needs to know the heads of "{concept}", but no HRV is connected. Connect HRV Load or'
            f' HRV Build, or choose "{ALL}" or "{LAYERS}", or name heads for "{HEADS}".'
        )
    relevance = hrv.for_layout(layout, "the model of these maps")
    if view == CONCEPT:
        return {f"heads of {concept}": relevance.row(concept) / layout.total}
    return {layout.label(int(head)): mean_weights(layout, [int(head)]) for head in relevance.order(concept)[:8]}


def _size(token_map: torch.Tensor) -> tuple[int, int]:
    zoom = max(1, -(-LARGEST_MAP // min(token_map.shape)))
    return token_map.shape[0] * zoom, token_map.shape[1] * zoom
