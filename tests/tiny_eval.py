"""Model folders as the hub has them, tiny and with random weights: BLIP-2, DINOv2 and CLIPSeg from their configs."""

from __future__ import annotations

from pathlib import Path

import torch

WORDS = ["a", "an", "the", "red", "blue", "cat", "dog", "car", "bowl", "and", "on", "with", "small", "photo", "of"]


def save_all(root: Path, blip2: str, dinov2: str, clipseg: str) -> None:
    """All three in folders of these names, as models/hrv_eval holds them."""
    save_blip2(root / blip2)
    save_dinov2(root / dinov2)
    save_clipseg(root / clipseg)


def save_blip2(folder: Path, seed: int = 0) -> Path:
    """A BLIP-2 with an OPT of 32 channels, whose captions are made of WORDS."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import (
        Blip2Config,
        Blip2ForConditionalGeneration,
        Blip2Processor,
        Blip2QFormerConfig,
        Blip2VisionConfig,
        BlipImageProcessor,
        OPTConfig,
        PreTrainedTokenizerFast,
    )

    vocabulary = {word: number for number, word in enumerate(["</s>", "<pad>", "<unk>", *WORDS, "<image>"])}
    plain = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    plain.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=plain, bos_token="</s>", eos_token="</s>", pad_token="<pad>", unk_token="<unk>",
        extra_special_tokens={"image_token": "<image>"},
    )  # fmt: skip
    size = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 2}
    text = OPTConfig(
        vocab_size=len(vocabulary), hidden_size=32, ffn_dim=64, num_hidden_layers=1, num_attention_heads=2,
        word_embed_proj_dim=32, max_position_embeddings=64, bos_token_id=0, eos_token_id=0, pad_token_id=1,
        init_std=0.4,
    )  # fmt: skip
    config = Blip2Config(
        vision_config=Blip2VisionConfig(image_size=32, patch_size=16, initializer_range=0.4, **size).to_dict(),
        qformer_config=Blip2QFormerConfig(
            encoder_hidden_size=32, vocab_size=len(vocabulary), initializer_range=0.4, **size
        ).to_dict(),
        text_config=text.to_dict(),
        num_query_tokens=4,
        image_token_index=vocabulary["<image>"],
    )
    config.initializer_range = 0.4
    torch.manual_seed(seed)
    model = Blip2ForConditionalGeneration(config)
    torch.nn.init.normal_(model.query_tokens)
    model.save_pretrained(folder)
    processor = BlipImageProcessor(size={"height": 32, "width": 32})
    Blip2Processor(processor, tokenizer, num_query_tokens=4).save_pretrained(folder)
    return folder


def save_dinov2(folder: Path, seed: int = 0) -> Path:
    """A DINOv2 of one layer that sees 28 x 28 pixels."""
    from transformers import BitImageProcessor, Dinov2Config, Dinov2Model

    torch.manual_seed(seed)
    Dinov2Model(
        Dinov2Config(hidden_size=32, num_hidden_layers=1, num_attention_heads=2, image_size=28, patch_size=14)
    ).save_pretrained(folder)
    square = {"height": 28, "width": 28}
    BitImageProcessor(size={"shortest_edge": 32}, crop_size=square).save_pretrained(folder)
    return folder


def save_clipseg(folder: Path, seed: int = 0) -> Path:
    """A CLIPSeg of one decoder layer over tiny CLIP towers, with a tokenizer of single letters."""
    from transformers import (
        CLIPSegConfig,
        CLIPSegForImageSegmentation,
        CLIPSegProcessor,
        CLIPTokenizer,
        ViTImageProcessor,
    )

    letters = [chr(number) for number in range(ord("a"), ord("z") + 1)]
    pieces = [*letters, *(letter + "</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    vocabulary = {piece: number for number, piece in enumerate(pieces)}
    tokenizer = CLIPTokenizer(vocab=vocabulary, merges=[], model_max_length=16)
    start, end = vocabulary["<|startoftext|>"], vocabulary["<|endoftext|>"]
    size = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
    torch.manual_seed(seed)
    config = CLIPSegConfig(
        text_config={
            **size, "vocab_size": len(pieces), "max_position_embeddings": 16, "bos_token_id": start,
            "eos_token_id": end, "pad_token_id": end,
        },
        vision_config={**size, "image_size": 32, "patch_size": 16},
        projection_dim=16, extract_layers=[0, 1], reduce_dim=16, decoder_num_attention_heads=2,
        decoder_intermediate_size=32, conditional_layer=0,
    )  # fmt: skip
    CLIPSegForImageSegmentation(config).save_pretrained(folder)
    processor = ViTImageProcessor(
        size={"height": 32, "width": 32}, image_mean=[0.485, 0.456, 0.406], image_std=[0.229, 0.224, 0.225]
    )
    CLIPSegProcessor(processor, tokenizer).save_pretrained(folder)
    return folder
