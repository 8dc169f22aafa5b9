"""The same for HiDream, where a word has tokens in T5's text and in Llama's, which every layer sees twice."""

from __future__ import annotations

from typing import Any

import torch

from .slow_rows import PROMPT, Heard, Rows
from .tiny_models import Tiny

LLAMA = "encoder_hidden_states_llama3"


class RowsOfTwoTexts(Rows):
    """words: of each, embeddings of its tokens in T5 [1 tokens channels] and in Llama [1 layers tokens channels]."""

    def __init__(
        self, tiny: Tiny, prompt: torch.Tensor, words: list[tuple[torch.Tensor, torch.Tensor]], module: Any,
        heard: Heard,
    ) -> None:  # fmt: skip
        super().__init__(tiny, prompt, [], module, heard)
        self.texts = [list(texts) for texts in zip(*words, strict=True)]

    def call(self, function: Any, given: dict) -> torch.Tensor:
        inputs, tokens = given["c"], self.context.shape[1]
        contexts = inputs["c_crossattn"], inputs[LLAMA]
        self.rows = [row for row, text in enumerate(contexts[0][:, :tokens]) if torch.equal(text, self.own[0])]
        if not self.rows:
            return function(given["input"], given["timestep"], **inputs)
        t5, llama = (
            torch.cat((context, *(rows.expand(len(context), *rows.shape[1:]) for rows in every)), dim=-2)
            for context, every in zip(contexts, self.texts, strict=True)
        )
        kinds = [
            [PROMPT] * context.shape[-2] + [number for number, rows in enumerate(every) for _ in range(rows.shape[-2])]
            for context, every in zip(contexts, self.texts, strict=True)
        ]
        self.kinds = torch.tensor([*kinds[0], *kinds[1], *kinds[1]])
        self.queries.clear()
        self.keys.clear()
        output = function(given["input"], given["timestep"], **{**inputs, "c_crossattn": t5, LLAMA: llama})
        self.kinds, own = None, torch.tensor([kind for text in kinds for kind in text if kind >= 0])
        for image in range(len(self.rows)):
            by_site = [site[image][:, : len(own)] for site in self.keys]
            keys = [[site[:, own == number] for site in by_site] for number in range(len(self.texts[0]))]
            self.heard(image, keys, [site[image] for site in self.queries])
        return output
