"""Tiny random text encoders of the host's language-model classes, with the host's own tokenizers and templates."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import comfy.sd
import comfy.sd1_clip
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
import comfy.text_encoders.lumina2 as lumina2
import comfy.text_encoders.mage_flow as mage_flow
import comfy.text_encoders.omnigen2 as omnigen2
import comfy.text_encoders.pixart_t5 as pixart_t5
import comfy.text_encoders.qwen_image as qwen_image
import comfy.text_encoders.sd3_clip as sd3_clip
import comfy.text_encoders.wan as wan
import comfy.text_encoders.z_image as z_image
import sentencepiece
import torch
from transformers import Qwen2Tokenizer

from ..tiny import CLIP, randomise

LLAMA = {
    "hidden_size": 32, "num_hidden_layers": 4, "num_attention_heads": 2, "num_key_value_heads": 1,
    "intermediate_size": 48,
}  # fmt: skip
DEEP = LLAMA | {"num_hidden_layers": 40}
CLIP_3 = CLIP | {"num_hidden_layers": 3}
T5 = {"d_model": 32, "d_ff": 48, "d_kv": 8, "num_heads": 4, "num_layers": 2}
WIDE = T5 | {"d_model": 4096, "vocab_size": 8000}  # SD3 pads CLIP to the width of T5
FOUR = {"llama": LLAMA, "clip_l": CLIP_3, "clip_g": CLIP_3, "t5xxl": T5}
WORDS = (
    "a red car and blue trees beside the old house in lavender"
    " light painted by nobody under three skies, describe an image"
)


@dataclass(frozen=True)
class Encoder:
    """tokenizer and model: of the host; sizes: by the model's name; first: the column of the prompt's first token."""

    tokenizer: Any
    model: Callable[[], Any]
    sizes: dict[str, dict]
    first: int
    data: Callable[[], dict[str, Any]] = field(default=dict)

    def clip(self) -> Any:
        """The CLIP object that a loader would give."""
        target = comfy.supported_models_base.ClipTarget(self.tokenizer, self.model())
        options = {f"{name}_model_config": dict(size) for name, size in self.sizes.items()}
        clip = comfy.sd.CLIP(
            target, embedding_directory=None, model_options=options, state_dict=[], tokenizer_data=self.data()
        )
        for module in clip.cond_stage_model.modules():
            module._modules.pop("visual", None)  # an eye of full size, which no text needs
        randomise(clip.cond_stage_model, 1)
        return clip


@lru_cache
def pieces(blank_first: bool) -> dict[str, Any]:
    """A small SentencePiece model, trained on a few words, as a checkpoint carries one."""
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter([WORDS] * 50), model_writer=model, vocab_size=120, byte_fallback=False,
        add_dummy_prefix=blank_first, pad_id=0, eos_id=1, bos_id=2, unk_id=3, hard_vocab_limit=False,
        minloglevel=2,
    )  # fmt: skip
    return {"spiece_model": torch.frombuffer(bytearray(model.getvalue()), dtype=torch.uint8)}


class Tekken(comfy.sd1_clip.SDTokenizer):
    """Qwen's vocabulary where the host has Mistral's, whose file comes with a checkpoint."""

    def __init__(self, embedding_directory=None, tokenizer_data=None) -> None:
        path = str(Path(z_image.__file__).parent / "qwen25_tokenizer")
        super().__init__(
            path, pad_with_end=False, embedding_size=5120, tokenizer_class=Qwen2Tokenizer, has_start_token=False,
            has_end_token=False, pad_to_max_length=False, max_length=99999999, min_length=1, pad_token=11,
            pad_left=True, disable_weights=True,
        )  # fmt: skip


def tekken(name: str) -> dict[str, Any]:
    """What makes the host take `Tekken` for an encoder."""
    return {f"{name}_tokenizer_class": Tekken}


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
    "Flux.2": Encoder(flux.Flux2Tokenizer, flux.flux2_te, {"mistral3_24b": DEEP}, 40, lambda: tekken("mistral3_24b")),
    "Ernie-Image": Encoder(
        ernie.ErnieTokenizer, ernie.te, {"ministral3_3b": LLAMA}, 0, lambda: tekken("ministral3_3b")
    ),
    "Wan": Encoder(wan.WanT5Tokenizer, wan.te, {"umt5xxl": T5}, 1, lambda: pieces(True)),
    "Lumina 2": Encoder(lumina2.LuminaTokenizer, lumina2.te, {"gemma2_2b": LLAMA}, 1, lambda: pieces(False)),
}  # fmt: skip
