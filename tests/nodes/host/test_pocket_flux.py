"""A Flux-shaped pocket model is the host's own Flux: its sampling, its size, the choice of the node."""

from __future__ import annotations

import json
from dataclasses import asdict

import comfy.ldm.flux.model
import comfy.ops
import comfy.sample
import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

import nodes
from comfyui_hrv.hrv_engine.errors import HRVError
from comfyui_hrv.hrv_engine.pocket import model as pocket_model
from comfyui_hrv.hrv_engine.pocket.model import FLUX, FLUX_VARIABLE, MODELS
from comfyui_hrv.hrv_engine.pocket.text import TextConfig, TextEncoder, Vocabulary
from comfyui_hrv.nodes.host.pocket import load_pocket
from comfyui_hrv.nodes.host.unet import layout_of
from comfyui_hrv.nodes.pocket_model import HRVPocketModel
from comfyui_hrv.tools.figures.dit import routes, tried
from comfyui_hrv.tools.figures.dit.looks import task as looks_task
from comfyui_hrv.tools.figures.effect import session
from comfyui_hrv.tools.figures.effect.worlds import DIT

pytestmark = pytest.mark.usefixtures("inference_mode")
CONFIG = {
    "in_channels": 48, "out_channels": 48, "vec_in_dim": None, "context_in_dim": 24, "hidden_size": 32,
    "mlp_ratio": 2.0, "num_heads": 2, "depth": 1, "depth_single_blocks": 2, "axes_dim": [4, 6, 6], "theta": 10000,
    "patch_size": 1, "qkv_bias": True, "guidance_embed": False, "txt_ids_dims": [0],
}  # fmt: skip
CAPTION = "a red circle in the forest"


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """A file like the trial's, with random weights."""
    torch.manual_seed(3)
    with safe_open(MODELS["drawings"], "pt") as drawings:
        vocabulary = Vocabulary(json.loads(drawings.metadata()["pocket"])["words"])
    text = TextConfig(24, 2, 1)
    flux = comfy.ldm.flux.model.Flux(**CONFIG, dtype=torch.float32, operations=comfy.ops.disable_weight_init)
    modules = {"unet": flux, "text": TextEncoder(len(vocabulary), text)}
    weights = {
        f"{part}.{name}": 0.2 * torch.randn(value.shape)
        for part, of in modules.items()
        for name, value in of.state_dict().items()
    }
    path = tmp_path_factory.mktemp("pocket") / "flux.safetensors"
    config = {"flux": CONFIG, "text": asdict(text), "words": vocabulary.words}
    save_file(weights, path, {"pocket": json.dumps(config)})
    return path


@pytest.fixture(scope="module")
def pocket(written):
    with torch.inference_mode():
        return load_pocket(written)


def _drawn(pocket, steps: int) -> torch.Tensor:
    positive, negative = (nodes.CLIPTextEncode().encode(pocket.clip, text)[0] for text in (CAPTION, ""))
    return nodes.KSampler().sample(
        pocket.model, 5, steps, 3.0, "euler", "simple", positive, negative, pocket.latent
    )[0]["samples"]  # fmt: skip


def test_it_is_the_hosts_flux_with_the_heads_of_every_block(pocket):
    assert type(pocket.model.model.diffusion_model) is comfy.ldm.flux.model.Flux
    assert layout_of(pocket.model).total == 3 * CONFIG["num_heads"]


def test_a_ksampler_walks_from_noise_to_image_in_equal_steps(pocket):
    flux, steps = pocket.model.model.diffusion_model, 2
    asked, empty = (nodes.CLIPTextEncode().encode(pocket.clip, text)[0][0][0] for text in (CAPTION, ""))
    x = comfy.sample.prepare_noise(pocket.latent["samples"], 5)
    for t in (1.0, 0.5):
        with_text, without = (flux(x, torch.tensor([t]), context, None, None) for context in (asked, empty))
        x = x - (without + 3.0 * (with_text - without)) / steps
    torch.testing.assert_close(_drawn(pocket, steps), x, rtol=1e-3, atol=1e-4)


def test_its_images_have_64_pixels_a_side_and_no_other_size_is_drawn(pocket):
    (images,) = nodes.VAEDecode().decode(pocket.vae, {"samples": _drawn(pocket, 1)})
    assert images.shape == (1, 64, 64, 3)
    other = pocket._replace(latent={"samples": torch.zeros(1, 48, 8, 8)})
    with pytest.raises(HRVError, match="32 x 32 pixels, but this pocket model draws 64 x 64 only"):
        _drawn(other, 1)


def test_the_weights_may_be_loaded_in_another_precision(written, pocket):
    half = load_pocket(written, torch.bfloat16)
    assert half.model.model.diffusion_model.img_in.weight.dtype == torch.bfloat16
    exact, rounded = _drawn(pocket, 2), _drawn(half, 2)
    assert 0 < (exact - rounded).norm() < 0.1 * exact.norm()


def test_the_node_offers_it_where_its_file_is(written, pocket, monkeypatch, tmp_path):
    def options() -> list[str]:
        return HRVPocketModel.define_schema().inputs[0].options

    monkeypatch.setattr(pocket_model, "FLUX_FILE", tmp_path / "none.safetensors")
    monkeypatch.delenv(FLUX_VARIABLE, raising=False)
    assert FLUX not in options()
    monkeypatch.setattr(pocket_model, "FLUX_FILE", written)
    assert options()[-1] == FLUX
    monkeypatch.setattr(pocket_model, "FLUX_FILE", tmp_path / "none.safetensors")
    monkeypatch.setenv(FLUX_VARIABLE, str(written))
    loaded = HRVPocketModel.execute(FLUX).args[0]
    same = zip(loaded.model.state_dict().values(), pocket.model.model.state_dict().values(), strict=True)
    assert all(torch.equal(*pair) for pair in same)


@pytest.fixture
def figures_model(written, monkeypatch):
    """The tiny model as the one that `make figures-dit` works on."""
    monkeypatch.setenv(FLUX_VARIABLE, str(written))
    session.pocket.cache_clear()
    yield
    session.pocket.cache_clear()


def test_with_all_of_its_text_as_without_the_word_nothing_is_left_of_the_words_effect(figures_model):
    for found in routes.task(DIT, ("Nature Scenes",), 1, 0):
        assert found["all text"] == pytest.approx(1, abs=1e-3)
        assert 0 < abs(found["word"]) < 2 and {"double blocks", "last third"} <= {name[10:] for name in found}


def test_orders_are_tried_on_the_heads_they_name(figures_model):
    orders = {"first": [0, 5], "middle": [3, 0], "last": [5, 0]}
    nothing = tried.task(DIT, ("Nature Scenes",), 1, 0, orders, 0)
    assert nothing == pytest.approx(dict.fromkeys(orders, 0), abs=1e-6)
    one = tried.task(DIT, ("Nature Scenes",), 1, 0, orders, 1)
    assert len({round(value, 5) for value in one.values()} - {0}) == 3


def test_what_heads_look_at_adds_up_and_every_head_votes_at_every_level(figures_model):
    looks = looks_task(DIT, ("Nature Scenes",), 1, 0)
    word, text, ends = (np.array(looks[name]) for name in ("word", "text", "end tokens"))
    assert (word > 0).all() and (word + ends < text + 1e-6).all() and (text < 1).all()
    for name in ("alone", "in sentences"):
        assert (np.array(looks[name]).sum(0) == 2).all()
