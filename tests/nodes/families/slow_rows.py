"""Algorithm 1 with words as rows of text, written out: one softmax in float64 over all rows under a dense mask.

Every word of every concept is behind the prompt (not before it), and rotations of positions are not computed but taken
from runs of the prompt alone and of a word alone.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from typing import Any
from unittest.mock import patch

import comfy.ldm.ideogram4.model
import torch

from .explicit import Explicit, halves
from .slow_votes import COLUMNS
from .tiny_models import Tiny

SEEN, PROMPT = -2, -1  # kinds of rows that are no word's: what words see, and the prompt's
Heard = Callable[[int, list[list[torch.Tensor]], list[torch.Tensor]], None]


class Rows(Explicit):
    """An override as another node would install it: words ride beside the prompt in the calls of the prompt's rows.

    heard: gets, of every image of every such call, the keys [heads tokens dim] of each word by site and the queries
    [heads pixels dim] by site.
    """

    def __init__(self, tiny: Tiny, prompt: torch.Tensor, words: list[torch.Tensor], module: Any, heard: Heard) -> None:
        super().__init__(tiny, prompt, (), torch.zeros(0))
        self.words, self.heard, self.module = words, heard, module
        self.kinds: torch.Tensor | None = None  # of all rows of text, inside a call with words
        self.rotating = rotating(module)
        self.rotations: dict[int, list[torch.Tensor]] = {}
        self.mean = getattr(getattr(module, "txt_in", None), "c_embedder", None)  # what is made of the text's mean
        self.pool = getattr(module, "t5_y_embedder", None)  # what is made of the text under its mask
        self.queries: list[torch.Tensor] = []  # of the image and keys of the words, by site
        self.keys: list[torch.Tensor] = []

    def call(self, function: Any, given: dict) -> torch.Tensor:
        text = given["c"]["c_crossattn"]
        start, _ = self.tiny.padded(self.context.shape[1])
        own = text[:, start : start + self.context.shape[1]]
        self.rows = [row for row in range(len(text)) if torch.equal(own[row], self.own[0])]
        if not self.rows:
            return function(given["input"], given["timestep"], **given["c"])

        def run(context: torch.Tensor) -> torch.Tensor:
            inputs = {**given["c"], "c_crossattn": context}
            if "num_tokens" in inputs:
                inputs["num_tokens"] = context.shape[1]
            return self.run(function, given, **inputs)

        for word in self.words:
            self._listen(run, self._alone(word).expand(len(text), -1, -1))
        self._listen(run, text)
        rows = torch.cat([word[0, list(COLUMNS)] for word in self.words])
        unused = -len(rows) % (self.tiny.inside(1) if self.tiny.pads else 1)
        rows = torch.nn.functional.pad(rows, (0, 0, 0, unused))
        kinds = [n // len(COLUMNS) for n in range(len(rows))]
        tokens = text.shape[1]
        more = self.tiny.inside(tokens + len(rows)) - tokens - len(rows)
        self.kinds = torch.tensor([PROMPT] * tokens + kinds + [PROMPT] * more)
        self.queries.clear()
        self.keys.clear()
        with ExitStack() as rotated:
            if self.rotating is not None:
                rotated.enter_context(patch.object(*self.rotating, self._rotated(tokens, unused)))
            if (learned := getattr(self.module, "y_pos_embedding", None)) is not None:
                columns = [*range(tokens), *COLUMNS * len(self.words), *[0] * unused]
                learned = torch.nn.Parameter(learned[:, columns], requires_grad=False)
                rotated.enter_context(patch.object(self.module, "y_pos_embedding", learned))
                rotated.enter_context(patch.object(self.module, "txt_max_length", len(columns)))
            if self.mean is not None:
                prompt = self.mean(text.sum(dim=1) / tokens)
                rotated.enter_context(patch.object(self.mean, "forward", lambda mean: prompt))
            if self.pool is not None:
                pooled = self.pool(text, given["c"]["attention_mask"])
                rotated.enter_context(patch.object(self.pool, "forward", lambda context, mask: pooled))
            output = run(torch.cat((text, rows.expand(len(text), -1, -1)), dim=1))
        self.kinds, by_word = None, self._by_word()
        for image in range(len(self.rows)):
            keys = [[site[image] for site in word] for word in by_word]
            self.heard(image, keys, [site[image] for site in self.queries])
        return output

    def _alone(self, word: torch.Tensor) -> torch.Tensor:
        """A word's context as the host hands it to the model."""
        start, length = self.tiny.padded(word.shape[1])
        return torch.nn.functional.pad(word, (0, 0, start, length - start - word.shape[1]))

    def _listen(self, run: Any, context: torch.Tensor) -> None:
        """Note what the model makes of positions in a plain run, by the length of its text."""
        if self.rotating is None or context.shape[1] in self.rotations:
            return
        noted: list[torch.Tensor] = []
        theirs = getattr(*self.rotating)

        def note(*given: Any) -> torch.Tensor:
            noted.append(theirs(*given))
            return noted[-1]

        with patch.object(*self.rotating, note):
            run(context)
        self.rotations[context.shape[1]] = noted

    def _rotated(self, tokens: int, unused: int) -> Callable[[torch.Tensor], torch.Tensor]:
        """The embedder in a run with words: rotations of the prompt's run, and of words' own runs."""
        plain, words = self.rotations[tokens], []
        axis = 0 if plain[0].ndim == 4 else next(axis for axis in (1, 2) if plain[0].shape[axis] > 1)
        before = self.tiny.image if self.tiny.image_first else 0
        for word in self.words:
            start, length = self.tiny.padded(word.shape[1])
            words += [self.rotations[length][0].narrow(axis, before + start + column, 1) for column in COLUMNS]
        words += [words[0]] * unused
        prompt = plain[0].narrow(axis, 0, before + tokens)
        rest = plain[0].narrow(axis, before + tokens, plain[0].shape[axis] - before - tokens)
        outputs = iter([torch.cat([prompt, *words, rest], dim=axis), *plain[1:]])
        return lambda *positions: next(outputs)

    def attend(self, function: Any, query: Any, key: Any, value: Any, heads: int, *more: Any, **named: Any) -> Any:
        split, tiny = named.get("skip_reshape", False), self.tiny
        queries, keys = (tensor.shape[2 if split else 1] for tensor in (query, key))
        if self.kinds is None or queries != keys:
            return function(query, key, value, heads, *more, **named)
        others = [SEEN] * tiny.first, [SEEN] * (tiny.image + tiny.pads)
        before, after = reversed(others) if tiny.image_first else others
        whole = torch.cat((torch.tensor(before).long(), self.kinds, torch.tensor(after).long()))
        if keys not in (len(whole), len(self.kinds)):
            return function(query, key, value, heads, *more, **named)
        kinds = whole if keys == len(whole) else self.kinds
        query, key, value = (part.double() if split else halves(part, heads) for part in (query, key, value))
        key, value = (part.repeat_interleave(query.shape[1] // part.shape[1], 1) for part in (key, value))
        if kinds is whole:
            image = slice(0, tiny.image) if tiny.image_first else slice(len(whole) - tiny.image - tiny.pads, None)
            self.queries.append(query[self.rows][:, :, image][:, :, : tiny.image])
            self.keys.append(key[self.rows][:, :, kinds >= 0])
        asks, looks = kinds[:, None], kinds[None]
        seen = torch.where(asks < 0, looks < 0, (looks == asks) | (looks == SEEN))
        scores = query @ key.transpose(-1, -2) * query.shape[-1] ** -0.5
        output = (scores.masked_fill(~seen, -torch.inf).softmax(-1) @ value).float()
        return output if named.get("skip_output_reshape") else output.transpose(1, 2).flatten(2)

    def _by_word(self) -> list[list[torch.Tensor]]:
        """Keys [images heads tokens dim] of every word, by site."""
        size = len(COLUMNS)
        return [[site[:, :, n * size : (n + 1) * size] for site in self.keys] for n in range(len(self.words))]


def rotating(module: Any) -> tuple[Any, str] | None:
    """What makes rotations of the text's positions, by where it is and its name; None where the text has none."""
    if hasattr(module, "llm_cond_proj"):
        return comfy.ldm.ideogram4.model, "_split_half_rope_matrix"
    if hasattr(module, "_fetch_text_pos"):
        return module, "_fetch_text_pos"
    every = [getattr(module, name, None) for name in ("pe_embedder", "rope_embedder", "pos_embed")]
    every = [getattr(found, "rope_embedder", found) for found in every]
    found = next((one for one in every if isinstance(one, torch.nn.Module)), None)
    return None if found is None else (found, "forward")
