"""docs/extending.md, run as it is written: a control, a family, an experiment of somebody else's."""

from __future__ import annotations

import re
import runpy
from pathlib import Path
from typing import Any

import comfy.model_management
import comfy.model_patcher
import comfy.sample
import comfy.supported_models
import pytest
import torch

from comfyui_hrv.hrv_engine.attention.values import attention_map, join_heads, split_heads
from comfyui_hrv.hrv_engine.experiments.cases import cases
from comfyui_hrv.hrv_engine.experiments.plan import Experiment, jobs
from comfyui_hrv.nodes.host import families
from comfyui_hrv.nodes.host.control import receipts_of
from comfyui_hrv.nodes.host.unet import downsampling_of, fingerprint, layout_of

from .explicit import relative
from .tiny import randomise

PAGE = (Path(__file__).parents[2] / "docs" / "extending.md").read_text(encoding="utf-8")
COSMOS = {
    "image_model": "cosmos_predict2", "max_img_h": 16, "max_img_w": 16, "max_frames": 8, "in_channels": 16,
    "out_channels": 16, "patch_spatial": 2, "patch_temporal": 1, "concat_padding_mask": True, "model_channels": 64,
    "num_blocks": 2, "num_heads": 4, "mlp_ratio": 2.0, "crossattn_emb_channels": 24, "pos_emb_cls": "rope3d",
    "pos_emb_learnable": True, "pos_emb_interpolation": "crop", "min_fps": 1, "max_fps": 30, "use_adaln_lora": True,
    "adaln_lora_dim": 16,
}  # fmt: skip


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


@pytest.fixture
def page(monkeypatch, tmp_path) -> dict[str, Any]:
    """The names that the page's Python defines; its family is forgotten after the test."""
    families.families()
    monkeypatch.setattr(families, "_families", list(families._families))
    module = tmp_path / "extending.py"
    module.write_text("\n".join(blocks("python")), encoding="utf-8")
    return runpy.run_path(str(module))


def halving(heads: list[int]):
    """What the page's control does, with materialised maps."""

    def attend(q, k, v, count):
        value = split_heads(v, count).clone()
        value[:, heads] *= 0.5
        return join_heads(attention_map(q, k, count) @ value)

    return attend


@pytest.mark.usefixtures("inference_mode")
def test_the_control_acts_on_a_unet_and_leaves_the_negative_alone(page, trio):
    positive, negative = trio.encode("a red car"), trio.encode("ugly")
    attend = halving([0, 2])

    def explicit(q, k, v, options):
        rows = q.shape[0] // 2
        maps = attend(q[rows:], k[rows:], v[rows:], options["n_heads"])  # the host puts the negative first
        plain = join_heads(
            attention_map(q[:rows], k[:rows], options["n_heads"]) @ split_heads(v[:rows], options["n_heads"])
        )
        return torch.cat([plain, maps])

    reference = trio.model.clone()
    for site in layout_of(trio.model).sites:
        reference.set_model_attn2_replace(explicit, *site.key[:2], site.key[2])
    model = page["halved"](trio.model, [0, 2])
    ours = trio.sample(model, positive, negative)
    assert relative(ours, trio.sample(reference, positive, negative)) <= 1e-5
    assert relative(ours, trio.sample(trio.model, positive, negative)) > 1e-3
    assert "10 of 10 layers, 2 of 2 steps" in "".join(receipts_of(model))


def cosmos(seed: int = 3) -> Any:
    config = comfy.supported_models.CosmosT2IPredict2(dict(COSMOS))
    config.set_inference_dtype(torch.float32, None)
    device = comfy.model_management.get_torch_device()
    base = config.get_model({}, "", device=device)
    randomise(base.diffusion_model, seed)
    return comfy.model_patcher.ModelPatcher(base, load_device=device, offload_device=device)


def draw(model: Any, positive: torch.Tensor, negative: torch.Tensor) -> torch.Tensor:
    latent = torch.zeros(1, 16, 1, 8, 8)
    noise = torch.randn(latent.shape, generator=torch.Generator().manual_seed(5))
    ends = [[positive, {}]], [[negative, {}]]
    return comfy.sample.sample(model, noise, 2, 4.0, "euler", "simple", *ends, latent, seed=5, disable_pbar=True)


@pytest.mark.usefixtures("inference_mode")
@pytest.mark.parametrize("tokens", [7, 12])
def test_the_family_lets_the_same_control_act_on_a_dit(page, tokens):
    """Prompts of equal and of unequal length, so that both run together and apart."""
    model, generator = cosmos(), torch.Generator().manual_seed(2)
    positive, negative = (torch.randn(1, length, 24, generator=generator) for length in (7, tokens))
    attend = halving([1])

    def explicit(function, q, k, v, heads, **named):
        output = function(q, k, v, heads, **named)
        options = named["transformer_options"]
        if k.shape[2] in (7, tokens):
            for place, kind in enumerate(options["cond_or_uncond"]):
                if kind == 0:
                    rows = slice(place, place + 1)
                    output[rows] = attend(*(join_heads(part[rows]) for part in (q, k, v)), heads)
        return output

    reference = model.clone()
    reference.model_options["transformer_options"]["optimized_attention_override"] = explicit
    steered = page["halved"](model, [1])
    ours = draw(steered, positive, negative)
    assert relative(ours, draw(reference, positive, negative)) <= 1e-5
    assert relative(ours, draw(model, positive, negative)) > 1e-4
    assert torch.equal(draw(page["halved"](model, []), positive, negative), draw(model, positive, negative))
    assert "2 of 2 layers, 2 of 2 steps" in "".join(receipts_of(steered))


@pytest.mark.usefixtures("inference_mode")
def test_nodes_ask_the_family_for_layout_sizes_and_fingerprint_of_a_dit(page):
    first, second = cosmos(), cosmos(4)
    assert layout_of(first).total == 8 and set(downsampling_of(first).values()) == {2}
    assert fingerprint(first) == fingerprint(cosmos()) != fingerprint(second)


def test_the_experiment_extends_one_of_the_pack_from_a_folder_of_its_own(tmp_path):
    path = tmp_path / "clamp_two.yaml"
    path.write_text(blocks("yaml")[0], encoding="utf-8")
    experiment = Experiment.load(str(path))
    assert experiment.name == "clamp_two" and experiment.workflow == Experiment.load("pocket_misreading").workflow
    assert experiment.set["HRVConceptAdjust.clamp"] == 2.0 and experiment.set["KSampler.steps"] == 20
    assert len(list(jobs(experiment, cases(experiment)))) == 2
