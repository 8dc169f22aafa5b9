"""HRV Prompt Weights on transformers with text encoders of their own: the weight is where the encoder put the word."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from comfyui_hrv.nodes.host.conditioning import KEY, table_of
from comfyui_hrv.nodes.prompt import HRVPrompt
from comfyui_hrv.nodes.steering.prompt_weights import HRVPromptWeights

from ..explicit import relative
from ..host.tiny_encoders import ENCODERS
from .explicit import Explicit
from .steered import factors_of
from .test_with_the_nodes import SIZES
from .tiny_models import TINY

pytestmark = pytest.mark.usefixtures("inference_mode")
JOINED = ("HunyuanVideo", "HiDream")  # whose tokenizer in the host's folder makes one token of two words


@pytest.mark.parametrize("name", [name for name in ENCODERS if name not in JOINED])
def test_every_encoder_reads_the_text_without_weights_and_the_weights_find_their_words(name):
    clip = ENCODERS[name].clip()
    plain = HRVPrompt.execute(clip, "a red car and the red car").args[0]
    model = TINY["Wan"].model()
    text = "a (red:2) car and (the (red:-1) car:1)"
    _, positive, report = HRVPromptWeights.execute(model, clip, text, 1.0, 2.0, 0.0, 1.0).args
    assert torch.equal(positive[0][0], plain[0][0])
    first, second = table_of(plain).find("red")
    assert [set(scale.columns) for scale in positive[0][1][KEY].scales] == [set(first), set(second)]
    assert report.splitlines()[1].startswith('"red": -1')


@pytest.mark.parametrize("name", [name for name in SIZES if name != "HiDream"])
def test_a_word_pushed_away_equals_attention_written_out(name):
    option, width, more = SIZES[name]
    tiny = replace(TINY[name], config=TINY[name].config | {option: width} | more, extra={}, channels=32)
    model, clip = tiny.model(), ENCODERS[name].clip()
    positive, negative = (HRVPrompt.execute(clip, text).args[0] for text in ("blue car", "red"))
    weighted, marked, _ = HRVPromptWeights.execute(model, clip, "(blue:-1) car", 1.0, 2.0, 0.0, 1.0).args
    (columns,) = table_of(positive).find("blue")
    explicit = Explicit(tiny, positive[0][0], columns, factors_of(model, -1))
    plain = [[context, {key: value for key, value in given.items() if key != KEY}] for context, given in positive]
    here = tiny.sample(weighted, marked, negative)
    assert relative(here, tiny.sample(explicit.on(model), plain, negative)) <= 1e-5
    assert relative(here, tiny.sample(model, plain, negative)) > 1e-4
