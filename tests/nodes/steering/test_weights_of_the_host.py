"""Thousands of prompts: every token has the weight that the host's own tokenizer gives it."""

from __future__ import annotations

import logging
import random
import re

import comfy.sd1_clip
import pytest
import torch
from comfy.sd1_clip import escape_important, token_weights, unescape_important

from comfyui_hrv.hrv_engine.errors import HRVError
from comfyui_hrv.hrv_engine.text.weighted import WeightedText
from comfyui_hrv.nodes.host.tokens import token_table

from ..host.generated_prompts import embeddings, generated, random_texts
from ..host.test_tokens import Encoder

PARTS = ["a", "b c", "(", ")", "(", ")", ":1.5", ":-1", ":0", "\\(", "\\)", ":", ", ", " ", ":1e1", ": 2 ", ":x", "\\"]
OURS = re.compile(r":\s*[-+]?[\d.]+\s*(@|(?<=\s)[^\s()])")  # a number with a concept or a window, which only we read


@pytest.fixture(autouse=True)
def no_warnings():
    """Core warns of every embedding that is not there."""
    logging.disable(logging.WARNING)
    yield
    logging.disable(logging.NOTSET)


def read(text: str) -> WeightedText | None:
    """The prompt as we read it; None where only we know a concept or refuse a number."""
    try:
        return None if OURS.search(text) else WeightedText.parse(text)
    except HRVError:
        return None


def test_brackets_of_any_kind_are_the_hosts():
    rng, compared = random.Random(1), 0
    for _ in range(5000):
        text = "".join(rng.choice(PARTS) for _ in range(rng.randrange(1, 16)))
        if prompt := read(text):
            host = [(unescape_important(part), weight) for part, weight in token_weights(escape_important(text), 1.0)]
            assert [(stretch.text, stretch.weight) for stretch in prompt.stretches] == host, text
            compared += 1
    assert compared > 3000


@pytest.fixture(scope="module")
def clip(tmp_path_factory) -> Encoder:
    return Encoder(comfy.sd1_clip.SD1Tokenizer(embedding_directory=embeddings(tmp_path_factory.mktemp("embeddings"))))


def semantic(clip: Encoder, text: str) -> dict[int, tuple]:
    """Column -> (token, weight) of everything that is neither special nor padding."""
    flat = [token for chunk in clip.tokenize(text, return_word_ids=True)["l"] for token in chunk]
    return {
        column: (tuple(token.flatten()[:4].tolist()) if isinstance(token, torch.Tensor) else token, weight)
        for column, (token, weight, word) in enumerate(flat)
        if word
    }


def differences(clip: Encoder, texts) -> tuple[int, list[str]]:
    """How many texts make the same tokens with and without weights, and those whose tokens have other weights."""
    compared, wrong = 0, []
    for text in texts:
        prompt = read(text)
        try:
            host = None if prompt is None else semantic(clip, text)
        except IndexError:  # "embedding:" without a name
            continue
        if prompt is None or host is None:
            continue
        ours = semantic(clip, prompt.to_encode)
        if [token for token, _ in host.values()] != [token for token, _ in ours.values()]:
            continue  # brackets inside a word: without them it is another token
        assert all(weight == 1 for _, weight in ours.values()), text
        compared += 1
        found = dict.fromkeys(ours, 1.0)
        for stretch, columns in zip(prompt.stretches, prompt.columns(token_table(clip, prompt.to_encode)), strict=True):
            found |= dict.fromkeys(columns, stretch.weight)
        if list(found.values()) != [weight for _, weight in host.values()]:
            wrong.append(text)
    return compared, wrong


def test_every_token_of_known_words_has_the_hosts_weight(clip):
    compared, wrong = differences(clip, (prompt.text for prompt in generated(400, seed=11)))
    assert compared > 150 and wrong == []


def test_every_token_of_random_texts_has_the_hosts_weight(clip):
    compared, wrong = differences(clip, random_texts(1200, seed=12))
    assert compared > 400 and wrong == []
