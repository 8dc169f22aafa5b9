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
from comfyui_hrv.hrv_engine.pocket.captions import vocabulary
from comfyui_hrv.hrv_engine.pocket.model import SHIPPED, PocketModel
from comfyui_hrv.hrv_engine.pocket.network import UNet, UNetConfig
from comfyui_hrv.hrv_engine.pocket.text import Vocabulary
from comfyui_hrv.nodes.host.families.unet_layers import head_layout
from comfyui_hrv.nodes.host.pocket import WEIGHTS, load_pocket
from comfyui_hrv.nodes.pocket_model import HRVPocketModel

pytestmark = pytest.mark.usefixtures("inference_mode")
CAPTION = "a red circle in the forest"


@pytest.fixture(scope="module")
def trio():
    with torch.inference_mode():
        return tuple(HRVPocketModel.execute().args)


def _sample(trio, caption: str, model=None, steps: int = 3) -> torch.Tensor:
    standard, clip, vae = trio
    encode = nodes.CLIPTextEncode().encode
    latent = nodes.EmptyLatentImage().generate(32, 32, 2)[0]
    (result,) = nodes.KSampler().sample(
        model or standard, 5, steps, 3.0, "euler", "normal", encode(clip, caption)[0], encode(clip, "")[0], latent
    )
    return result["samples"]


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


def test_clip_text_encode_gives_the_encoding_of_training(trio):
    ours = PocketModel.load(WEIGHTS).encode([CAPTION, "two striped lavender stars", ""])
    theirs = torch.cat(
        [nodes.CLIPTextEncode().encode(trio[1], text)[0][0][0] for text in (CAPTION, "two striped lavender stars", "")]
    )
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)


def test_the_vocabulary_holds_the_token_ids_of_core_tokenizer():
    tokenizer = comfy.sd1_clip.SD1Tokenizer().clip_l.tokenizer
    stored = Vocabulary.load(SHIPPED / "vocabulary.json").words
    assert stored == {word: tokenizer(word)["input_ids"][1:-1] for word in vocabulary()}


def test_an_unknown_word_is_the_mean_of_the_known_ones(trio):
    table = trio[1].cond_stage_model.clip_l.transformer.text_model.embeddings.token_embedding.weight
    rows = PocketModel.load(WEIGHTS).text.text_model.embeddings.token_embedding.weight
    torch.testing.assert_close(table[1234], rows[2:].mean(0))


def test_core_nodes_sample_it_and_the_model_call_equals_training(trio):
    latents = _sample(trio, CAPTION)
    assert latents.shape == (2, 48, 8, 8)
    (images,) = nodes.VAEDecode().decode(trio[2], {"samples": latents})
    assert images.shape == (2, 32, 32, 3)
    ours = PocketModel.load(WEIGHTS)
    noisy, sigma = torch.randn(1, 48, 8, 8), trio[0].model.model_sampling.sigma(torch.tensor([600.0]))
    context = ours.encode([CAPTION])
    alpha = 1 / (1 + sigma**2)
    expected = ours.unet(noisy, torch.tensor([600]), context)
    predicted = trio[0].model.apply_model(noisy / alpha.sqrt(), sigma, c_crossattn=context)
    torch.testing.assert_close(predicted, expected, rtol=1e-3, atol=1e-4)


def test_the_vae_gives_every_8_bit_image_back(trio):
    image = torch.randint(0, 256, (2, 32, 32, 3)).float() / 255
    (latent,) = nodes.VAEEncode().encode(trio[2], image)
    assert latent["samples"].shape == (2, 48, 8, 8)
    (back,) = nodes.VAEDecode().decode(trio[2], latent)
    assert torch.equal((back * 255).round(), (image * 255).round())
    assert (back - image).abs().max() < 1e-6


def test_a_lora_patch_changes_it_and_leaves_no_trace(trio):
    before = _sample(trio, CAPTION)
    keys = comfy.lora.model_lora_keys_unet(trio[0].model, {})
    key = next(
        name
        for name, target in keys.items()
        if str(target).endswith("attn2.to_v.weight") and name.startswith("lora_unet")
    )
    weight = trio[0].model.state_dict()[keys[key]]
    lora = {
        f"{key}.lora_up.weight": torch.randn(weight.shape[0], 4),
        f"{key}.lora_down.weight": torch.randn(4, weight.shape[1]),
    }
    patched, _ = comfy.sd.load_lora_for_models(trio[0], None, lora, 1.0, 0.0)
    assert (_sample(trio, CAPTION, patched) - before).abs().max() > 1e-3
    assert torch.equal(_sample(trio, CAPTION), before)


def test_a_missing_file_is_named_with_the_way_to_get_it(tmp_path):
    with pytest.raises(HRVError, match=r"nowhere\.safetensors.*make train-pocket"):
        load_pocket(tmp_path / "nowhere.safetensors")


@pytest.mark.parametrize("size", [512, 64])
def test_another_size_is_refused_before_the_first_step(trio, size):
    standard, clip, _ = trio
    latent = nodes.EmptyLatentImage().generate(size, size, 1)[0]
    ends = (nodes.CLIPTextEncode().encode(clip, CAPTION)[0], nodes.CLIPTextEncode().encode(clip, "")[0])
    with pytest.raises(HRVError, match=f"{size} x {size} pixels, but the pocket model draws 32 x 32"):
        nodes.KSampler().sample(standard, 5, 3, 3.0, "euler", "normal", *ends, latent)
