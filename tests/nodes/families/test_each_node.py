"""Each node on every family, through the host's own sampling: steering, weakening, sweeps, reports, views, merging."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import comfy.ldm.wan.vae
import comfy.sd
import comfy.taesd.taesd
import numpy as np
import pytest
import torch
from comfy.nested_tensor import NestedTensor

import nodes
from comfyui_hrv.hrv_engine.relevance.parts import Part
from comfyui_hrv.hrv_engine.relevance.relevance import HeadRelevance, HeadVotes
from comfyui_hrv.hrv_engine.relevance.rescale import adjust, strengthen
from comfyui_hrv.hrv_engine.weakening.orders import weaken
from comfyui_hrv.nodes.files.hrv_files import HRVMerge
from comfyui_hrv.nodes.host.conditioning import KEY, PromptAnnotation
from comfyui_hrv.nodes.host.unet import layout_of
from comfyui_hrv.nodes.see.compare import HRVCompare
from comfyui_hrv.nodes.see.head_concepts import HRVHeadConcepts
from comfyui_hrv.nodes.see.heatmap import HRVHeatmap
from comfyui_hrv.nodes.see.report import HRVReport
from comfyui_hrv.nodes.see.similarity import HRVSimilarity
from comfyui_hrv.nodes.see.token_map_view import LAYERS, HRVTokenMapView
from comfyui_hrv.nodes.see.token_maps import HRVTokenMaps
from comfyui_hrv.nodes.see.top_heads import HRVTopHeads
from comfyui_hrv.nodes.see.weaken import HRVWeaken
from comfyui_hrv.nodes.see.weaken_sweep import HRVWeakenSweep
from comfyui_hrv.nodes.steering.adjust import HRVConceptAdjust
from comfyui_hrv.nodes.steering.strengthen import HRVConceptStrengthen

from ..explicit import relative
from ..tiny import randomise
from ..vectors import random_vectors
from .explicit import Explicit
from .pairs import ANIMA
from .test_token_maps import TABLE
from .tiny_models import TINY, Tiny

pytestmark = pytest.mark.usefixtures("inference_mode")
WEAKENED, FACTOR = 3, -2.0
SAMPLING = (5, 1, 4.0, "euler", "simple")  # what Tiny.sample does in one step


@dataclass
class Case:
    """A family's tiny model, vectors for it, its prompt with words, a negative prompt and the plain latents."""

    tiny: Tiny
    model: Any
    hrv: HeadRelevance
    asked: list
    negative: list
    plain: torch.Tensor

    def sample(self, model: Any, positive: list) -> torch.Tensor:
        return self.tiny.sample(model, positive, self.negative, steps=1)

    @property
    def latent(self) -> dict[str, Any]:
        parts = [torch.zeros(1, *shape) for shape in (self.tiny.latent, self.tiny.sound) if shape]
        return {"samples": NestedTensor(parts) if self.tiny.sound else parts[0]}


@pytest.fixture(scope="module", params=[*TINY, "Anima"])
def case(request) -> Iterator[Case]:
    tiny = (TINY | {"Anima": ANIMA})[request.param]
    with torch.inference_mode():
        model, context, negative = tiny.model(), tiny.prompt(7, 1), tiny.conditioning(tiny.prompt(7, 2))
        plain = tiny.sample(model, tiny.conditioning(context), negative, steps=1)
        asked = tiny.conditioning(context, **{KEY: PromptAnnotation(TABLE)})
        yield Case(tiny, model, random_vectors(model, "Color", "Plants"), asked, negative, plain)


@lru_cache
def vae(channels: int, frames: bool) -> Any:
    """The host's VAE of Wan for latents of its kind, else one of images, which shows a video's first frame."""
    if frames and channels == 16:
        small = comfy.ldm.wan.vae.WanVAE(
            dim=4, z_dim=16, dim_mult=[1, 2, 4, 4], num_res_blocks=2, temperal_downsample=[False, True, True]
        )
    else:
        small = comfy.taesd.taesd.TAESD(latent_channels=channels)
    randomise(small, 2)
    return comfy.sd.VAE(sd=small.state_dict(), metadata={"tae_latent_channels": channels})


def rows_of(table: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(table)))


def steer(case: Case, strength: float, heads: int) -> tuple[Any, list]:
    """One word strengthened, adjusted and weakened by the three nodes in a row."""
    common = (strength, 0, 0.0, 0.0, 1.0)
    model, positive = HRVConceptStrengthen.execute(case.model, case.asked, case.hrv, "old car", "Color", *common).args
    model, positive = HRVConceptAdjust.execute(
        model, positive, case.hrv, "old car", "Plants", "Color", 2.0, 1.0, *common
    ).args
    settings = ("Color", "LeRHF", heads, FACTOR, 0, 0.0, 1.0)
    return HRVWeaken.execute(model, positive, case.hrv, "old car", *settings).args


def test_strength_0_and_no_weakened_head_are_plain_to_the_bit(case):
    assert torch.equal(case.sample(*steer(case, 0.0, 0)), case.plain)
    model, positive = HRVWeaken.execute(
        case.model, case.asked, case.hrv, "", "Color", "MoRHF", WEAKENED, 1.0, 0, 0.0, 1.0
    ).args
    assert torch.equal(case.sample(model, positive), case.plain)


