"""Structured Diffusion's mean of contexts: exact where nothing changes, and only the spans of phrases change."""

from __future__ import annotations

import pytest
import torch

from hrv_engine.errors import HRVError
from hrv_engine.guidance.phrase_values import lent_values


def context(seed: int, tokens: int = 77) -> torch.Tensor:
    return torch.randn(1, tokens, 8, generator=torch.Generator().manual_seed(seed))


def test_only_the_span_changes_and_it_is_the_mean_of_prompt_and_pasted_prompts():
    prompt, red, blue = context(0), context(1), context(2)
    lent = lent_values(prompt, [((2, 3), red), ((6, 7), blue)])
    assert lent.columns == (2, 3, 6, 7)
    expected = torch.cat([(2 * prompt[0, 2:4] + red[0, 1:3]) / 3, (2 * prompt[0, 6:8] + blue[0, 1:3]) / 3])
    assert torch.allclose(lent.rows, expected, atol=1e-6)


def test_a_phrase_that_is_the_prompt_changes_no_bit():
    prompt = context(0)
    for times in (1, 2, 3):
        lent = lent_values(prompt, [((1, 2, 3), prompt)] * times)
        assert torch.equal(lent.rows, prompt[0, 1:4])


def test_a_span_over_the_edge_of_a_chunk_takes_the_phrases_tokens_in_order():
    prompt, phrase = context(0, 154), context(1)
    lent = lent_values(prompt, [((75, 78), phrase)])
    assert torch.allclose(lent.rows, (prompt[0, [75, 78]] + phrase[0, 1:3]) / 2, atol=1e-6)


def test_a_phrase_longer_than_its_encoding_is_refused():
    with pytest.raises(HRVError, match="longer than its own encoding"):
        lent_values(context(0, 154), [(tuple(range(1, 77)) + (78,), context(1))])
