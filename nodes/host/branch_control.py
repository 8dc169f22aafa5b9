"""Paired branches inside one UNet call: target rows compute with parts of their source row's attention."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from comfy.ldm.modules.diffusionmodules.openaimodel import ResBlock
from torch import Tensor

from ...hrv_engine.attention.heads import AttentionSite, HeadLayout
from ...hrv_engine.attention.values import mix_values, scale_values
from ...hrv_engine.editing.paired_edit import Mixing, PairedEdit
from .attention import Continue, around_cross_attention, around_self_attention
from .pair_run import RUN, BlendWatch

Embed = Callable[..., Tensor]
FEATURES = "forward_timestep_embed_patch"


@dataclass(frozen=True)
class BranchStep:
    """What is active for one conditioning's rows at one step; mixings None where a target's words are its own."""

    edit: PairedEdit
    step: int
    total: int
    conditional: bool
    mixings: tuple[Mixing | None, ...]

    @classmethod
    def of(
        cls, edit: PairedEdit, step: int, total: int, conditional: bool, watched: bool = False
    ) -> "BranchStep | None":
        """The step's activity, None when there is none and no maps are watched: then the stock calls run."""
        mixings = tuple(None if cross is None or not conditional else cross.at(step, total) for cross in edit.cross)
        found = cls(edit, step, total, conditional, mixings)
        return found if watched or any(mixings) or found.injections or found.features else None

    def _active(self, parts: tuple) -> list[Any]:
        return [
            part
            for part in parts
            if (self.conditional or part.unconditional) and part.window.holds(self.step, self.total)
        ]

    @property
    def injections(self) -> list[Any]:
        """Self-attention injections active now for these rows."""
        return self._active(self.edit.injections)

    @property
    def features(self) -> list[Any]:
        """Feature injections active now for these rows."""
        return self._active(self.edit.features)


Rows = list[tuple[slice, BranchStep]]


def with_branches(options: dict[str, Any], layout: HeadLayout, rows: Rows, shape: torch.Size) -> dict[str, Any]:
    """A copy of transformer_options that carries out the branch edits of one UNet call on x of this shape."""
    batch, run, control = shape[0], options.get(RUN), None
    if any(any(step.mixings) for _, step in rows):
        control = CrossControl(layout, rows, batch)
        options = around_cross_attention(options, layout, control)
    if run is not None and run.branches.blend is not None:
        for chunk in (chunk for chunk, step in rows if step.conditional):
            watch = BlendWatch(run, chunk, batch, tuple(shape[-2:]), control)
            options = around_cross_attention(options, layout, watch, run.branches.blend.sites)
    blocks = {block for _, step in rows for injection in step.injections for block in injection.sites}
    if blocks:
        options = around_self_attention(options, layout, blocks, SelfControl(rows, batch))
    if any(step.features for _, step in rows):
        patches = dict(options.get("patches", {}))
        handler = FeatureControl(rows, batch, patches.get(FEATURES, []))
        options = {**options, "patches": {**patches, FEATURES: [(ResBlock, handler), *patches.get(FEATURES, [])]}}
    return options


def branch_rows(rows: slice, branches: int, branch: int) -> tuple[Tensor, Tensor]:
    """(source rows, rows of one target) of a chunk whose images take turns: source, target 1, target 2, ..."""
    sources = torch.arange(rows.start, rows.stop, branches)
    return sources, sources + branch


