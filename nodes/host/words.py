"""Concept words -> text embeddings: each word encoded alone, its semantic tokens kept (section 3.1)."""

from collections.abc import Iterable
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

import comfy.model_management
import comfy.utils
import numpy as np
import torch

from ...hrv_engine.errors import HRVError
from ...hrv_engine.relevance.concepts import ConceptSet
from ...hrv_engine.relevance.voting import WordBank
from .riding_words import RidingWords
from .tokens import has_begin, semantic_columns, token_table
from .word_prompts import WordPrompt, WordPrompts

Keys = TypeVar("Keys", RidingWords, WordPrompts)

AT_ONCE = 32  # words encoded together
_vectors: "WeakKeyDictionary[Any, tuple[Any, dict[str, np.ndarray]]]" = WeakKeyDictionary()  # of the last concepts
PROBES = ("wizard", "harbor")  # one token each for CLIP; an encoder that takes one for the other knows neither


def word_bank(clip: Any, concepts: ConceptSet) -> WordBank:
    """Encode every concept word as a prompt of its own; raises HRVError that names a word without tokens."""
    contexts = {
        word: (encode_once(clip, word)[0][0].float(), list(own)) for word, own in _columns(clip, concepts).items()
    }
    first, (context, _) = next(iter(contexts.items()))
    encoded = {word: context[columns] for word, (context, columns) in contexts.items()}
    return WordBank.of(concepts, encoded, context[0] if has_begin(clip, first) else None)


def word_prompts(clip: Any, concepts: ConceptSet, kind: type[Keys]) -> Keys:
    """The same as prompts, for models in which words have keys only in a run; kind: what makes these of them.

    Each prompt has a begin-of-text token of its own, if any, and none is shared: so none takes part in votes.
    """
    columns = _columns(clip, concepts)
    numbers = {word: number for number, word in enumerate(columns)}
    prompts = [WordPrompt([encode_once(clip, word)], own) for word, own in columns.items()]
    bank = WordBank.of(concepts, {word: torch.zeros(len(own), 0) for word, own in columns.items()}, None)
    return kind(bank, prompts, [[numbers[word] for word in concept.words] for concept in concepts.concepts])


def _columns(clip: Any, concepts: ConceptSet) -> dict[str, tuple[int, ...]]:
    """The columns of every word's semantic tokens in its own context."""
    found: dict[str, tuple[int, ...]] = {}
    for concept in concepts.concepts:
        for word in concept.words:
            if word not in found:
                found[word] = semantic_columns(clip, word)
            if not found[word]:
                raise HRVError(
                    f'The word "{word}" of the concept "{concept.name}" has no tokens: the tokenizer reads nothing'
                    " there. Choose another word."
                )
    return found


def encode(clip: Any, text: str) -> list[list[Any]]:
    """CONDITIONING of a text, exactly as core's CLIP Text Encode makes it."""
    with torch.inference_mode():
        return clip.encode_from_tokens_scheduled(clip.tokenize(text))


def encode_once(clip: Any, text: str) -> list[Any]:
    """The context of a text and what belongs to it; raises HRVError where the encoder gives several, by a schedule."""
    encoded = encode(clip, text)
    if len(encoded) != 1:
        raise HRVError(
            f'This CLIP encodes "{text[:60]}" {len(encoded)} times, for parts of the sampling: hooks with a schedule'
            " are on it (schedule_clip of Set CLIP Hooks), and here one context is needed. Connect the CLIP without"
            " them, or switch schedule_clip off."
        )
    return encoded[0]


def word_vectors(clip: Any, words: Iterable[str]) -> dict[str, np.ndarray]:
    """Mean embedding of each word's tokens, encoded alone, float32 [channels]; many words at a time, can be cancelled.

    The words go as the chunks of one long text, which CLIP encodes independently of one another. Raises HRVError for a
    word without tokens.
    """
    every = list(dict.fromkeys(words))
    bar, found = comfy.utils.ProgressBar(len(every)), dict[str, np.ndarray]()
    for start in range(0, len(every), AT_ONCE):
        comfy.model_management.throw_exception_if_processing_interrupted()
        found |= _encoded_together(clip, every[start : start + AT_ONCE])
        bar.update_absolute(len(found))
    return found


def concept_vectors(clip: Any, concepts: ConceptSet) -> dict[str, np.ndarray]:
    """`word_vectors` of all concept words, encoded once as long as text encoder, its patches and the concepts stay."""
    state = (concepts.digest, clip.patcher.patches_uuid, clip.layer_idx)
    if _vectors.get(clip, (None,))[0] != state:
        words = (word for concept in concepts.concepts for word in concept.words)
        _vectors[clip] = state, word_vectors(clip, words)
    return _vectors[clip][1]


def unknown_words(clip: Any, vectors: dict[str, np.ndarray]) -> list[str]:
    """The words that the encoder embeds as it embeds any other of as many tokens: those it has never learned."""
    length = {word: len(semantic_columns(clip, word)) for word in vectors}
    probes = word_vectors(clip, (" ".join([probe] * count) for probe in PROBES for count in set(length.values())))
    return [
        word
        for word, vector in vectors.items()
        if all(
            np.allclose(vector, probes[" ".join([probe] * length[word])], atol=1e-4)
            for probe in PROBES
            if probe != word.casefold()
        )
    ]


def _encoded_together(clip: Any, words: list[str]) -> dict[str, np.ndarray]:
    tokens: dict[str, list] = {}
    places, used = dict[str, list[int]](), 0
    for word in words:
        columns = token_table(clip, word).columns
        if not columns:
            raise HRVError(f'The word "{word}" has no tokens: the tokenizer reads nothing there. Choose another word.')
        alone = clip.tokenize(word)
        for encoder, chunks in alone.items():
            tokens.setdefault(encoder, []).extend(chunks)
        places[word] = [used + column for column in columns]
        used += sum(len(chunk) for chunk in next(iter(alone.values())))
    with torch.inference_mode():
        context = clip.encode_from_tokens_scheduled(tokens)[0][0][0].float().cpu()  # [tokens channels]
    return {word: context[columns].mean(dim=0).numpy() for word, columns in places.items()}
