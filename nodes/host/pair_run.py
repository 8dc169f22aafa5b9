"""What lives as long as one run of paired prompts: the replayed source, the maps of the blend words."""

from typing import Any

import torch
from torch import Tensor

from ...hrv_engine.editing.local_blend import blend_mask, blended
from ...hrv_engine.editing.paired_edit import step_number
from ...hrv_engine.errors import HRVError
from ...hrv_engine.inspection.token_maps import resized
from .calls import AttentionCall, ModelCall
from .conditioning import PairedPrompts
from .pair_rows import Pairing

PAIRS = "hrv_pairs"  # the key of a run's PairRun in transformer_options


class PairRun:
    """One run of paired prompts: replays the source, adds up maps of the blend words, blends the targets."""

    def __init__(self, prompts: PairedPrompts) -> None:
        self.prompts = prompts
        self.started = False
        self.maps: Tensor | None = None

    def prepare(self, x: Tensor, sigma: float, step: int, total: int) -> None:
        """Bring the rows of the sampler's latent x [rows channels height width] into order, in place, before a call."""
        replay = self.prompts.replay
        if replay is not None:
            self._replay(x, replay.at(sigma))
        if step > self._first_blended(total):
            self.blend(x)
        self.started = True

    def finish(self, x: Tensor, sigma: float) -> Tensor:
        """The latent after the last step, at a noise level, with source and targets in order."""
        x = x.clone()
        if self.prompts.replay is not None and (latent := self.prompts.replay.at(sigma)) is not None:
            x[:: self.prompts.edit.size] = latent.to(x)
        self.blend(x)
        return x

    def blend(self, x: Tensor) -> None:
        """Take the source wherever the blend words do not look, in place."""
        if self.prompts.blend is not None and self.maps is not None:
            rows = self.prompts.edit.size
            mask = blend_mask(self.maps, rows, tuple(x.shape[-2:]), self.prompts.blend.threshold)
            x.copy_(blended(x, mask.to(x.device), rows))

    def add(self, maps: Tensor, images: tuple[int, ...], total: int) -> None:
        """Add maps [rows height width] of the blend words of one layer and call, of these images of the run."""
        if self.maps is not None and self.maps.shape[-2:] != maps.shape[-2:]:  # Deep Shrink: other sizes at first
            maps = resized(maps[None], tuple(self.maps.shape[-2:]))[0]
        if images == tuple(range(total)):
            self.maps = maps if self.maps is None else self.maps + maps
            return
        if self.maps is None:
            self.maps = maps.new_zeros(total, *maps.shape[1:])
        self.maps = self.maps.index_add(0, torch.tensor(images, device=maps.device), maps)

    def _replay(self, x: Tensor, latent: Tensor | None) -> None:
        if latent is not None:  # not between the levels of the schedule, where some samplers also look
            every = self.prompts.edit.size if self.started else 1  # all rows start where the inversion ended
            x[::every] = latent.to(x)

    def _first_blended(self, total: int) -> int:
        return total if self.prompts.blend is None else step_number(self.prompts.blend.start, total)


class BlendWatch:
    """Adds up where the blend words look in one call's rows, in the maps as edited, and goes on."""

    def __init__(self, run: PairRun, pairing: Pairing, call: ModelCall, control: Any) -> None:
        self.run, self.pairing, self.call, self.control = run, pairing, call, control
        if len(set(pairing.images)) != len(pairing.images):
            raise HRVError(
                "Local blend reads where its words look in the whole image, but another node cuts the image into tiles"
                " that run together. Leave blend_words empty, or take the tiler off the MODEL."
            )

    def __call__(self, call: AttentionCall) -> Tensor:
        """The attention that would have run; the maps beside it."""
        query, key, _ = call.joined
        rows, site = list(self.pairing.rows), call.site
        parts = (query, key, self._indicators(call))
        looks = AttentionCall(site, call.batch, parts, call.stock, call.options, stock_next=True)
        output = self.control(looks) if self.control else looks.proceed()
        maps = output[rows].unflatten(-1, (site.heads, -1))[..., 0].float().mean(dim=-1)
        maps = maps.unflatten(-1, call.grid(self.call))
        self.run.add(maps, self.pairing.images, self.call.run.images)
        return call.proceed()

    def _indicators(self, call: AttentionCall) -> Tensor:
        """Values whose first channel of every head is 1 at the blend words of each row."""
        prompts, (_, key, _) = self.run.prompts, call.joined
        values = key.new_zeros(*key.shape[:2], call.site.heads, call.site.head_dim)
        assert prompts.blend is not None
        for row, image in zip(self.pairing.rows, self.pairing.images, strict=True):
            member = image % prompts.edit.size
            columns = self.call.family.token_columns(
                key.shape[1], prompts.lengths[member], prompts.blend.columns[member]
            )
            values[row, columns, :, 0] = 1
        return values.flatten(2)
