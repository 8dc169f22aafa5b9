"""Tiny random text encoders of the host's language-model classes, with the host's own tokenizers and templates."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from unittest.mock import patch

import comfy.sd
import comfy.supported_models_base
import comfy.text_encoders.anima as anima
import comfy.text_encoders.aura_t5 as aura_t5
import comfy.text_encoders.boogu as boogu
import comfy.text_encoders.cosmos as cosmos
import comfy.text_encoders.ernie as ernie
import comfy.text_encoders.flux as flux
import comfy.text_encoders.genmo as genmo
import comfy.text_encoders.hidream as hidream
import comfy.text_encoders.hunyuan_video as hunyuan_video
import comfy.text_encoders.ideogram4 as ideogram4
import comfy.text_encoders.joyimage as joyimage
import comfy.text_encoders.kandinsky5 as kandinsky5
import comfy.text_encoders.krea2 as krea2
import comfy.text_encoders.longcat_image as longcat_image
import comfy.text_encoders.lt as lt
import comfy.text_encoders.lumina2 as lumina2
import comfy.text_encoders.mage_flow as mage_flow
import comfy.text_encoders.omnigen2 as omnigen2
import comfy.text_encoders.pixart_t5 as pixart_t5
import comfy.text_encoders.qwen_image as qwen_image
import comfy.text_encoders.sd3_clip as sd3_clip
import comfy.text_encoders.wan as wan
import comfy.text_encoders.z_image as z_image

from ..tiny import CLIP, randomise
from .tiny_vocabularies import gemma_3, spiece, tekken, tekken_is_read

LLAMA = {
    "hidden_size": 32, "num_hidden_layers": 4, "num_attention_heads": 2, "num_key_value_heads": 1,
    "intermediate_size": 48,
}  # fmt: skip
DEEP = LLAMA | {"num_hidden_layers": 40}
CLIP_3 = CLIP | {"num_hidden_layers": 3}
T5 = {"d_model": 32, "d_ff": 48, "d_kv": 8, "num_heads": 4, "num_layers": 2}
WIDE = T5 | {"d_model": 4096, "vocab_size": 8000}  # SD3 pads CLIP to the width of T5
FOUR = {"llama": LLAMA, "clip_l": CLIP_3, "clip_g": CLIP_3, "t5xxl": T5}


@dataclass(frozen=True)
class Encoder:
    """tokenizer and model: of the host; sizes: by the model's name; first: the column of the prompt's first token.

    data: of the tokenizer, from the checkpoint; making: around the making of it.
    """

    tokenizer: Any
    model: Callable[[], Any]
    sizes: dict[str, dict]
    first: int
    data: Callable[[], dict[str, Any]] = field(default=dict)
    making: Callable[[], AbstractContextManager[None]] = nullcontext

    def clip(self) -> Any:
        """The CLIP object that a loader would give."""
        target = comfy.supported_models_base.ClipTarget(self.tokenizer, self.model())
        options = {f"{name}_model_config": dict(size) for name, size in self.sizes.items()}
        with self.making():
            clip = comfy.sd.CLIP(
                target, embedding_directory=None, model_options=options, state_dict=[], tokenizer_data=self.data()
            )
        for module in clip.cond_stage_model.modules():
            for eye in ("visual", "vision_model", "multi_modal_projector"):  # of full size, which no text needs
                module._modules.pop(eye, None)
        randomise(clip.cond_stage_model, 1)
        return clip


@contextmanager
def small_projection() -> Iterator[None]:
    """LTX-2's encoder is made with a projection of this size: the host has one of several gigabytes."""
    small = partial(lt.DualLinearProjection, LLAMA["hidden_size"] * (LLAMA["num_hidden_layers"] + 1), 24, 8)
    with patch.object(lt, "DualLinearProjection", lambda *_, **named: small(**named)):
        yield