class CrossControl:
    """out_t = M_s (W_s V_t) + M_t (W_t V_t): one call over all rows, and a second over the edited rows alone."""

    def __init__(self, layout: HeadLayout, rows: Rows, batch: int) -> None:
        self.layout, self.batch = layout, batch
        self.edited: list[tuple[Tensor, Tensor, Mixing]] = []
        for chunk, step in rows:
            for branch, mixing in enumerate(step.mixings, start=1):
                if mixing is not None:
                    self.edited.append((*branch_rows(chunk, step.edit.size, branch), mixing))
        self._placed: dict[tuple[int, torch.device], tuple[Tensor, Tensor]] = {}

    def __call__(self, site: AttentionSite, go_on: Continue, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """The stock call with W_t V_t for the edited rows, and M_s (W_s V_t) added to them."""
        if value.shape[0] != self.batch:
            return go_on(query, key, value)
        heads, length = self.layout.head_range(site.key), value.shape[1]
        owned, queries, keys, mixed = value.clone(), [], [], []
        for number, (sources, targets, _) in enumerate(self.edited):
            taken, kept = self._on(number, value.device)
            theirs = value[targets]
            owned[targets] = scale_values(theirs, _tiled(kept[:, heads], length).expand(len(targets), -1, -1))
            mixed.append(_tiled(mix_values(theirs[:, : taken.shape[1]], taken), length))
            queries.append(query[sources])
            keys.append(key[sources])
        output = go_on(query, key, owned)
        from_source = go_on.stock(torch.cat(queries), torch.cat(keys), torch.cat(mixed))
        edited = torch.cat([targets for _, targets, _ in self.edited])
        return output.index_add(0, edited.to(output.device), from_source)

    def _on(self, number: int, device: torch.device) -> tuple[Tensor, Tensor]:
        """W_s and W_t of an edit on a device, moved once a call."""
        if (number, device) not in self._placed:
            mixing = self.edited[number][2]
            placed = torch.from_numpy(mixing.source).to(device), torch.from_numpy(mixing.target).to(device)
            self._placed[number, device] = placed
        return self._placed[number, device]


class SelfControl:
    """The target rows of some blocks attend with their source row's query and key, or key and value."""

    def __init__(self, rows: Rows, batch: int) -> None:
        self.rows, self.batch = rows, batch

    def __call__(self, site: AttentionSite, go_on: Continue, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """The attention that would have run, with the source's parts."""
        parts = {"query": query, "key": key, "value": value}
        if query.shape[0] == self.batch:
            for chunk, step in self.rows:
                for injection in step.injections:
                    if site.key in injection.sites:
                        for name in injection.take:
                            parts[name] = from_sources(parts[name], chunk, step.edit.size)
        return go_on(parts["query"], parts["key"], parts["value"])


def from_sources(tensor: Tensor, rows: slice, branches: int) -> Tensor:
    """A copy in which the targets of a chunk hold what their source holds."""
    changed = tensor.clone()
    chunk = changed[rows].unflatten(0, (-1, branches))
    chunk[:, 1:] = chunk[:, :1]
    return changed


class FeatureControl:
    """A ResBlock whose target rows get their source row's residual branch, added to their own skip connection."""

    def __init__(self, rows: Rows, batch: int, others: list[tuple[type, Embed]]) -> None:
        self.rows, self.batch, self.others = rows, batch, others

    def __call__(
        self, layer: Any, x: Tensor, emb: Tensor, context: Any, transformer_options: dict, *more: Any
    ) -> Tensor:
        """The block as it would have run, then the source's residual branch for the targets."""
        theirs = next((handler for kind, handler in self.others if isinstance(layer, kind)), None)
        output = layer(x, emb) if theirs is None else theirs(layer, x, emb, context, transformer_options, *more)
        for chunk, step in self.rows:
            if any(feature.block == transformer_options["block"] for feature in step.features):
                skip = layer.skip_connection(x)
                residual = from_sources(output - skip, chunk, step.edit.size)
                for branch in range(1, step.edit.size):
                    _, targets = branch_rows(chunk, step.edit.size, branch)
                    output = output.index_copy(0, targets.to(output.device), (skip + residual)[targets])
        return output


def _tiled(tensor: Tensor, length: int) -> Tensor:
    """Repeat [... tokens channels] along tokens up to `length`, as the host repeats a shorter context."""
    return tensor.repeat(*[1] * (tensor.ndim - 2), length // tensor.shape[-2], 1)
