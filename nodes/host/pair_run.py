"""What lives as long as one run of stacked prompts: the replayed source, the maps of the blend words."""

from typing import Any

from torch import Tensor

from ...hrv_engine.attention.downsampling import level_size
from ...hrv_engine.attention.heads import AttentionSite
from ...hrv_engine.editing.local_blend import blend_mask, blended
from ...hrv_engine.editing.paired_edit import step_number
from .attention import Continue
from .conditioning import Branches
from .rows import columns_in

RUN = "hrv_pairs"  # the key of a run's PairRun in transformer_options


class PairRun:
    """One run of stacked prompts: replays the source, adds up maps of the blend words, blends the targets."""

    def __init__(self, branches: Branches) -> None:
        self.branches = branches
        self.started = False
        self.maps: Tensor | None = None

    def prepare(self, x: Tensor, sigma: float, step: int, total: int) -> None:
        """Bring the rows of the sampler's latent x [rows channels height width] into order, in place, before a call."""
        replay = self.branches.replay
        if replay is not None:
            self._replay(x, replay.at(sigma))
        if step > self._first_blended(total):
            self.blend(x)
        self.started = True

    def finish(self, x: Tensor, sigma: float) -> Tensor:
        """The latent after the last step, at a noise level, with source and targets in order."""
        x = x.clone()
        if self.branches.replay is not None and (latent := self.branches.replay.at(sigma)) is not None:
            x[:: self.branches.edit.size] = latent.to(x)
        self.blend(x)
        return x

    def blend(self, x: Tensor) -> None:
        """Take the source wherever the blend words do not look, in place."""
        if self.branches.blend is not None and self.maps is not None:
            rows = self.branches.edit.size
            mask = blend_mask(self.maps, rows, tuple(x.shape[-2:]), self.branches.blend.threshold)
            x.copy_(blended(x, mask.to(x.device), rows))

    def add(self, maps: Tensor) -> None:
        """Add maps [rows height width] of the blend words of one layer and call."""
        self.maps = maps if self.maps is None else self.maps + maps

    def _replay(self, x: Tensor, latent: Tensor | None) -> None:
        if latent is not None:  # not between the levels of the schedule, where some samplers also look
            every = self.branches.edit.size if self.started else 1  # all rows start where the inversion ended
            x[::every] = latent.to(x)

    def _first_blended(self, total: int) -> int:
        return total if self.branches.blend is None else step_number(self.branches.blend.start, total)


class BlendWatch:
    """Adds up where the blend words look in one call's rows, in the maps as edited, and goes on."""

    def __init__(self, run: PairRun, rows: slice, batch: int, size: tuple[int, int], control: Any) -> None:
        self.run, self.rows, self.batch, self.size, self.control = run, rows, batch, size, control

    def __call__(self, site: AttentionSite, go_on: Continue, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """The attention that would have run; the maps beside it."""
        if value.shape[0] == self.batch:
            stock = Continue(site, None, go_on.extra_options)
            looks = self._indicators(site, key)
            output = self.control(site, stock, query, key, looks) if self.control else stock(query, key, looks)
            maps = output[self.rows].unflatten(-1, (site.heads, -1))[..., 0].float().mean(dim=-1)
            self.run.add(maps.unflatten(-1, level_size(maps.shape[1], *self.size)))
        return go_on(query, key, value)

    def _indicators(self, site: AttentionSite, key: Tensor) -> Tensor:
        """Values whose first channel of every head is 1 at the blend words of each row."""
        branches, values = self.run.branches, key.new_zeros(*key.shape[:2], site.heads, site.head_dim)
        assert branches.blend is not None
        for number, (columns, length) in enumerate(zip(branches.blend.columns, branches.lengths, strict=True)):
            rows = slice(self.rows.start + number, self.rows.stop, len(branches.lengths))
            values[rows, columns_in(key.shape[1], length, columns), :, 0] = 1
        return values.flatten(2)
