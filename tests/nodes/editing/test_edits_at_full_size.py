"""The editing methods on Stable Diffusion 1.5 at full size with random weights, and on a tiny SDXL."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch

import nodes
from comfyui_hrv.hrv_engine.attention.downsampling import small_maps
from comfyui_hrv.nodes.host.families.unet_layers import downsampling
from comfyui_hrv.nodes.host.unet import layout_of
from comfyui_hrv.tests.benchmarks.full_size import random_vectors, sd15

from ..explicit import relative
from ..explicit_pairs import ExplicitPairs
from ..tiny import Trio, tiny_sdxl
from .test_other_edits import METHODS
from .test_p2p_edit import SOURCE, TARGET, alone, draw, edited, plain

pytestmark = pytest.mark.usefixtures("inference_mode")
SMALL = {"steps": 2, "size": 64}


@pytest.fixture(scope="module")
def full() -> Iterator[Trio]:
    with torch.inference_mode():
        yield Trio(*sd15())


def latent() -> dict:
    return nodes.EmptyLatentImage().generate(64, 64, 1)[0]


def test_prompt_to_prompt_with_hrvs_equals_explicit_maps_and_its_source_the_image_alone(full):
    hrv = random_vectors(full.model)
    made = edited(full, latent=latent(), hrv=hrv, concept="Color", self_replace=1.0, cross_replace=0.5)
    r = torch.from_numpy(hrv.row("Color"))

    def cross(source_map, target_map, head, step):
        result = (source_map if step < 1 else target_map).clone()
        result[:, :, 2] = target_map[:, :, 2] * (r[head][:, None] if step < 1 else 1)
        return result

    limit = small_maps(downsampling(full.model.model.diffusion_model), "auto")
    assert len(limit) == 6
    explicit = ExplicitPairs(layout_of(full.model), cross, limit, 2).on(full.model)
    ours = draw(full, made, steps=2)
    assert relative(ours, draw(full, (explicit, made[1], made[2]), steps=2)) <= 1e-4
    assert relative(ours[:1], alone(full, SOURCE, **SMALL)) <= 1e-4
    assert relative(ours[1], ours[0]) > 1e-3


@pytest.mark.parametrize("method", METHODS)
def test_the_same_prompt_twice_gives_the_same_image_twice(full, method):
    node, settings, _ = METHODS[method]
    prompt = full.encode(SOURCE)
    made = node.execute(full.model, prompt, prompt, latent(), **settings, seeds=1).args
    source, target = draw(full, made, steps=1)
    assert relative(target, source) <= 1e-4


def test_no_window_is_bit_identical_to_a_plain_batch(full):
    made = edited(full, latent=latent(), cross_replace=0.0, self_replace=0.0)
    assert torch.equal(draw(full, made, steps=1), plain(full, made, steps=1))


@pytest.mark.parametrize("method", ["p2p", *METHODS])
def test_sdxl_pairs_pooled_prompts_and_keeps_the_source(method):
    trio = tiny_sdxl()
    if method == "p2p":
        vectors = random_vectors(trio.model)
        made = edited(trio, hrv=vectors, concept="Color")
        assert np.isfinite(vectors.values).all()
    else:
        node, settings, _ = METHODS[method]
        made = node.execute(
            trio.model, trio.encode(SOURCE), trio.encode(TARGET), nodes.EmptyLatentImage().generate(64, 64, 1)[0],
            **settings, seeds=1,
        ).args  # fmt: skip
    assert made[1][0][1]["pooled_output"].shape[0] == 2
    ours = draw(trio, made)
    assert relative(ours[:1], alone(trio, SOURCE, steps=4)) <= 1e-5
    assert relative(ours[1:], alone(trio, TARGET, steps=4)) > 1e-3
