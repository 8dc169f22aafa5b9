"""Model folders as the hub has them, tiny and with random weights: BLIP-2, DINOv2, CLIPSeg, Grounding DINO, SAM 2."""

from __future__ import annotations

from pathlib import Path

import torch

WORDS = ["a", "an", "the", "red", "blue", "cat", "dog", "car", "bowl", "and", "on", "with", "small", "photo", "of"]


def save_all(root: Path, blip2: str, dinov2: str, clipseg: str, detector: str, sam2: str) -> None:
    """All of them in folders of these names, as models/hrv_eval holds them."""
    save_blip2(root / blip2)
    save_dinov2(root / dinov2)
    save_clipseg(root / clipseg)
    save_grounding_dino(root / detector)
    save_sam2(root / sam2)


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


def save_grounding_dino(folder: Path, seed: int = 0) -> Path:
    """A Grounding DINO of six queries over a tiny Swin and BERT, with a tokenizer of single letters."""
    from transformers import (
        BertConfig,
        BertTokenizer,
        GroundingDinoConfig,
        GroundingDinoForObjectDetection,
        GroundingDinoImageProcessor,
        GroundingDinoProcessor,
        SwinConfig,
    )

    letters = [chr(number) for number in range(ord("a"), ord("z") + 1)]
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", ".", "?", *letters, *(f"##{letter}" for letter in letters)]
    tokenizer = BertTokenizer(vocab={piece: number for number, piece in enumerate(pieces)}, model_max_length=64)
    backbone = SwinConfig(
        image_size=64, patch_size=4, embed_dim=8, depths=[1] * 4, num_heads=[1] * 4, window_size=4,
        out_features=["stage2", "stage3", "stage4"],
    )  # fmt: skip
    text = BertConfig(
        vocab_size=len(pieces), hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32,
        max_position_embeddings=64,
    )  # fmt: skip
    layers = {f"{part}_{what}": count for part in ("encoder", "decoder") for what, count in
              (("ffn_dim", 32), ("attention_heads", 2), ("n_points", 2), ("layers", 2))}  # fmt: skip
    torch.manual_seed(seed)
    GroundingDinoForObjectDetection(
        GroundingDinoConfig(
            backbone_config=backbone.to_dict(), text_config=text.to_dict(), num_queries=6, d_model=32, max_text_len=64,
            **layers,
        )
    ).save_pretrained(folder)  # fmt: skip
    processor = GroundingDinoImageProcessor(size={"shortest_edge": 128, "longest_edge": 128})
    GroundingDinoProcessor(processor, tokenizer).save_pretrained(folder)
    return folder


def save_sam2(folder: Path, seed: int = 0) -> Path:
    """A SAM 2 that sees 64 x 64 pixels."""
    from transformers import (
        Sam2Config,
        Sam2HieraDetConfig,
        Sam2ImageProcessor,
        Sam2MaskDecoderConfig,
        Sam2Model,
        Sam2Processor,
        Sam2PromptEncoderConfig,
        Sam2VisionConfig,
    )

    backbone = Sam2HieraDetConfig(
        hidden_size=8, image_size=[64, 64], window_positional_embedding_background_size=[4, 4],
        blocks_per_stage=[1] * 4, embed_dim_per_stage=[8, 16, 32, 64], num_attention_heads_per_stage=[1, 1, 2, 2],
        window_size_per_stage=[8, 4, 4, 2], global_attention_blocks=[],
    )  # fmt: skip
    vision = Sam2VisionConfig(
        backbone_config=backbone.to_dict(), backbone_channel_list=[64, 32, 16, 8], fpn_hidden_size=32,
        backbone_feature_sizes=[[16, 16], [8, 8], [4, 4]],
    )  # fmt: skip
    prompts = Sam2PromptEncoderConfig(hidden_size=32, image_size=64, mask_input_channels=4)
    decoder = Sam2MaskDecoderConfig(hidden_size=32, mlp_dim=32, num_attention_heads=2, iou_head_hidden_dim=32)
    torch.manual_seed(seed)
    Sam2Model(
        Sam2Config(
            vision_config=vision.to_dict(),
            prompt_encoder_config=prompts.to_dict(),
            mask_decoder_config=decoder.to_dict(),
        )
    ).save_pretrained(folder)
    square, small = {"height": 64, "width": 64}, {"height": 16, "width": 16}
    Sam2Processor(Sam2ImageProcessor(size=square, mask_size=small)).save_pretrained(folder)
    return folder
