"""Concept words as prompts of their own, run beside an image on its latent: their keys, where a model makes them late.

In a joint attention, and behind layers that work on the prompt, a word has keys only in a run of the model. So each
drawn word is run alone on the sampler's own latent before every prediction, its keys are kept, and the image's own run
stays as it is, to the bit.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any

import comfy.model_management
import comfy.sampler_helpers
import comfy.samplers
import torch
from comfy.patcher_extension import WrappersMP
from torch import Tensor

from ...hrv_engine.attention.heads import SiteKey
from ...hrv_engine.relevance.build_settings import OWN_RUNS
from ...hrv_engine.relevance.voting import Ballot, DrawnWords, WordBank
from .calls import AttentionCall, ModelCall
from .control import Control, StepPlan, controlled, install
from .receipt import Receipt

WORDS, NUMBER = "hrv_words", "hrv_word"  # the guider's list of them; key of a conditioning: which prompt it is
Drawn = Sequence[Collection[tuple[int, int]]]  # (concept, word) numbers of every image


@dataclass(frozen=True)
class WordPrompt:
    """A word encoded alone: its CONDITIONING of one entry, and the columns of its semantic tokens."""

    conditioning: list
    columns: tuple[int, ...]


class WordPrompts(Control):
    """Runs words and holds their keys in a small bank of its own for every model call.

    bank: spans of all words; prompts: each word's own; numbers[concept][word]: which of the prompts it is. upcoming:
    the words drawn for each image of the next model call.
    """

    name, how = "HRV Build, concept words", OWN_RUNS

    def __init__(self, bank: WordBank, prompts: Sequence[WordPrompt], numbers: Sequence[Sequence[int]]) -> None:
        self.bank, self.prompts, self.numbers = bank, prompts, numbers
        self.key = f"hrv_words {id(self)}"
        self.upcoming: Callable[[], Drawn] = list
        self.runs = 0  # of a word for one image, since it was made
        self._heard: dict[SiteKey, dict[int, Tensor]] = {}
        self._keys: dict[SiteKey, Tensor] = {}
        self._places = torch.zeros(0)

    def attach(self, model: Any, recorder: Any) -> Any:
        """A clone of MODEL in whose runs the words are run too."""
        self.upcoming = recorder.upcoming
        wrappers: dict[str, Callable] = {
            WrappersMP.OUTER_SAMPLE: self.join,
            WrappersMP.PREDICT_NOISE: self.predict,
        }
        return install(controlled(model, self), self.key, wrappers)

    def join(self, executor: Any, *arguments: Any, **named: Any) -> Any:
        """OUTER_SAMPLE wrapper: put the words into a list of the guider that its predictions do not use."""
        words = [[context, {**values, NUMBER: number}] for number, prompt in enumerate(self.prompts)
                 for context, values in prompt.conditioning]  # fmt: skip
        executor.class_obj.conds[WORDS] = comfy.sampler_helpers.convert_cond(words)
        return executor(*arguments, **named)

    def predict(self, executor: Any, x: Tensor, timestep: Tensor, model_options: dict, seed: Any = None) -> Any:
        """PREDICT_NOISE wrapper: run the words of the call that comes next, then let it predict as always."""
        guider, heard = executor.class_obj, dict[SiteKey, list[Tensor]]()
        conds = {cond[NUMBER]: cond for cond in guider.conds[WORDS] if NUMBER in cond}  # not copies for areas
        words, drawn = self.bank.spans, self.upcoming()
        places = torch.zeros(len(drawn), len(self.bank.embeddings), dtype=torch.int64)
        total = 0
        for image, of_image in enumerate(drawn):
            numbers = sorted({self.numbers[concept][word] for concept, word in of_image})
            keys = self._run(
                guider.inner_model, [conds[number] for number in numbers], image, x, timestep, model_options
            )
            starts = {}
            for number in numbers:
                starts[number] = total
                total += len(self.prompts[number].columns)
                for site, of_site in keys.items():
                    heard.setdefault(site, []).append(of_site[number])
            for concept, word in of_image:
                first, count = words[concept][word]
                start = starts[self.numbers[concept][word]]
                places[image, first : first + count] = torch.arange(start, start + count)
        self._places = places.to(x.device)
        self._keys = {site: torch.cat(parts, dim=1).transpose(1, 2).contiguous() for site, parts in heard.items()}
        return executor(x, timestep, model_options, seed)

    def _run(
        self, inner: Any, conds: list[dict], image: int, x: Tensor, timestep: Tensor, model_options: dict
    ) -> dict[SiteKey, dict[int, Tensor]]:
        """Keys [heads tokens dim] of words on one image's latent, by site and prompt; contexts of one length together.

        A context shorter than its neighbours would be padded or repeated by the host.
        """
        self._heard = {}
        rows = slice(image, image + 1)
        conds = sorted(conds, key=_length)
        self.runs += len(conds)
        for _, alike in groupby(conds, key=_length):
            comfy.model_management.throw_exception_if_processing_interrupted()
            each = [[cond] for cond in alike]
            comfy.samplers.calc_cond_batch(inner, each, x[rows], timestep[rows], model_options)
        return self._heard

    def plan(self, step: StepPlan) -> dict[int, tuple[int, int]]:
        """(prompt, length of its context) of the words of such a run."""
        return {
            planned.number: (planned.cond[NUMBER], planned.tokens)
            for planned in step.conditionings
            if planned.group == WORDS
        }

    def act(self, call: ModelCall, actions: dict[int, tuple[int, int]], receipt: Receipt) -> None:
        """Keep the keys of the words' tokens."""

        made: dict[int, list[tuple[list[int], list[int], list[int]]]] = {}

        def listen(attention: AttentionCall) -> Tensor:
            heard = self._heard.setdefault(attention.site.key, {})
            if attention.tokens not in made:
                made[attention.tokens] = list(self._alike(call, actions, attention.tokens))
            for prompts, rows, columns in made[attention.tokens]:
                keys = attention.key[rows][:, :, columns].float()
                heard.update(zip(prompts, keys.unbind(), strict=True))
            return attention.proceed()

        call.receive(receipt, listen, len(actions))

    def _alike(
        self, call: ModelCall, actions: dict[int, tuple[int, int]], length: int
    ) -> Iterator[tuple[list[int], list[int], list[int]]]:
        """(prompts, their rows, columns of their word's tokens) of those whose words are at the same keys of a call.

        Of a token that a family holds several times, it is the first.
        """
        alike: dict[tuple[int, ...], tuple[list[int], list[int]]] = {}
        for number, (prompt, tokens) in actions.items():
            own = self.prompts[prompt].columns
            columns = call.family.token_columns(length, tokens, own)[: len(own)]
            prompts, rows = alike.setdefault(tuple(columns), ([], []))
            (row,) = call.batch.rows(number)
            prompts.append(prompt)
            rows.append(row)
        for columns, (prompts, rows) in alike.items():
            yield prompts, rows, list(columns)

    def ride(self, call: ModelCall, rows: Sequence[int], drawn: DrawnWords) -> None:
        """Nothing: the words of a call were run before it."""

    def keys(self, call: ModelCall, attention: AttentionCall, rows: Sequence[int]) -> Tensor:
        """The keys of this call's words at a site, float32 [heads dim tokens]."""
        return self._keys[attention.site.key]

    def words(self, drawn: DrawnWords, images: Sequence[int]) -> DrawnWords:
        """Words that were drawn for some images, by their places in this call's bank instead of the whole one."""
        if drawn.alone:
            return replace(drawn, index=self._places[images[0]][drawn.index])
        rows = self._places[list(images)][None, :, None].expand(*drawn.index.shape[:3], -1)
        return replace(drawn, index=rows.gather(3, drawn.index))

    def ballot(self, ballot: Ballot, images: Sequence[int]) -> Ballot:
        """The same for a ballot."""
        rows = self._places[list(images)][:, None, None].expand(*ballot.rows.shape[:3], -1)
        return replace(ballot, rows=rows.gather(3, ballot.rows))


def _length(cond: dict) -> int:
    return int(cond["cross_attn"].shape[1])