def test_a_word_strengthened_adjusted_and_weakened_equals_attention_written_out(case):
    factors = strengthen(case.hrv, "Color", None) * adjust(case.hrv, "Plants", "Color", 2.0, 1.0, None)
    factors = factors * weaken(case.hrv, "Color", "LeRHF", WEAKENED, FACTOR)
    context = case.asked[0][0]
    explicit = Explicit(case.tiny, context, (2, 3), torch.from_numpy(factors).view(case.tiny.sites, -1))
    there = case.sample(explicit.on(case.model), case.tiny.conditioning(context))
    assert relative(case.sample(*steer(case, 1.0, WEAKENED)), there) <= 1e-5
    assert relative(there, case.plain) > 1e-4


def test_a_sweep_draws_what_single_runs_draw_and_the_report_says_where(case):
    whole = ("Color", "MoRHF", WEAKENED, FACTOR, 0, 0.0, 1.0)
    model, positive = HRVWeaken.execute(case.model, case.asked, case.hrv, "", *whole).args
    single = case.sample(model, positive)
    decoder = vae(case.tiny.latent[0], len(case.tiny.latent) == 4)
    sheet, images, table = HRVWeakenSweep.execute(
        case.model, case.asked, case.negative, decoder, case.latent, case.hrv, "Color", f"0, {WEAKENED}", "MoRHF",
        f"{FACTOR:g}", *SAMPLING, 2,
    ).args  # fmt: skip
    size = int(np.prod(case.tiny.latent))
    both = torch.cat([drawn.flatten()[:size].view(1, *case.tiny.latent) for drawn in (case.plain, single)])
    (expected,) = nodes.VAEDecode().decode(decoder, {"samples": both})
    assert images.shape == expected.shape and (images - expected).abs().max() <= 1e-4  # the VAE amplifies
    frames = len(images) // 2
    assert (images[:frames] - images[frames:]).abs().max() > 3e-4
    rows = [json.loads(line) for line in table.splitlines()]
    assert [row["heads"] for row in rows] == [0] * frames + [WEAKENED] * frames
    assert [row.get("frame", 0) for row in rows] == [*range(frames)] * 2
    assert sheet.shape[2] > 2 * images.shape[2] and sheet.shape[3] == 3
    total = case.hrv.layout.total
    text = HRVReport.execute(case.hrv, model, positive, {"samples": single}).args[0]
    assert f"{total} heads" in text and f"{WEAKENED} of {total} heads rescaled, r from -2.00 to 1.00" in text
    touched = {case.hrv.layout.locate(int(head))[0] for head in case.hrv.order("Color")[:WEAKENED]}
    assert f"{len(touched)} of {len(touched)} layers, 1 of 1 steps" in text


def test_vectors_are_drawn_compared_and_listed_by_layer_and_head(case):
    hrv, layout = case.hrv, case.hrv.layout
    for node, given in ((HRVHeatmap, ("",)), (HRVSimilarity, ("concepts",)), (HRVHeadConcepts, ("",))):
        image = node.execute(hrv, *given).args[0]
        assert image.shape[-1] == 3 and image.std() > 0
    rows = rows_of(HRVHeatmap.execute(hrv, "").args[1])
    assert len(rows) == 2 * layout.total and {row["block"] for row in rows} == {site.label for site in layout.sites}
    (text, table), chosen = HRVTopHeads.execute(hrv, "Color", 2).args, hrv.order("Color")[:2]
    assert [row["label"] for row in rows_of(table)] == [layout.label(int(head)) for head in chosen]
    assert all(layout.label(int(head)) in text for head in chosen)
    named = HRVHeadConcepts.execute(hrv, f"L{case.tiny.sites}").args[2]
    assert len(rows_of(named)) == 2 * layout.sites[-1].heads
    assert "1.000" in HRVCompare.execute(hrv, hrv).args[1]


def test_maps_of_words_are_shown_layer_by_layer_over_the_image(case):
    drawn, maps = HRVTokenMaps.execute(
        case.model, case.asked, case.negative, case.latent, "red, old car", False, *SAMPLING, 1.0, 0.0, 1.0
    ).args
    latents = drawn["samples"]
    parts = [part.flatten() for part in (latents.unbind() if latents.is_nested else [latents])]
    assert torch.equal(torch.cat(parts), case.plain.flatten())
    frames, height, width = case.tiny.grid
    image = torch.rand(frames, 4 * height, 4 * width, 3, generator=torch.Generator().manual_seed(1))
    sheet, masks, table = HRVTokenMapView.execute(maps, "", LAYERS, "", "", 0.5, image=image).args
    assert masks.shape == (frames * 2 * case.tiny.sites, 4 * height, 4 * width) and sheet.std() > 0
    assert {row["heads"] for row in rows_of(table)} == {site.label for site in layout_of(case.model).sites}


def test_two_builds_of_its_heads_merge_and_the_report_counts_both(case):
    layout, draw = case.hrv.layout, np.random.default_rng(1)
    one, other = (
        HeadVotes(
            draw.integers(1, 50, (2, layout.total)), case.hrv.concepts, layout, {"steps": 2},
            (Part("two", "d1", seed=0, start=start, images=1),),
        ).relevance()
        for start in (0, 1)
    )  # fmt: skip
    merged = HRVMerge.execute(one, other).args[0]
    assert np.array_equal(merged.votes.counts, one.votes.counts + other.votes.counts)
    text = HRVReport.execute(merged, case.model).args[0]
    assert "2 images: " in text and layout.summary in text and "do not fit" not in text
