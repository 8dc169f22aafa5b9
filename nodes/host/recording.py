"""Collects the votes of Algorithm 1 while the stock sampler draws: the UNet's own queries, nothing changed."""

from collections.abc import Collection
from typing import Any

import torch
from comfy.patcher_extension import WrappersMP
from torch import Tensor

from ...hrv_engine.attention.heads import AttentionSite, HeadLayout, SiteKey
from ...hrv_engine.relevance.logit_scale import LogitScale
from ...hrv_engine.relevance.voting import Ballot, WordSampler, logit_sizes, vote
from .attention import Continue, around_cross_attention
from .families.unet_layers import cross_attentions
from .rows import POSITIVE
from .unet_call import UNetCall, with_options

KEY = "hrv_build"


class VoteRecorder:
    """Counts the votes of one batch of images at a time; `take` hands them over, int64 [steps or 1, concepts, heads].

    images: the image numbers of the batch, which (with the UNet call) choose the drawn words; logit_scale: also measure
    how strongly each head attends (`scale`).
    """

    def __init__(self, sampler: WordSampler, layout: HeadLayout, steps: int | None, logit_scale: bool = False) -> None:
        self.sampler, self.layout, self.steps, self.logit_scale = sampler, layout, steps, logit_scale
        self._keys: dict[SiteKey, Tensor] = {}
        self.begin([])

    def attach(self, model: Any) -> Any:
        """A clone of MODEL whose UNet calls are recorded here."""
        clone = model.clone()
        clone.add_wrapper_with_key(WrappersMP.DIFFUSION_MODEL, KEY, with_options(self._record_call))
        return clone

    def begin(self, images: list[int], uncounted: Collection[int] = ()) -> None:
        """Start the next batch; votes not taken are forgotten (an interrupted image does not count).

        uncounted: those of the images that are drawn with the others, but whose votes do not count.
        """
        self.images, self.calls = images, 0
        counted = [row for row, image in enumerate(images) if image not in uncounted]
        self._rows: Any = counted if uncounted else slice(None)
        self._counts: Tensor | None = None
        self._sizes: dict[int, list[Tensor]] = {}

    def take(self) -> Tensor:
        """The votes of the finished batch, on the CPU."""
        assert self._counts is not None, "no UNet call was seen"
        return self._counts.cpu()

    def scale(self) -> LogitScale | None:
        """The logit scale of the finished batch, None if it was not asked for."""
        if not self.logit_scale:
            return None
        by_layer = [torch.cat(self._sizes[first]).cpu() for first in sorted(self._sizes)]
        return LogitScale.of(torch.cat(by_layer, dim=1).numpy())  # [images x calls, heads]

    def _record_call(self, call: UNetCall) -> dict[str, Any]:
        chunks = call.options["cond_or_uncond"]
        if POSITIVE not in chunks:
            return call.options
        size, place = call.x.shape[0] // len(chunks), chunks.index(POSITIVE)
        rows, step = slice(place * size, (place + 1) * size), self._step(call.options)
        voting = _CallVotes(self, call.unet, rows, step, call.x)
        self.calls += 1
        return around_cross_attention(call.options, self.layout, voting)

    def _step(self, options: dict[str, Any]) -> int:
        if self.steps is None:
            return 0
        step = int((options["sample_sigmas"] > options["sigmas"][0] * (1 + 1e-6)).sum())
        return min(step, self.steps - 1)

    def keys(self, block: SiteKey, attention: Any, like: Tensor) -> Tensor:
        """The word bank after this layer's own to_k [tokens heads*dim], projected once."""
        if block not in self._keys:
            bank = self.sampler.bank.embeddings.to(device=like.device, dtype=like.dtype)
            self._keys[block] = attention.to_k(bank[None])[0]
        return self._keys[block]

    def measure(self, heads: slice, sizes: Tensor) -> None:
        """Note the logit sizes [images heads] of one layer in one call."""
        self._sizes.setdefault(heads.start, []).append(sizes[self._rows])

    def count(self, step: int, heads: slice, votes: Tensor) -> None:
        """Add votes int64 [images concepts heads] of one layer."""
        if self._counts is None:
            shape = (self.steps or 1, votes.shape[1], self.layout.total)
            self._counts = torch.zeros(shape, dtype=torch.int64, device=votes.device)
        self._counts[step, :, heads] += votes[self._rows].sum(dim=0)


class _CallVotes:
    """The votes of one UNet call: draws words for all its layers at once, then counts layer by layer."""

    def __init__(self, recorder: VoteRecorder, unet: Any, rows: slice, step: int, x: Tensor) -> None:
        self.recorder, self.rows, self.step = recorder, rows, step
        sites = recorder.layout.sites
        drawn = recorder.sampler.ballots(recorder.images, recorder.calls, [site.heads for site in sites], x.device)
        self.ballots: dict[SiteKey, Ballot] = {site.key: ballot for site, ballot in zip(sites, drawn, strict=True)}
        self.attentions = dict(cross_attentions(unet))

    def __call__(self, site: AttentionSite, go_on: Continue, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """Vote with the conditional queries, then go on with the attention that would have run."""
        recorder = self.recorder
        keys = recorder.keys(site.key, self.attentions[site.key], query)
        votes = vote(query[self.rows], keys, self.ballots[site.key], site.heads, recorder.sampler.bos_key)
        heads = recorder.layout.head_range(site.key)
        recorder.count(self.step, heads, votes)
        if recorder.logit_scale:
            recorder.measure(heads, logit_sizes(query[self.rows], keys, self.ballots[site.key], site.heads))
        return go_on(query, key, value)
