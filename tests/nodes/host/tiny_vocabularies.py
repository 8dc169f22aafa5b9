"""Small vocabularies in the formats that checkpoints carry: SentencePiece's, and Mistral's tekken."""

from __future__ import annotations

import base64
import inspect
import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any
from unittest.mock import patch

import sentencepiece
import torch
from tokenizers import Tokenizer
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import ByteLevel
from tokenizers.trainers import BpeTrainer
from transformers.integrations import mistral

from comfyui_hrv.nodes.host.byte_alphabet import byte_of

WORDS = (
    "a red car and blue trees beside the old house in lavender"
    " light painted by nobody under three skies, describe an image"
)
SPECIAL = (  # of Mistral, by rank; 11 is what the host pads with
    "<unk>", "<s>", "</s>", "[INST]", "[/INST]", "[AVAILABLE_TOOLS]", "[/AVAILABLE_TOOLS]", "[TOOL_RESULTS]",
    "[/TOOL_RESULTS]", "[TOOL_CALLS]", "[IMG]", "<pad>", "[IMG_BREAK]", "[IMG_END]", "[PREFIX]", "[MIDDLE]", "[SUFFIX]",
    "[SYSTEM_PROMPT]", "[/SYSTEM_PROMPT]",
)  # fmt: skip
PATTERN = (  # what transformers takes where the host names none
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"
    r"|\s+(?!\S)|\s+"
)


@lru_cache
def spiece(blank_first: bool = False) -> dict[str, Any]:
    """A SentencePiece model of a few words, as a checkpoint carries one."""
    return trained(vocab_size=120, byte_fallback=False, add_dummy_prefix=blank_first)


@lru_cache
def gemma_3() -> dict[str, Any]:
    """The same with Gemma 3's marks of turns in their places, 105 and 106, and tokens for single bytes."""
    marks = [*(f"<unused{n}>" for n in range(101)), "<start_of_turn>", "<end_of_turn>"]
    return trained(vocab_size=500, byte_fallback=True, add_dummy_prefix=False, user_defined_symbols=marks)


def trained(**options: Any) -> dict[str, Any]:
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter([WORDS] * 50), model_writer=model, pad_id=0, eos_id=1, bos_id=2, unk_id=3,
        hard_vocab_limit=False, minloglevel=2, **options,
    )  # fmt: skip
    return {"spiece_model": as_tensor(model.getvalue())}


@lru_cache
def tekken() -> dict[str, Any]:
    """A tekken file: json with the bytes of every token in base64, by rank, and the special tokens apart."""
    trained = Tokenizer(BPE())
    trained.pre_tokenizer = ByteLevel(add_prefix_space=False)
    trainer = BpeTrainer(vocab_size=360, initial_alphabet=ByteLevel.alphabet(), show_progress=False)
    trained.train_from_iterator([WORDS], trainer)
    letters = byte_of()
    names = [name for name, _ in sorted(trained.get_vocab().items(), key=lambda entry: entry[1])]
    spelt = [base64.b64encode(bytes(letters[char] for char in name)).decode() for name in names]
    file = {
        "config": {"default_vocab_size": len(names) + len(SPECIAL), "default_num_special_tokens": len(SPECIAL)},
        "vocab": [{"rank": rank, "token_bytes": token, "token_str": None} for rank, token in enumerate(spelt)],
        "special_tokens": [{"rank": n, "token_str": token, "is_control": True} for n, token in enumerate(SPECIAL)],
    }
    return {"tekken_model": as_tensor(json.dumps(file).encode())}


def as_tensor(data: bytes) -> torch.Tensor:
    """As a checkpoint keeps a file among its weights."""
    return torch.frombuffer(bytearray(data), dtype=torch.uint8)


@contextmanager
def tekken_is_read() -> Iterator[None]:
    """The host's reader of tekken files works inside, whatever version of transformers is there.

    transformers 5.2x takes the path of a file where the host gives the vocabulary it has read.
    """
    if "vocab" in inspect.signature(mistral.MistralConverter.__init__).parameters:
        yield
        return
    with patch.object(mistral, "MistralConverter", OfVocabulary):
        yield


class OfVocabulary(mistral.MistralConverter):
    """The converter as the host calls it; its ids are places in the vocabulary, as in transformers 4."""

    def __init__(self, vocab: dict[str | bytes, int], additional_special_tokens: list) -> None:
        places = {token: place for place, token in enumerate(vocab)}
        ordinary = {token: place for token, place in places.items() if isinstance(token, bytes)}
        spelt, self._precomputed_merges = self._extract_merges(ordinary)
        special = {token: place for token, place in places.items() if isinstance(token, str)}
        self._precomputed_vocab = special | spelt
        self.pattern, self.add_prefix_space = PATTERN, False
        self.additional_special_tokens = additional_special_tokens
