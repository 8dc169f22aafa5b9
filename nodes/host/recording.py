"""Collects the votes of Algorithm 1 while the stock sampler draws: the UNet's own queries, nothing changed."""

from collections.abc import Collection
from typing import Any

import torch
from torch import Tensor

from ...hrv_engine.attention.heads import HeadLayout, SiteKey
from ...hrv_engine.relevance.logit_scale import LogitScale
from ...hrv_engine.relevance.voting import Ballot, WordSampler, logit_sizes, vote
from .calls import AttentionCall, ModelCall
from .control import Control, StepPlan, controlled
from .receipt import Receipt

POSITIVE = "positive"  # the name of the list of positives in the host's samplers


class VoteRecorder(Control):
    """Counts the votes of one batch of images at a time; `take` hands them over, int64 [steps or 1, concepts, heads].

    images: the image numbers of the batch, which (with the UNet call) choose the drawn words; logit_scale: also measure
    how strongly each head attends (`scale`).
    """

    name = "HRV Build"

    def __init__(self, sampler: WordSampler, layout: HeadLayout, steps: int | None, logit_scale: bool = False) -> None:
        self.sampler, self.layout, self.steps, self.logit_scale = sampler, layout, steps, logit_scale
        self.key = f"hrv_build {id(self)}"  # several may record one run
        self._keys: dict[SiteKey, Tensor] = {}
        self.begin([])

    def attach(self, model: Any) -> Any:
        """A clone of MODEL whose calls are recorded here."""
        return controlled(model, self)

    def begin(self, images: list[int], uncounted: Collection[int] = ()) -> None:
        """Start the next batch; votes not taken are forgotten (an interrupted image does not count).

        uncounted: those of the images that are drawn with the others, but whose votes do not count.
        """
        self.images, self.calls = images, 0
        self.uncounted = set(uncounted)
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

    def plan(self, step: StepPlan) -> dict[int, int]:
        """The positives of a build, by the step they vote in; a build has no other conditionings of this name."""
        return {
            planned.number: 0 if self.steps is None else min(step.step, self.steps - 1)
            for planned in step.conditionings
            if planned.group == POSITIVE
        }

    def act(self, call: ModelCall, actions: dict[int, int], receipt: Receipt) -> None:
        """Let every head vote with the rows of the positives."""
        for number, step in actions.items():
            call.receive(receipt, _CallVotes(self, call, number, step), len(call.batch.rows(number)))
            self.calls += 1

    def keys(self, call: ModelCall, site: SiteKey, like: Tensor) -> Tensor:
        """The word bank as keys of a site [tokens heads*dim], projected once."""
        if site not in self._keys:
            bank = self.sampler.bank.embeddings.to(device=like.device, dtype=like.dtype)
            self._keys[site] = call.family.project_words(call.module, site, bank)
        return self._keys[site]

    def measure(self, heads: slice, sizes: Tensor) -> None:
        """Note the logit sizes [images heads] of one layer in one call."""
        self._sizes.setdefault(heads.start, []).append(sizes)

    def count(self, step: int, heads: slice, votes: Tensor, images: list[int]) -> None:
        """Add votes int64 [images concepts heads] of one layer, of images that count."""
        if self._counts is None:
            shape = (self.steps or 1, votes.shape[1], self.layout.total)
            self._counts = torch.zeros(shape, dtype=torch.int64, device=votes.device)
        self._counts[step, :, heads] += votes.sum(dim=0)


class _CallVotes:
    """The votes of one model call: draws words for all its sites at once, then counts site by site."""

    def __init__(self, recorder: VoteRecorder, call: ModelCall, number: int, step: int) -> None:
        self.recorder, self.call, self.step = recorder, call, step
        self.rows = list(call.batch.rows(number))
        self.images = [recorder.images[image] for image in call.batch.images_of(number)]
        self.counted = [row for row, image in enumerate(self.images) if image not in recorder.uncounted]
        sites = recorder.layout.sites
        drawn = recorder.sampler.ballots(self.images, recorder.calls, [site.heads for site in sites], call.x.device)
        self.ballots: dict[SiteKey, Ballot] = {site.key: ballot for site, ballot in zip(sites, drawn, strict=True)}

    def __call__(self, call: AttentionCall) -> Tensor:
        """Vote with the conditional queries, then go on with the attention that would have run."""
        recorder, site = self.recorder, call.site
        keys = recorder.keys(self.call, site.key, call.joined[0])
        query, ballot = call.joined[0][self.rows], self.ballots[site.key]
        votes = vote(query, keys, ballot, site.heads, recorder.sampler.bos_key)
        heads = recorder.layout.head_range(site.key)
        recorder.count(self.step, heads, votes[self.counted], [self.images[row] for row in self.counted])
        if recorder.logit_scale:
            recorder.measure(heads, logit_sizes(query, keys, ballot, site.heads)[self.counted])
        return call.proceed()
