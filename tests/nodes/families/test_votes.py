"""Votes on transformers: those of Algorithm 1 written out, and an image that does not know of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from comfyui_hrv.hrv_engine.relevance.concepts import Concept, ConceptSet
from comfyui_hrv.hrv_engine.relevance.voting import WordBank, WordSampler
from comfyui_hrv.nodes.host.families import family_of
from comfyui_hrv.nodes.host.recording import VoteRecorder
from comfyui_hrv.nodes.host.unet import layout_of
from comfyui_hrv.nodes.host.word_prompts import WordPrompt, WordPrompts

from .slow_votes import COLUMNS, slow_votes
from .tiny_models import Tiny

pytestmark = pytest.mark.usefixtures("inference_mode")
CONCEPTS = ConceptSet("three", (Concept("A", ("a", "b")), Concept("B", ("c", "d", "e")), Concept("C", ("f", "g"))))
WORDS = list(dict.fromkeys(word for concept in CONCEPTS.concepts for word in concept.words))
NUMBERS = [[WORDS.index(word) for word in concept.words] for concept in CONCEPTS.concepts]
SHORT = {"HunyuanDiT1": 7}  # a model whose contexts are of one length


def contexts(tiny: Tiny) -> list[torch.Tensor]:
    """Of every word; of two lengths where a model takes them."""
    return [tiny.prompt(SHORT.get(tiny.kind, 6 + 2 * (n % 2)), 20 + n) for n in range(len(WORDS))]


def recorder_of(tiny: Tiny, model: Any, sampling: str = "per step") -> VoteRecorder:
    words, module = contexts(tiny), model.model.diffusion_model
    if family_of(module).words_need_runs(module):
        bank = WordBank.of(CONCEPTS, {word: torch.zeros(len(COLUMNS), 0) for word in WORDS}, None)
        prompts = WordPrompts(bank, [WordPrompt(tiny.conditioning(context), COLUMNS) for context in words], NUMBERS)
    else:
        encoded = {word: context[0, list(COLUMNS)] for word, context in zip(WORDS, words, strict=True)}
        bank, prompts = WordBank.of(CONCEPTS, encoded, None), None
    return VoteRecorder(WordSampler(bank, 3, 2, sampling), layout_of(model), None, False, prompts)


def drawn(tiny: Tiny, model: Any, batch: int = 1) -> torch.Tensor:
    return tiny.sample(model, tiny.conditioning(tiny.prompt(7, 1)), tiny.conditioning(tiny.prompt(7, 2)), batch)


def test_votes_equal_algorithm_1_written_out_and_the_image_is_plain_to_the_bit(tiny, model):
    batch = 1 if tiny.kind == "MiniMaxH3" else 2  # the host runs it on one image at a time
    recorder = recorder_of(tiny, model)
    recorder.begin(list(range(batch)))
    recorded, plain = drawn(tiny, recorder.attach(model), batch), drawn(tiny, model, batch)
    heads = [site.heads for site in layout_of(model).sites]
    votes = recorder.take()[0].numpy()
    expected = slow_votes(
        tiny, model, tiny.prompt(7, 1), tiny.prompt(7, 2), contexts(tiny), NUMBERS, recorder.sampler, heads, batch, 2
    )
    assert (votes.sum(axis=0) == 2 * 2 * batch).all() and (expected.sum(axis=0) == 2 * 2 * batch).all()
    assert np.array_equal(votes, expected)
    assert torch.equal(recorded, plain)
