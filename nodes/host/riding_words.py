"""Concept words as rows of text that ride in the image's own run: their keys, where a model makes them late."""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import chain
from typing import Any

import comfy.sampler_helpers
import torch
from comfy.patcher_extension import WrappersMP
from torch import Tensor
from torch.nn import functional

from ...hrv_engine.errors import HRVError
from ...hrv_engine.relevance.build_settings import OWN_ROWS
from ...hrv_engine.relevance.voting import PER_STEP, Ballot, DrawnWords, WordBank, WordSampler
from .calls import AttentionCall, ModelCall
from .control import install
from .families import family_of
from .word_prompts import NUMBER, WORDS, WordPrompt
from .word_rows import WordRows


class RidingWords:
    """Puts the words that are drawn for a model call into it and reads their keys at every site.

    Where all heads share their words, those drawn ride, each in its concept's places; else all words of the bank.
    bank: spans of all words; prompts: each word's own; numbers[concept][word]: which of the prompts it is. Before the
    first model call `embedded` and `columns` become the bank's rows as the host hands them to the model, and where they
    are in their prompts.
    """

    how = OWN_ROWS

    def __init__(self, bank: WordBank, prompts: Sequence[WordPrompt], numbers: Sequence[Sequence[int]]) -> None:
        self.bank, self.prompts, self.numbers = bank, prompts, numbers
        self.key = f"hrv_words {id(self)}"
        self.embedded = self.columns = torch.zeros(0)
        self._kept: dict[Any, Any] = {}

    def attach(self, model: Any, recorder: Any) -> Any:
        """A clone of MODEL whose host prepares the words as it does prompts."""
        self.sampler: WordSampler = recorder.sampler
        self.shared = self.sampler.sampling == PER_STEP  # whether all heads of a call share their words
        module = model.model.diffusion_model
        family: Any = family_of(module)
        self._multiple = family.row_multiple(module)
        wrappers: dict[str, Callable] = {WrappersMP.OUTER_SAMPLE: self.join, WrappersMP.PREDICT_NOISE: self.learn}
        return install(model, self.key, wrappers)

    def join(self, executor: Any, *arguments: Any, **named: Any) -> Any:
        """OUTER_SAMPLE wrapper: give the guider the words as prompts, so that the host prepares them, once."""
        if not len(self.embedded):
            words = [[context, {**values, NUMBER: number}] for number, prompt in enumerate(self.prompts)
                     for context, values in prompt.conditioning]  # fmt: skip
            executor.class_obj.conds[WORDS] = comfy.sampler_helpers.convert_cond(words)
        return executor(*arguments, **named)

    def learn(self, executor: Any, x: Tensor, timestep: Tensor, model_options: dict, seed: Any = None) -> Any:
        """PREDICT_NOISE wrapper: note the rows of all words, then predict as always."""
        guider = executor.class_obj
        conds = {cond[NUMBER]: cond for cond in guider.conds.pop(WORDS, ()) if NUMBER in cond}
        if conds:
            self._learn({number: self._rows(guider.inner_model, cond) for number, cond in conds.items()}, x.device)
        return executor(x, timestep, model_options, seed)

    def _rows(self, inner: Any, cond: dict) -> tuple[Tensor, list[int]]:
        """Embeddings [tokens channels] of a word's tokens, and their columns."""
        family: Any = family_of(inner.diffusion_model)
        own = self.prompts[cond[NUMBER]].columns
        return family.tokens_of(cond["model_conds"], cond["cross_attn"].shape[1], own)

    def _learn(self, rows: dict[int, tuple[Tensor, list[int]]], device: torch.device) -> None:
        some = next(iter(rows.values()))[0]
        self.embedded = some.new_zeros(len(self.bank.embeddings), some.shape[1], device=device)
        self.columns = torch.zeros(len(self.bank.embeddings), dtype=torch.int64)
        for of_concept, spans in zip(self.numbers, self.bank.spans, strict=True):
            for number, (first, count) in zip(of_concept, spans, strict=True):
                embeddings, columns = rows[number]
                self.embedded[first : first + count] = embeddings.to(device)
                self.columns[first : first + count] = torch.tensor(columns)
        self.columns = self.columns.to(device)

    def ride(self, call: ModelCall, rows: Sequence[int], drawn: DrawnWords) -> None:
        """Let words ride in a call, whose `rows` are the images they were drawn for; raises HRVError where some do."""
        if call.words is not None:
            raise HRVError(
                "Two builds of head vectors take votes in one model call, and in this model the words of only one of"
                " them can ride in it. Build one after the other."
            )
        if not self.shared:
            every = torch.arange(self._count(len(self.columns)), device=self.columns.device)[None]
            every = every * (every < len(self.columns))
            same = self._made(drawn)[0][None, None]
            call.words = call.family.rows(WordRows(self.embedded[every], self.columns[every], same, self._kept))
            return
        index, bias = drawn.index.view(len(rows), -1), drawn.bias.view(len(rows), -1)
        if (more := self._count(index.shape[1]) - index.shape[1]) > 0:
            index = functional.pad(index, (0, more))
            bias = functional.pad(bias, (0, more), value=-math.inf)
        same, itself, none = self._made(drawn)
        among = torch.where(itself, none, same + bias[:, None, None])
        if len(rows) > 1:
            place = torch.zeros(call.batch.size, dtype=torch.int64, device=index.device)
            place[list(rows)] = torch.arange(len(rows), device=index.device)
            index, among = index[place], among[place]
        call.words = call.family.rows(WordRows(self.embedded[index], self.columns[index], among, self._kept))

    def _count(self, rows: int) -> int:
        """How many rows ride where so many are needed."""
        return -(-rows // self._multiple) * self._multiple

    def _made(self, drawn: DrawnWords) -> tuple[Tensor, Tensor, Tensor]:
        """What is the same in all calls: 0 where rows are of one word and -inf elsewhere; each row itself; and 0."""
        name = drawn.index.device, drawn.index.shape
        if name not in self._kept:
            words = self._words_of_places(drawn) if self.shared else self._words_of_bank()
            words = functional.pad(words, (0, self._count(len(words)) - len(words)), value=-1)
            same = torch.zeros(len(words), len(words)).masked_fill(words[:, None] != words, -math.inf)
            made = same, torch.eye(len(words), dtype=torch.bool), torch.zeros(())
            self._kept[name] = tuple(part.to(drawn.index.device) for part in made)
        return self._kept[name]

    def _words_of_places(self, drawn: DrawnWords) -> Tensor:
        """A number for the word of every place of a call's draws."""
        concept = drawn.concepts.argmax(dim=1).cpu()
        draws = torch.arange(self.sampler.draws)[:, None] * drawn.concepts.shape[1]
        return (concept + draws).flatten()

    def _words_of_bank(self) -> Tensor:
        """A number for the word of every row of the bank."""
        words = torch.zeros(len(self.bank.embeddings), dtype=torch.int64)
        for number, (first, count) in enumerate(chain.from_iterable(self.bank.spans)):
            words[first : first + count] = number + 1
        return words

    def keys(self, call: ModelCall, attention: AttentionCall, rows: Sequence[int]) -> Tensor:
        """Keys of the words that ride in some rows of a call, float32 [heads dim rows*tokens]."""
        assert attention.words is not None
        if len(rows) == 1:
            keys = attention.words.select(0, rows[0]).transpose(1, 2)
        else:
            keys = attention.words[list(rows)].permute(1, 3, 0, 2).flatten(2)
        return keys if keys.dtype == torch.float32 else keys.float()

    def words(self, drawn: DrawnWords, images: Sequence[int]) -> DrawnWords:
        """Words that were drawn for some images, by their places among `keys` instead of the bank's."""
        if self.shared and drawn.alone and self._count(len(drawn.index)) == len(drawn.index):
            return replace(drawn, whole=True)
        return replace(drawn, index=self._moved(drawn.index, len(images), 1))

    def ballot(self, ballot: Ballot, images: Sequence[int]) -> Ballot:
        """The same for a ballot."""
        return replace(ballot, rows=self._moved(ballot.rows.transpose(1, 2), len(images), 0).transpose(1, 2))

    def _moved(self, index: Tensor, images: int, axis: int) -> Tensor:
        """Bank rows [... draws keys] as places among the keys of a call; axis: that of the images, where several."""
        used = index.shape[-2:].numel() if index.ndim > 1 else len(index)
        if self.shared:
            places = torch.arange(used, device=index.device)
            index = places if index.ndim == 1 else places.view(index.shape[-2:]).expand(index.shape)
        if images == 1:
            return index
        rows = self._count(used if self.shared else len(self.columns))
        shape = [images if place == axis else 1 for place in range(index.ndim)]
        return index + rows * torch.arange(images, device=index.device).view(shape)
