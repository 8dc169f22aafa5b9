"""Concept words -> text embeddings: each word encoded alone, its semantic tokens kept (section 3.1)."""

from typing import Any

import torch

from ...hrv_engine.concepts import ConceptSet
from ...hrv_engine.errors import HRVError
from ...hrv_engine.voting import WordBank
from .tokens import semantic_columns


def word_bank(clip: Any, concepts: ConceptSet) -> WordBank:
    """Encode every concept word as a prompt of its own; raises HRVError that names a word without tokens."""
    encoded, begin = {}, None
    for concept in concepts.concepts:
        for word in concept.words:
            if word in encoded:
                continue
            columns = semantic_columns(clip, word)
            if not columns:
                raise HRVError(
                    f'The word "{word}" of the concept "{concept.name}" has no tokens: the tokenizer reads nothing'
                    " there. Choose another word."
                )
            context = encode(clip, word)[0][0]  # [1 tokens channels]
            encoded[word] = context[0, list(columns)].float()
            begin = context[0, 0].float() if begin is None else begin
    assert begin is not None  # a ConceptSet is never empty
    return WordBank.of(concepts, encoded, begin)


def encode(clip: Any, text: str) -> list[list[Any]]:
    """CONDITIONING of a text, exactly as core's CLIP Text Encode makes it."""
    with torch.inference_mode():
        return clip.encode_from_tokens_scheduled(clip.tokenize(text))
