"""The pocket model is an ordinary ComfyUI model: core's classes, core's nodes, core's LoRA patches."""

from __future__ import annotations

import comfy.ldm.modules.diffusionmodules.openaimodel as openaimodel
import comfy.lora
import comfy.ops
import comfy.sd
import comfy.sd1_clip
import pytest
import torch

import nodes
from comfyui_hrv.hrv_engine.errors import HRVError
from comfyui_hrv.hrv_engine.pocket import captions
from comfyui_hrv.hrv_engine.pocket.drawings import words
from comfyui_hrv.hrv_engine.pocket.model import MODELS, SHIPPED, PocketModel
from comfyui_hrv.hrv_engine.pocket.network import UNet, UNetConfig
from comfyui_hrv.hrv_engine.pocket.text import Vocabulary
from comfyui_hrv.nodes.host.families.unet_layers import head_layout
from comfyui_hrv.nodes.host.pocket import load_pocket
from comfyui_hrv.nodes.pocket_model import HRVPocketModel

pytestmark = pytest.mark.usefixtures("inference_mode")
SIDES = {"drawings": 64, "squares": 32}
#: In the words of either model, and with a word of several tokens.
CAPTION, OTHER = "a red circle in the forest", "four striped tulips"


@pytest.fixture(scope="module", params=SIDES)
def name(request) -> str:
    return request.param


@pytest.fixture(scope="module")
def pocket(name):
    with torch.inference_mode():
        return tuple(HRVPocketModel.execute(name).args)


@pytest.fixture(scope="module")
def ours(name) -> PocketModel:
    """The same model in plain torch."""
    return PocketModel.load(MODELS[name])


def _sample(pocket, caption: str, model=None, steps: int = 3) -> torch.Tensor:
    standard, clip, vae, empty = pocket
    encode = nodes.CLIPTextEncode().encode
    latent = nodes.RepeatLatentBatch().repeat(empty, 2)[0]
    (result,) = nodes.KSampler().sample(
        model or standard, 5, steps, 3.0, "euler", "normal", encode(clip, caption)[0], encode(clip, "")[0], latent
    )
    return result["samples"]


def _ends(pocket) -> tuple[list, list]:
    return nodes.CLIPTextEncode().encode(pocket[1], CAPTION)[0], nodes.CLIPTextEncode().encode(pocket[1], "")[0]


def test_the_plain_torch_unet_and_comfyuis_unet_are_the_same_network():
    config = UNetConfig()
    ours = UNet(config)
    for parameter in ours.parameters():
        torch.nn.init.normal_(parameter, std=0.05)
    theirs = openaimodel.UNetModel(**config.comfy(), operations=comfy.ops.disable_weight_init)
    theirs.load_state_dict(ours.state_dict(), strict=True)
    x, timesteps, context = torch.randn(4, 48, 8, 8), torch.tensor([10, 400, 900, 999]), torch.randn(2, 77, 128)
    expected = theirs(x, timesteps, context.repeat_interleave(2, 0))
    torch.testing.assert_close(ours(x, timesteps, context, repeats=2), expected, rtol=1e-4, atol=1e-5)
    assert head_layout(theirs).total == head_layout(ours).total >= 100


def test_clip_text_encode_gives_the_encoding_of_training(pocket, ours):
    texts = [CAPTION, OTHER, ""]
    theirs = torch.cat([nodes.CLIPTextEncode().encode(pocket[1], text)[0][0][0] for text in texts])
    torch.testing.assert_close(ours.encode(texts), theirs, rtol=1e-4, atol=1e-5)


def test_the_vocabulary_holds_the_token_ids_of_core_tokenizer(name, ours):
    tokenizer = comfy.sd1_clip.SD1Tokenizer().clip_l.tokenizer
    vocabulary = {"drawings": words.vocabulary(), "squares": captions.vocabulary()}[name]
    assert ours.vocabulary.words == {word: tokenizer(word)["input_ids"][1:-1] for word in vocabulary}
    if name == "squares":
        assert ours.vocabulary.words == Vocabulary.load(SHIPPED / "vocabulary.json").words


def test_an_unknown_word_is_the_mean_of_the_known_ones(pocket, ours):
    table = pocket[1].cond_stage_model.clip_l.transformer.text_model.embeddings.token_embedding.weight
    rows = ours.text.text_model.embeddings.token_embedding.weight
    torch.testing.assert_close(table[1], rows[2:].mean(0))  # token 1 is a double quote


