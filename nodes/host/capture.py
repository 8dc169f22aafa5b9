"""Records token maps while the stock sampler draws: one more attention call with indicators as values."""

from dataclasses import dataclass
from typing import Any

import comfy.ldm.modules.attention as host_attention
import torch
from comfy.patcher_extension import WrappersMP
from torch import Tensor

from ...hrv_engine.attention.downsampling import level_size
from ...hrv_engine.attention.heads import AttentionSite, HeadLayout, SiteKey
from ...hrv_engine.attention.values import indicated_maps, indicator_values
from ...hrv_engine.errors import HRVError
from ...hrv_engine.inspection.token_maps import END, START, TokenMaps
from ...hrv_engine.text.alignment import TokenTable
from .attention import Continue, around_cross_attention
from .conditioning import KEY as TAG
from .conditioning import Branches, Conditioning, table_of, tables_of
from .rows import columns_in, in_window, planned_rows, tagged_positives, with_plan
from .unet import layout_of
from .unet_call import UNetCall, with_options

KEY = "hrv_maps"


@dataclass(frozen=True)
class Watched:
    """The words to look for in one conditioning: (number of the word, its columns), and its length before padding."""

    columns: tuple[tuple[int, tuple[int, ...]], ...]
    tokens: int


class TokenMapRecorder:
    """Adds up the maps of some words over one run; `take` gives their mean over UNet calls.

    words: names as the user typed them; START and END stand for the begin-of-text and the end-of-text tokens.
    """

    def __init__(self, model: Any, positive: Conditioning, words: list[str], start: float, end: float) -> None:
        if any(isinstance(values.get(TAG), Branches) for _, values in positive):
            raise HRVError(
                "This conditioning holds the stacked prompts of an editing node, whose words stand in different places."
                " Connect the source or the target prompt itself, from HRV Prompt, to see where its words look."
            )
        self.prompt, self.words = table_of(positive).prompt, words
        self.layout: HeadLayout = layout_of(model)
        self.start, self.end = start, end
        self.sums: dict[SiteKey, Tensor] = {}
        self.calls: dict[SiteKey, Tensor] = {}
        for word in words:
            _check(word, tables_of(positive))

    def attach(self, model: Any) -> Any:
        """A clone of MODEL whose cross-attention is watched; what it draws does not change by a bit."""
        clone = model.clone()
        clone.add_wrapper_with_key(WrappersMP.CALC_COND_BATCH, KEY, self._plan)
        clone.add_wrapper_with_key(WrappersMP.DIFFUSION_MODEL, KEY, with_options(self._watch))
        return clone

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

    def _plan(self, executor: Any, model: Any, conds: list, x_in: Tensor, timestep: Tensor, options: dict) -> Any:
        plan = {}
        if in_window(model.model_sampling, float(timestep.max()), self.start, self.end):
            for key, tag, tokens in tagged_positives(conds, options):
                found = [(i, _columns(word, tag.table, tokens)) for i, word in enumerate(self.words)]
                watched = tuple((i, columns) for i, columns in found if columns)
                if watched:
                    plan[key] = Watched(watched, tokens)
        self.size = tuple(x_in.shape[-2:])
        return executor(model, conds, x_in, timestep, with_plan(options, KEY, plan))

    def _watch(self, call: UNetCall) -> dict[str, Any]:
        shape = call.x.shape
        rows = planned_rows(call.options, KEY, shape[0]) if tuple(shape[-2:]) == self.size else []
        if not rows:
            return call.options
        return around_cross_attention(call.options, self.layout, _Watching(self, rows, shape))

    def add(self, site: AttentionSite, words: list[int], maps: Tensor) -> None:
        """Add maps [images words heads height width] of some words of one layer."""
        if site.key not in self.sums:
            shape = (maps.shape[0], len(self.words), *maps.shape[2:])
            self.sums[site.key] = torch.zeros(shape, device=maps.device)
            self.calls[site.key] = torch.zeros(shape[:2], device=maps.device)
        self.sums[site.key][:, words] += maps
        self.calls[site.key][:, words] += 1


class _Watching:
    """Looks at one UNet call, layer by layer, and goes on with the attention that would have run."""

    def __init__(self, recorder: TokenMapRecorder, rows: list[tuple[slice, Watched]], shape: torch.Size) -> None:
        self.recorder, self.rows, self.shape = recorder, rows, shape

    def __call__(self, site: AttentionSite, go_on: Continue, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        if query.shape[0] == self.shape[0]:
            for rows, watched in self.rows:
                self._record(site, query[rows], key[rows], watched)
        return go_on(query, key, value)

    def _record(self, site: AttentionSite, query: Tensor, key: Tensor, watched: Watched) -> None:
        size = level_size(query.shape[1], *self.shape[-2:])
        for first in range(0, len(watched.columns), site.head_dim):
            part = watched.columns[first : first + site.head_dim]
            groups = [columns_in(key.shape[1], watched.tokens, columns) for _, columns in part]
            values = indicator_values(groups, key, site.heads)
            output = host_attention.optimized_attention(query, key, values, site.heads)
            maps = indicated_maps(output, site.heads, len(groups)).float()
            self.recorder.add(site, [i for i, _ in part], maps.unflatten(-1, size))


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
