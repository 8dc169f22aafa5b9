"""Ten thousand prompts: every word where the tokenizer put it, every column in one word, the encoding that of core.

HRV_PROMPTS=100000 tries so many; `sweep` of generated_prompts.py is what other targets call.
"""

from __future__ import annotations

import logging
import os

import comfy.sd1_clip
import comfy.sdxl_clip
import pytest
import torch

from comfyui_hrv.hrv_engine.errors import HRVError
from comfyui_hrv.nodes.prompt import HRVPrompt

from .generated_prompts import embeddings, generated, random_texts, sweep
from .test_tokens import Encoder

COUNT = int(os.environ.get("HRV_PROMPTS", "10000"))


@pytest.fixture(autouse=True)
def no_warnings():
    """Core warns of every embedding that is not there, in ten thousand prompts some thousand times."""
    logging.disable(logging.WARNING)
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.parametrize("seed", range(4))
def test_every_word_is_where_the_tokenizer_put_it(tmp_path, seed):
    clip = Encoder(comfy.sd1_clip.SD1Tokenizer(embedding_directory=embeddings(tmp_path)))
    assert sweep(clip, COUNT // 4, seed) == []


def test_sdxl_places_them_alike(tmp_path):
    clip = Encoder(comfy.sdxl_clip.SDXLTokenizer(embedding_directory=embeddings(tmp_path)))
    assert sweep(clip, COUNT // 50, seed=9) == []


def test_hrv_prompt_is_clip_text_encode(trio):
    count = COUNT // 100
    with torch.inference_mode():
        for text in [*(prompt.text for prompt in generated(count, seed=5)), *random_texts(count, seed=5)]:
            try:
                ours = HRVPrompt.execute(trio.clip, text).args[0]
            except HRVError:
                continue
            ((context, values),), ((expected, others),) = ours, trio.encode(text)
            assert torch.equal(context, expected), text
            assert torch.equal(values["pooled_output"], others["pooled_output"]), text
            assert values["hrv"].table.length == context.shape[1], text
