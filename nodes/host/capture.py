"""Records token maps while the stock sampler draws: one more attention call with indicators as values."""

from dataclasses import dataclass
from typing import Any

import comfy.ldm.modules.attention as host_attention
import torch
from torch import Tensor

from ...hrv_engine.attention.heads import AttentionSite, HeadLayout, SiteKey
from ...hrv_engine.attention.values import indicated_maps, indicator_values
from ...hrv_engine.errors import HRVError
from ...hrv_engine.inspection.token_maps import END, START, TokenMaps
from ...hrv_engine.text.alignment import TokenTable
from .calls import AttentionCall, ModelCall
from .conditioning import KEY as TAG
from .conditioning import Conditioning, PairedPrompts, PromptAnnotation, table_of, tables_of
from .control import Control, StepPlan, controlled
from .identity import UNKNOWN
from .receipt import Receipt
from .steps import in_window
from .unet import layout_of


@dataclass(frozen=True)
class Watched:
    """The words to look for in one conditioning: (number of the word, its columns), and its length before padding."""

    columns: tuple[tuple[int, tuple[int, ...]], ...]
    tokens: int


class TokenMapRecorder(Control):
    """Adds up the maps of some words over one run; `take` gives their mean over UNet calls.

    words: names as the user typed them; START and END stand for the begin-of-text and the end-of-text tokens.
    """

    name = "HRV Token Maps"

    def __init__(self, model: Any, positive: Conditioning, words: list[str], start: float, end: float) -> None:
        if any(isinstance(values.get(TAG), PairedPrompts) for _, values in positive):
            raise HRVError(
                "This conditioning holds the stacked prompts of an editing node, whose words stand in different places."
                " Connect the source or the target prompt itself, from HRV Prompt, to see where its words look."
            )
        self.prompt, self.words = table_of(positive).prompt, words
        self.layout: HeadLayout = layout_of(model)
        self.key = f"hrv_maps {id(self)}"
        self.start, self.end = start, end
        self.sums: dict[SiteKey, Tensor] = {}
        self.calls: dict[SiteKey, Tensor] = {}
        for word in words:
            _check(word, tables_of(positive))

    def attach(self, model: Any) -> Any:
        """A clone of MODEL whose cross-attention is watched; what it draws does not change by a bit."""
        return controlled(model, self)

    def take(self) -> TokenMaps:
        """The maps recorded; raises HRVError when a word's prompt was never used on the whole image."""
        blocks = [site.key for site in self.layout.sites]
        if not self.sums or any((self.calls[block] == 0).any() for block in blocks):
            missing = [
                word for i, word in enumerate(self.words) if not self.sums or not self.calls[blocks[0]][:, i].all()
            ]
            raise HRVError(
                f"No map was recorded for {', '.join(missing)}. The window from {self.start} to {self.end} may hold no"
                " step, or the prompt acts on a part of the image only (an area), which has no map of the whole."
                " Widen start_percent and end_percent, or connect the prompt without its area."
            )
        layers = [self.sums[block] / self.calls[block][..., None, None, None] for block in blocks]
        return TokenMaps(self.prompt, tuple(self.words), self.layout, tuple(layer.float().cpu() for layer in layers))

    def plan(self, step: StepPlan) -> dict[int, Watched]:
        """The words to look for in each conditioning, where the step lies in the window."""
        plan: dict[int, Watched] = {}
        if in_window(step.model.model_sampling, step.sigma, self.start, self.end):
            for planned, annotation in step.annotated(PromptAnnotation):
                found = [(i, _columns(word, annotation.table, planned.tokens)) for i, word in enumerate(self.words)]
                watched = tuple((i, columns) for i, columns in found if columns)
                if watched:
                    plan[planned.number] = Watched(watched, planned.tokens)
        self.size, self.images = tuple(step.x.shape[-2:]), step.run.images
        return plan

    def act(self, call: ModelCall, actions: dict[int, Watched], receipt: Receipt) -> None:
        """Look at the rows of the prompts that are drawn on the whole image."""
        if tuple(call.x.shape[-2:]) != self.size:
            receipt.leave("an area has no map of the whole image, connect the prompt without its area")
            return
        rows = sum(len(call.batch.rows(number)) for number in actions)
        call.receive(receipt, _Watching(self, call, actions), rows)

    def add(self, site: AttentionSite, images: tuple[int, ...], words: list[int], maps: Tensor) -> None:
        """Add maps [images words heads height width] of some images and words of one layer."""
        if site.key not in self.sums:
            shape = (self.images, len(self.words), *maps.shape[2:])
            self.sums[site.key] = torch.zeros(shape, device=maps.device)
            self.calls[site.key] = torch.zeros(shape[:2], device=maps.device)
        place = torch.tensor(images)[:, None], torch.tensor(words)
        self.sums[site.key].index_put_(place, maps, accumulate=True)
        self.calls[site.key].index_put_(place, torch.ones((), device=maps.device), accumulate=True)


class _Watching:
    """Looks at one model call, site by site, and goes on with the attention that would have run."""

    def __init__(self, recorder: TokenMapRecorder, call: ModelCall, plan: dict[int, Watched]) -> None:
        self.recorder, self.call, self.plan = recorder, call, plan
        if any(UNKNOWN in call.batch.images_of(number) for number in plan):
            raise HRVError(
                "Another node regroups the images of this batch and says no more which is which, so their token maps"
                " would be mixed. Take the node that splits the batch off the MODEL, or draw one image."
            )

    def __call__(self, call: AttentionCall) -> Tensor:
        """Record the maps of each prompt, then go on."""
        query, key, _ = call.joined
        for number, watched in self.plan.items():
            rows = list(self.call.batch.rows(number))
            self._record(call, query[rows], key[rows], watched, self.call.batch.images_of(number))
        return call.proceed()

    def _record(
        self, call: AttentionCall, query: Tensor, key: Tensor, watched: Watched, images: tuple[int, ...]
    ) -> None:
        site, family = call.site, self.call.family
        size = family.image_grid(query.shape[1], *self.call.x.shape[-2:])
        for first in range(0, len(watched.columns), site.head_dim):
            part = watched.columns[first : first + site.head_dim]
            groups = [family.token_columns(key.shape[1], watched.tokens, columns) for _, columns in part]
            values = indicator_values(groups, key, site.heads)
            output = host_attention.optimized_attention(query, key, values, site.heads)
            maps = indicated_maps(output, site.heads, len(groups)).float()
            self.recorder.add(site, images, [i for i, _ in part], maps.unflatten(-1, size))


def _columns(word: str, table: TokenTable, tokens: int) -> tuple[int, ...]:
    """The columns of a word in one prompt, of all its occurrences; none if it is not there."""
    if word == START:
        return tuple(range(0, tokens, 77))
    if word == END:
        return tuple(column for column in range(tokens) if column % 77 and column not in table.columns)
    return tuple(dict.fromkeys(column for columns in table.find(word) for column in columns))


def _check(word: str, tables: list[TokenTable]) -> None:
    """Raise the HRVError of the first prompt unless one of them has the word."""
    if word not in (START, END) and not any(table.find(word) for table in tables):
        tables[0].columns_of(word)
