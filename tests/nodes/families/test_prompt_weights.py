"""HRV Prompt Weights on a joint and on a cross-attention transformer, with tables made by hand."""

from __future__ import annotations

import re
from typing import Any

import pytest
import torch

from comfyui_hrv.hrv_engine.text.alignment import Piece, TokenTable
from comfyui_hrv.nodes import prompt as prompt_node
from comfyui_hrv.nodes.host.unet import layout_of
from comfyui_hrv.nodes.steering.prompt_weights import HRVPromptWeights

from ..explicit import relative
from .explicit import Explicit
from .steered import factors_of
from .tiny_models import TINY, Tiny

pytestmark = pytest.mark.usefixtures("inference_mode")
TEXT, TOKENS, TEMPLATE = "a red vase on grass", 7, 1  # a token before the text's own, and one after


@pytest.fixture(params=["Flux.1", "Flux.2", "Wan", "Cosmos-Predict2"])
def tiny(request) -> Tiny:
    return TINY[request.param]


class Encoder:
    """A text encoder of another kind than CLIP: a token a word, inside a template."""

    def __init__(self, tiny: Tiny) -> None:
        self.tiny = tiny

    def tokenize(self, text: str) -> str:
        return text

    def encode_from_tokens_scheduled(self, tokens: str) -> list:
        assert tokens == TEXT  # never a weight
        return self.tiny.conditioning(self.tiny.prompt(TOKENS, 1))


def a_token_a_word(clip: Any, text: str) -> TokenTable:
    words = re.findall(r"\S+", text)
    pieces = tuple(Piece(TEMPLATE + place, word.encode(), True) for place, word in enumerate(words))
    return TokenTable(text, pieces, TOKENS)


@pytest.fixture
def weighted(tiny, model, monkeypatch):
    """Latents of a weighted text."""
    monkeypatch.setattr(prompt_node, "token_table", a_token_a_word)

    def draw(text: str, other: int = TOKENS, batch: int = 1) -> torch.Tensor:
        ours, positive, _ = HRVPromptWeights.execute(model, Encoder(tiny), text, 1.0, 0.0, 0.0, 1.0).args
        return tiny.sample(ours, positive, tiny.conditioning(tiny.prompt(other, 2)), batch)

    return draw


def written_out(tiny: Tiny, model: Any, weight: float, other: int = TOKENS) -> torch.Tensor:
    """Latents with the columns of "red vase" times a weight in attention written out."""
    positive = tiny.prompt(TOKENS, 1)
    explicit = Explicit(tiny, positive, (TEMPLATE + 1, TEMPLATE + 2), factors_of(model, weight))
    drawn = tiny.sample(explicit.on(model), tiny.conditioning(positive), tiny.conditioning(tiny.prompt(other, 2)))
    assert explicit.site == len(layout_of(model).sites)
    return drawn


@pytest.mark.parametrize("weight", [2, 0, -1])
@pytest.mark.parametrize("other", [TOKENS, 10], ids=["together", "apart"])
def test_a_weight_equals_attention_written_out(tiny, model, weighted, weight, other):
    ours = weighted(f"a (red vase:{weight}) on grass", other)
    assert relative(ours, written_out(tiny, model, weight, other)) <= 1e-5
    assert relative(ours, weighted(TEXT, other)) > 1e-4


def test_weight_one_is_bit_identical_to_the_plain_model(tiny, model, weighted):
    plain = tiny.sample(model, tiny.conditioning(tiny.prompt(TOKENS, 1)), tiny.conditioning(tiny.prompt(TOKENS, 2)))
    assert torch.equal(weighted("a (red vase:1) on (grass:1)"), plain)
    assert torch.equal(weighted(TEXT), plain)


def test_every_image_of_a_batch_is_weighted_alike(tiny, weighted):
    three, plain = weighted("a (red vase:-1) on grass", batch=3), weighted(TEXT, batch=3)
    changes = (three - plain).flatten(1).norm(dim=1)
    assert (changes > 0.1 * changes.max()).all()
    one = weighted("a (red vase:-1) on grass")
    assert relative(three[:1], one) <= 1e-4
