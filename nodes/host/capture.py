"""Records token maps while the stock sampler draws: one more attention call with indicators as values."""

from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from ...hrv_engine.attention.heads import AttentionSite, HeadLayout, SiteKey
from ...hrv_engine.attention.values import indicator_values, split_heads
from ...hrv_engine.errors import HRVError
from ...hrv_engine.inspection.token_maps import END, START, TokenMaps, resized
from ...hrv_engine.text.alignment import CHUNK, TokenTable
from .calls import AttentionCall, ModelCall
from .conditioning import KEY as TAG
from .conditioning import Conditioning, PairedPrompts, PromptAnnotation, table_of, tables_of
from .control import Control, StepPlan, controlled
from .families import family_of
from .identity import UNKNOWN
from .receipt import Receipt
from .recording import rows_of
from .steps import in_window
from .unet import layout_of


@dataclass(frozen=True)
class Watched:
    """The words to look for in one conditioning: (number of the word, its columns), and its length before padding."""

    columns: tuple[tuple[int, tuple[int, ...]], ...]
    tokens: int


@dataclass(frozen=True)
class Looked:
    """What one recorded attention shows: maps of some images and words (by number), and (frames, height, width)."""

    images: tuple[int, ...]
    words: tuple[int, ...]
    grid: tuple[int, int, int]


class TokenMapRecorder(Control):
    """Adds up the maps of some words over one run; `take` gives their mean over model calls.

    Where text and image share one attention, maps are shares of what a pixel gives to the text, not to other pixels.

    words: names as the user typed them; START and END stand for the begin-of-text and the end-of-text tokens.
    """

    name = "HRV Token Maps"

    def __init__(self, model: Any, positive: Conditioning, words: list[str], start: float, end: float) -> None:
        if any(isinstance(values.get(TAG), PairedPrompts) for _, values in positive):
            raise HRVError(
                "This conditioning holds the stacked prompts of an editing node, whose words stand in different places."
                " Connect the source or the target prompt itself, from HRV Prompt, to see where its words look."
            )
        family = family_of(model.model.diffusion_model).name
        if family != "UNet" and not {START, END}.isdisjoint(words):
            raise HRVError(
                f"{START} and {END} are tokens of the CLIP of SD1.x, SD2.x and SDXL; the prompt of {family} has others,"
                " or none. Switch special_tokens off: the maps of words work here."
            )
        self.prompt, self.words = table_of(positive).prompt, words
        self.layout: HeadLayout = layout_of(model)
        self.key = f"hrv_maps {id(self)}"
        self.start, self.end = start, end
        self.sums: dict[tuple[SiteKey, Looked], Tensor] = {}
        self.calls: dict[tuple[SiteKey, Looked], int] = {}
        for word in words:
            _check(word, tables_of(positive))

    def attach(self, model: Any) -> Any:
        """A clone of MODEL whose cross-attention is watched; what it draws does not change by a bit."""
        return controlled(model, self)

    def take(self) -> TokenMaps:
        """The maps recorded; raises HRVError when a word's prompt was never used on the whole image."""
        seen = {(image, word) for _, looked in self.calls for image in looked.images for word in looked.words}
        missing = [
            word
            for number, word in enumerate(self.words)
            if not seen or any((image, number) not in seen for image in range(self.images))
        ]
        if missing:
            raise HRVError(
                f"No map was recorded for {', '.join(missing)}. The window from {self.start} to {self.end} may hold no"
                " step, or the prompt acts on a part of the image only (an area), which has no map of the whole."
                " Widen start_percent and end_percent, or connect the prompt without its area."
            )
        every = [self._mean(site) for site in self.layout.sites]
        layers = tuple(maps.permute(0, 3, 1, 2, 4, 5).flatten(0, 1) for maps in every)
        return TokenMaps(self.prompt, tuple(self.words), self.layout, layers, every[0].shape[3])

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

    def sums_of(self, site: SiteKey, looked: Looked, like: Tensor) -> Tensor:
        """The running sum of some images' maps at a site, float32 like `like` [images heads pixels words]."""
        if (site, looked) not in self.sums:
            self.sums[site, looked] = torch.zeros(like.shape, dtype=torch.float32, device=like.device)
        return self.sums[site, looked]

    def _mean(self, site: AttentionSite) -> Tensor:
        """The mean over model calls of all sums at a site, float32 [images words heads frames height width].

        Maps of several sizes (Deep Shrink halves them at first) are brought to the largest.
        """
        parts = [(looked, total) for (key, looked), total in self.sums.items() if key == site.key]
        frames, height, width = max((looked.grid for looked, _ in parts), key=lambda grid: grid[1] * grid[2])
        maps = torch.zeros(self.images, len(self.words), site.heads, frames, height, width)
        calls = torch.zeros(self.images, len(self.words))
        for looked, total in parts:
            place = torch.tensor(looked.images)[:, None], torch.tensor(looked.words)
            maps[place] += resized(total.permute(0, 3, 1, 2).unflatten(-1, looked.grid).cpu(), (height, width))
            calls[place] += self.calls[site.key, looked]
        return maps / calls[..., None, None, None, None]


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
        for number, watched in self.plan.items():
            self._record(call, self.call.batch.rows(number), watched, self.call.batch.images_of(number))
        return call.proceed()

    def _record(self, call: AttentionCall, rows: tuple[int, ...], watched: Watched, images: tuple[int, ...]) -> None:
        site, recorder = call.site, self.recorder
        query, key = (split_heads(rows_of(part, rows), site.heads) for part in call.joined[:2])
        for first in range(0, len(watched.columns), site.head_dim):
            part = watched.columns[first : first + site.head_dim]
            looked = Looked(images, tuple(word for word, _ in part), call.volume(self.call))
            name = (
                "indicators",
                part,
                watched.tokens,
                site.heads,
                site.head_dim,
                key.shape[0],
                key.shape[2],
                key.dtype,
            )
            values = self.call.run.made(name, partial(self._indicators, part, watched.tokens, key))
            mask = call.mask_of(rows)
            mask = mask if mask is None or mask.dtype == torch.bool else mask.to(query.dtype)
            maps = functional.scaled_dot_product_attention(query, key, values, mask)[..., : len(part)]
            recorder.sums_of(site.key, looked, maps).add_(maps)
            recorder.calls[site.key, looked] = recorder.calls.get((site.key, looked), 0) + 1

    def _indicators(self, part: tuple, tokens: int, key: Tensor) -> Tensor:
        """Values [rows heads tokens dim] whose channel g is 1 at the columns of word g of a part."""
        groups = [self.call.family.token_columns(key.shape[2], tokens, columns) for _, columns in part]
        return indicator_values(groups, key)


def _columns(word: str, table: TokenTable, tokens: int) -> tuple[int, ...]:
    """The columns of a word in one prompt, of all its occurrences; none if it is not there.

    Columns that were appended to the prompt are neither text nor special tokens.
    """
    own = min(table.length or tokens, tokens)
    if word == START:
        return tuple(range(0, own, CHUNK))
    if word == END:
        return tuple(column for column in range(own) if column % CHUNK and column not in table.columns)
    return table.columns_anywhere(word)


def _check(word: str, tables: list[TokenTable]) -> None:
    """Raise the HRVError of the first prompt unless one of them has the word."""
    if word not in (START, END) and not any(table.find(word) for table in tables):
        tables[0].columns_of(word)
