"""The head layouts of real architectures, discovered from ComfyUI's own modules on the meta device."""

from __future__ import annotations

import comfy.supported_models
import pytest
import torch

from comfyui_hrv.hrv_engine.errors import HRVError
from comfyui_hrv.nodes.host.families.unet_layers import cross_attentions, head_layout
from comfyui_hrv.nodes.host.unet import layout_of

COMMON = {
    "use_checkpoint": False, "image_size": 32, "in_channels": 4,
    "out_channels": 4, "model_channels": 320, "legacy": False,
    "use_spatial_transformer": True, "use_temporal_attention": False, "use_temporal_resblock": False,
}  # fmt: skip
SD1 = {
    "adm_in_channels": None, "num_res_blocks": [2, 2, 2, 2],
    "channel_mult": [1, 2, 4, 4], "transformer_depth_middle": 1,
    "transformer_depth": [1, 1, 1, 1, 1, 1, 0, 0], "transformer_depth_output": [1] * 9 + [0] * 3,
}  # fmt: skip
SD15 = COMMON | SD1 | {"context_dim": 768, "num_heads": 8, "use_linear_in_transformer": False}
SD20 = COMMON | SD1 | {"context_dim": 1024, "num_head_channels": 64, "use_linear_in_transformer": True}
SDXL = COMMON | {
    "num_classes": "sequential", "adm_in_channels": 2816, "num_res_blocks": [2, 2, 2], "channel_mult": [1, 2, 4],
    "transformer_depth": [0, 0, 2, 2, 10, 10], "transformer_depth_middle": 10,
    "transformer_depth_output": [0, 0, 0, 2, 2, 2, 10, 10, 10],
    "context_dim": 2048, "num_head_channels": 64, "use_linear_in_transformer": True,
}  # fmt: skip


def model_of(kind: type, config: dict):
    settings = kind(dict(config))
    settings.set_inference_dtype(torch.float32, None)
    with torch.device("meta"):
        return settings.get_model({}, "", device=torch.device("meta"))


def test_sd15_has_the_128_heads_of_the_paper_in_its_order():
    layout = head_layout(model_of(comfy.supported_models.SD15, SD15).diffusion_model)
    blocks = [("input", i) for i in (1, 2, 4, 5, 7, 8)] + [("middle", 0)] + [("output", i) for i in range(3, 12)]
    assert [site.key for site in layout.sites] == [(*block, 0) for block in blocks]
    assert [site.heads for site in layout.sites] == [8] * 16 and layout.total == 128
    assert [site.head_dim for site in layout.sites] == [40, 40, 80, 80, *[160] * 6, 80, 80, 80, 40, 40, 40]
    assert layout.locate(120) == (16, 0) and layout.sites[15].key == ("output", 11, 0)


def test_sdxl_has_the_1300_heads_of_the_paper_in_its_order():
    layout = head_layout(model_of(comfy.supported_models.SDXL, SDXL).diffusion_model)
    groups = [
        (("input", 4), 2, 10),
        (("input", 5), 2, 10),
        (("input", 7), 10, 20),
        (("input", 8), 10, 20),
        (("middle", 0), 10, 20),
    ]
    groups += [(("output", i), 10, 20) for i in range(3)] + [(("output", i), 2, 10) for i in range(3, 6)]
    expected = [((*block, depth), heads) for block, count, heads in groups for depth in range(count)]
    assert [(site.key, site.heads) for site in layout.sites] == expected
    assert len(layout.sites) == 70 and layout.total == 1300
    firsts = {
        ("input", 8, 0): 240,
        ("middle", 0, 0): 440,
        ("output", 0, 0): 640,
        ("output", 3, 0): 1240,
        ("output", 5, 0): 1280,
    }
    assert {block: layout.offset(block) for block in firsts} == firsts


def test_sd2_has_16_layers_whose_heads_have_64_channels():
    layout = head_layout(model_of(comfy.supported_models.SD20, SD20).diffusion_model)
    assert [site.heads for site in layout.sites] == [5, 5, 10, 10, *[20] * 6, 10, 10, 10, 5, 5, 5]
    assert {site.head_dim for site in layout.sites} == {64}


def test_the_discovered_order_is_the_order_in_which_the_host_runs_the_layers(inference_mode):
    from ..tiny import tiny_trio

    trio, seen = tiny_trio(), []

    def note(q, k, v, options):
        seen.append((*options["block"], options["block_index"]))
        return v.new_zeros(q.shape)

    patched = trio.model.clone()
    for block, _ in cross_attentions(trio.model.model.diffusion_model):
        patched.set_model_attn2_replace(note, *block)
    trio.sample(patched, trio.encode("a"), trio.encode(""), steps=1)
    assert seen == [site.key for site in layout_of(trio.model).sites]


def test_a_flux_model_is_refused_by_name():
    config = {
        "image_model": "flux", "in_channels": 16, "out_channels": 16,
        "vec_in_dim": 8, "context_in_dim": 16, "hidden_size": 16,
        "mlp_ratio": 2.0, "num_heads": 2, "depth": 1, "depth_single_blocks": 1, "axes_dim": [2, 2, 4], "theta": 10000,
        "qkv_bias": True, "guidance_embed": False, "patch_size": 2, "txt_ids_dims": [], "default_ref_method": "offset",
    }  # fmt: skip
    model = model_of(comfy.supported_models.Flux, config)
    with pytest.raises(HRVError, match="Flux.*SDXL"):
        head_layout(model.diffusion_model)
