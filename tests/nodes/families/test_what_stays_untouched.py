"""What a scaled word must not reach directly: the text's own queries, refiners, an image's own attention."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
import torch

from comfyui_hrv.hrv_engine.attention.values import join_heads
from comfyui_hrv.nodes.host.conditioning import KEY
from comfyui_hrv.nodes.host.steering import steered

from .steered import COLUMNS, annotation, factors_of
from .tiny_models import TINY, Tiny

pytestmark = pytest.mark.usefixtures("inference_mode")


class Notes:
    """An override that notes the values of every attention call, and its output, each by token, and how many ask."""

    def __init__(self) -> None:
        self.calls: list[tuple[int, torch.Tensor, torch.Tensor]] = []

    def __call__(self, function: Any, query: Any, key: Any, value: Any, heads: int, *more: Any, **named: Any) -> Any:
        output = function(query, key, value, heads, *more, **named)
        axis = 2 if named.get("skip_reshape") else 1
        value = join_heads(value) if axis == 2 else value.flatten(2)
        joined = join_heads(output) if named.get("skip_output_reshape") else output
        self.calls.append((query.shape[axis], value.clone(), joined.clone()))
        return output


def noted(tiny: Tiny, model: Any, conditioning: list) -> list[tuple[int, torch.Tensor, torch.Tensor]]:
    """The attention calls of the first step of a model without CFG."""
    notes, clone = Notes(), model.clone()
    clone.model_options["transformer_options"]["optimized_attention_override"] = notes
    tiny.sample(clone, conditioning, conditioning, steps=1)
    return notes.calls


def ends_with_text(tiny: Tiny) -> bool:
    return tiny.joint and not tiny.optionless


@pytest.mark.parametrize("name", [name for name, tiny in TINY.items() if ends_with_text(tiny)])
def test_the_first_site_gives_text_queries_what_they_had_to_the_bit(name):
    """At the first site nothing differs yet but the values; whatever attention ran before it is as it was."""
    tiny = TINY[name]
    model = tiny.model()
    context = tiny.prompt(7, 1)
    plain = noted(tiny, model, tiny.conditioning(context))
    asked = tiny.conditioning(context, **{KEY: annotation(factors_of(model))})
    ours = noted(tiny, steered(model), asked)
    _, length = tiny.padded(7)
    total = tiny.first + tiny.inside(length) + tiny.between + tiny.image + tiny.pads
    first = next(place for place, call in enumerate(plain) if call[0] == total)
    for place in range(first):  # refiners and the like
        assert torch.equal(plain[place][2], ours[place][2])
    _, value, whole = plain[first]
    split = [call for call in ours[first:] if call[0] < total][:3]
    lengths = Counter(call[0] for call in split)
    assert lengths[tiny.image], "the image's queries come in a call of their own"
    text = next(call for call in split if call[0] != tiny.image)
    assert torch.equal(text[1], value)
    image = next(call for call in split if call[0] == tiny.image)
    assert not torch.equal(image[1], value)
    start = tiny.image + tiny.between if tiny.image_first else 0
    assert torch.equal(text[2], whole.narrow(1, start, text[0]))


@pytest.mark.parametrize("name", [name for name, tiny in TINY.items() if not tiny.joint and not tiny.optionless])
def test_only_attention_to_the_prompt_gets_other_values(name):
    """Self-attention, attention to a start image, and the layers of a text or of sound keep theirs."""
    tiny = TINY[name]
    model = tiny.model()
    context = tiny.prompt(7, 1)
    plain = noted(tiny, model, tiny.conditioning(context))
    ours = noted(tiny, steered(model), tiny.conditioning(context, **{KEY: annotation(factors_of(model))}))
    assert [call[0] for call in plain] == [call[0] for call in ours]
    changed = [place for place, (one, other) in enumerate(zip(plain, ours, strict=True)) if not same(one, other)]
    first = changed[0]
    for place in range(first):
        assert torch.equal(plain[place][2], ours[place][2])
    rows = (plain[first][1] != ours[first][1]).movedim(1, 0).flatten(1).any(dim=1).nonzero().flatten().tolist()
    assert plain[first][0] == tiny.image and tuple(rows) == COLUMNS


def same(one: tuple, other: tuple) -> bool:
    return torch.equal(one[1], other[1])