ENCODERS = {
    "Z-Image": Encoder(z_image.ZImageTokenizer, z_image.te, {"qwen3_4b": LLAMA}, 3),
    "Qwen-Image": Encoder(qwen_image.QwenImageTokenizer, qwen_image.te, {"qwen25_7b": LLAMA}, 0),
    "Flux.1": Encoder(flux.FluxTokenizer, flux.flux_clip, {"clip_l": CLIP, "t5xxl": T5}, 0),
    "klein": Encoder(flux.KleinTokenizer, lambda: flux.klein_te(model_type="qwen3_4b"), {"qwen3_4b": DEEP}, 3),
    "SD3": Encoder(sd3_clip.SD3Tokenizer, sd3_clip.sd3_clip, {"clip_l": CLIP_3, "clip_g": CLIP_3, "t5xxl": WIDE}, 1),
    "Anima": Encoder(anima.AnimaTokenizer, anima.te, {"qwen3_06b": LLAMA}, 0),
    "HunyuanVideo": Encoder(
        hunyuan_video.HunyuanVideoTokenizer, hunyuan_video.hunyuan_video_clip, {"llama": LLAMA, "clip_l": CLIP}, 1
    ),
    "HiDream": Encoder(hidream.HiDreamTokenizer, hidream.hidream_clip, FOUR, 0),
    "Kandinsky 5": Encoder(
        kandinsky5.Kandinsky5Tokenizer, kandinsky5.te, {"qwen25_7b": LLAMA, "clip_l": CLIP}, 0
    ),
    "Krea 2": Encoder(krea2.Krea2Tokenizer, krea2.te, {"qwen3vl_4b": DEEP}, 0),
    "Ideogram 4": Encoder(ideogram4.Ideogram4Tokenizer, ideogram4.te, {"qwen3vl_8b": DEEP}, 3),
    "OmniGen2": Encoder(omnigen2.Omnigen2Tokenizer, omnigen2.te, {"qwen25_3b": LLAMA}, 23),
    "LongCat": Encoder(longcat_image.LongCatImageTokenizer, longcat_image.te, {"qwen25_7b": LLAMA}, 0),
    "JoyImage": Encoder(joyimage.JoyImageTokenizer, joyimage.te, {"qwen3vl_8b": LLAMA}, 2),
    "Mage-Flow": Encoder(mage_flow.MageFlowTokenizer, mage_flow.te, {"qwen3vl_4b": LLAMA}, 0),
    "Boogu": Encoder(boogu.BooguTokenizer, boogu.te, {"qwen3vl_8b": LLAMA}, 29),
    "Mochi and LTX": Encoder(genmo.MochiT5Tokenizer, genmo.mochi_te, {"t5xxl": T5}, 0),
    "PixArt and Chroma": Encoder(pixart_t5.PixArtTokenizer, pixart_t5.pixart_te, {"t5xxl": T5}, 0),
    "Cosmos": Encoder(cosmos.CosmosT5Tokenizer, cosmos.te, {"t5xxl": T5}, 0),
    "AuraFlow": Encoder(aura_t5.AuraT5Tokenizer, lambda: aura_t5.AuraT5Model, {"pile_t5xl": T5}, 0),
    "Flux.2": Encoder(flux.Flux2Tokenizer, flux.flux2_te, {"mistral3_24b": DEEP}, 145, tekken, tekken_is_read),
    "Ernie-Image": Encoder(
        ernie.ErnieTokenizer, ernie.te, {"ministral3_3b": LLAMA}, 1, tekken, tekken_is_read
    ),
    "Wan": Encoder(wan.WanT5Tokenizer, wan.te, {"umt5xxl": T5}, 1, partial(spiece, True)),
    "Lumina 2": Encoder(lumina2.LuminaTokenizer, lumina2.te, {"gemma2_2b": LLAMA}, 1, spiece),
    "NewBie": Encoder(
        lumina2.NTokenizer, lambda: lumina2.te(model_type="gemma3_4b"), {"gemma3_4b": LLAMA}, 1,
        gemma_3,
    ),
    "LTX-2": Encoder(
        lt.LTXAVGemmaTokenizer, lambda: lt.ltxav_te(text_projection_type="dual_linear"), {"": LLAMA}, 1,
        gemma_3, small_projection,
    ),
}  # fmt: skip