def test_core_nodes_sample_it_and_the_model_call_equals_training(name, pocket, ours):
    side, latents = SIDES[name], _sample(pocket, CAPTION)
    assert latents.shape == (2, 48, side // 4, side // 4)
    (images,) = nodes.VAEDecode().decode(pocket[2], {"samples": latents})
    assert images.shape == (2, side, side, 3)
    noisy = torch.randn(1, 48, side // 4, side // 4)
    sigma = pocket[0].model.model_sampling.sigma(torch.tensor([600.0]))
    context = ours.encode([CAPTION])
    alpha = 1 / (1 + sigma**2)
    expected = ours.unet(noisy, torch.tensor([600]), context)
    predicted = pocket[0].model.apply_model(noisy / alpha.sqrt(), sigma, c_crossattn=context)
    torch.testing.assert_close(predicted, expected, rtol=1e-3, atol=1e-4)


def test_the_latent_of_the_node_is_that_of_an_empty_image_of_the_models_size(name, pocket, ours):
    assert ours.side == SIDES[name]
    (of_gray,) = nodes.VAEEncode().encode(pocket[2], torch.full((1, ours.side, ours.side, 3), 0.5))
    assert torch.equal(pocket[3]["samples"], of_gray["samples"])
    by_core = nodes.EmptyLatentImage().generate(ours.side, ours.side, 1)[0]
    drawn = [
        nodes.KSampler().sample(pocket[0], 5, 1, 1.0, "euler", "normal", *_ends(pocket), latent)[0]["samples"]
        for latent in (pocket[3], by_core)
    ]
    assert torch.equal(*drawn)


def test_the_heads_of_either_model_are_as_many_as_its_page_says(name, pocket):
    assert head_layout(pocket[0].model.diffusion_model).total == {"drawings": 128, "squares": 112}[name]


def test_the_vae_gives_every_8_bit_image_back(name, pocket):
    image = torch.randint(0, 256, (2, SIDES[name], SIDES[name], 3)).float() / 255
    (latent,) = nodes.VAEEncode().encode(pocket[2], image)
    assert latent["samples"].shape == pocket[3]["samples"].expand(2, -1, -1, -1).shape
    (back,) = nodes.VAEDecode().decode(pocket[2], latent)
    assert torch.equal((back * 255).round(), (image * 255).round())
    assert (back - image).abs().max() < 1e-6


def test_a_lora_patch_changes_it_and_leaves_no_trace(pocket):
    before = _sample(pocket, CAPTION)
    keys = comfy.lora.model_lora_keys_unet(pocket[0].model, {})
    key = next(
        name
        for name, target in keys.items()
        if str(target).endswith("attn2.to_v.weight") and name.startswith("lora_unet")
    )
    weight = pocket[0].model.state_dict()[keys[key]]
    lora = {
        f"{key}.lora_up.weight": torch.randn(weight.shape[0], 4),
        f"{key}.lora_down.weight": torch.randn(4, weight.shape[1]),
    }
    patched, _ = comfy.sd.load_lora_for_models(pocket[0], None, lora, 1.0, 0.0)
    assert (_sample(pocket, CAPTION, patched) - before).abs().max() > 1e-3
    assert torch.equal(_sample(pocket, CAPTION), before)


def test_a_missing_file_is_named_with_the_way_to_get_it(tmp_path):
    with pytest.raises(HRVError, match=r"nowhere\.safetensors.*make train-pocket"):
        load_pocket(tmp_path / "nowhere.safetensors")


@pytest.mark.parametrize("size", [512, 128])
def test_another_size_is_refused_before_the_first_step(name, pocket, size):
    latent = nodes.EmptyLatentImage().generate(size, size, 1)[0]
    draws = f"{SIDES[name]} x {SIDES[name]}"
    with pytest.raises(HRVError, match=f"{size} x {size} pixels, but this pocket model draws {draws} only.*LATENT"):
        nodes.KSampler().sample(pocket[0], 5, 3, 3.0, "euler", "normal", *_ends(pocket), latent)


def test_drawings_are_offered_first():
    (model,) = HRVPocketModel.define_schema().inputs
    assert model.options == list(SIDES) and model.default == "drawings"
