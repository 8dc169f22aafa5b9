"""Sketches: one tensor in two precisions is alike, another one is not, however little of it changed."""

from __future__ import annotations

import torch

from hrv_engine.relevance.sketch import alike, sketch

CONTEXT = torch.randn(1, 77, 64, generator=torch.Generator().manual_seed(3))


def test_precision_makes_no_difference_and_content_does():
    for dtype in (torch.float16, torch.bfloat16):
        assert alike(sketch(CONTEXT), sketch(CONTEXT.to(dtype)))
    other = CONTEXT.clone()
    other[:, 40:] = torch.randn(1, 37, 64, generator=torch.Generator().manual_seed(4))
    assert not alike(sketch(CONTEXT), sketch(other)) and not alike(sketch(CONTEXT), sketch(CONTEXT[:, :76]))


def test_one_word_in_a_padded_context_is_seen():
    short = torch.zeros(1, 256, 64)
    short[:, :5] = CONTEXT[:, :5]
    other = short.clone()
    other[:, 3] = CONTEXT[:, 60]
    assert not alike(sketch(short), sketch(other)) and alike(sketch(short), sketch(short.half()))


def test_zeros_have_a_sketch_and_texts_around_it_must_be_equal():
    assert alike(sketch(torch.zeros(1, 4, 8)), sketch(torch.zeros(1, 4, 8)))
    assert not alike(sketch(CONTEXT), "none") and alike("none", "none")
    assert not alike(f"{sketch(CONTEXT)} [('strength',0.5)]", f"{sketch(CONTEXT)} [('strength',1.0)]")
