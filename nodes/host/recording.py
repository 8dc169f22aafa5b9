"""Collects the votes of Algorithm 1 while the stock sampler draws: the model's own queries, nothing changed."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ...hrv_engine.attention.heads import HeadLayout, SiteKey
from ...hrv_engine.errors import HRVError
from ...hrv_engine.relevance.logit_scale import LogitScale
from ...hrv_engine.relevance.voting import (
    DrawnWords,
    WordSampler,
    choices,
    choices_alone,
    counted,
    logit_sizes,
    word_keys,
)
from .calls import AttentionCall, ModelCall
from .control import Control, StepPlan, controlled
from .receipt import Receipt

POSITIVE = "positive"  # the name of the list of positives in the host's samplers
AHEAD = 16 << 20  # bytes of drawn words that are prepared at once, for as many model calls as they hold


class VoteRecorder(Control):
    """Counts the votes of one batch of images at a time; `take` hands them over, int64 [steps or 1, concepts, heads].

    images: the image numbers of the batch, which (with the model call) choose the drawn words; logit_scale: also
    measure how strongly each head attends (`scale`).
    """

    name = "HRV Build"

    def __init__(self, sampler: WordSampler, layout: HeadLayout, steps: int | None, logit_scale: bool = False) -> None:
        self.sampler, self.layout, self.steps, self.logit_scale = sampler, layout, steps, logit_scale
        self.key = f"hrv_build {id(self)}"  # several may record one run
        self._keys: dict[SiteKey, Tensor] = {}
        self._ready: dict[SiteKey, Tensor] = {}
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
        self._voted: list[_CallVotes] = []
        self._sizes: dict[int, list[Tensor]] = {}
        self._ahead: dict[int, list[DrawnWords]] = {}
        self._ahead_of: list[int] = []

    def take(self) -> Tensor:
        """The votes of the finished batch, on the CPU."""
        self.finish()
        if self._counts is None:
            raise HRVError(
                "No model call of this batch came by, so no head could vote: another node on this MODEL answers in its"
                " place (a cache, a guider or a model call of its own). Take it off while building."
            )
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
            voting = _CallVotes(self, call, number, step)
            self._voted.append(voting)
            call.receive(receipt, voting, len(call.batch.rows(number)))
            self.calls += 1

    def words(self, images: list[int], device: torch.device) -> list[DrawnWords]:
        """The words of the next model call, one entry a layer; drawn for several calls at once."""
        if self.calls not in self._ahead or images != self._ahead_of:
            heads = [site.heads for site in self.layout.sites]
            voters = sum(heads) if self.sampler.sampling == "per head" else len(heads)
            one = 16 * len(images) * self.sampler.draws * voters * len(self.sampler.bank.embeddings)
            calls = range(self.calls, self.calls + max(1, min(64, AHEAD // one)))
            self._ahead = dict(zip(calls, self.sampler.drawn(images, calls, heads, device), strict=True))
            self._ahead_of = images
        return self._ahead[self.calls]

    def keys(self, call: ModelCall, site: SiteKey, like: Tensor) -> Tensor:
        """The word bank as keys of a site [tokens heads*dim], projected once."""
        if site not in self._keys:
            bank = self.sampler.bank.embeddings.to(device=like.device, dtype=like.dtype)
            self._keys[site] = call.family.project_words(call.module, site, bank)
        return self._keys[site]

    def ready_keys(self, call: ModelCall, site: SiteKey, heads: int, like: Tensor) -> Tensor:
        """The same as votes read them, float32 [heads dim tokens]."""
        if site not in self._ready:
            self._ready[site] = word_keys(self.keys(call, site, like), heads)
        return self._ready[site]

    def measure(self, heads: slice, sizes: Tensor) -> None:
        """Note the logit sizes [images heads] of one layer in one call."""
        self._sizes.setdefault(heads.start, []).append(sizes)

    def count(self, chosen: Tensor, steps: list[int], images: list[int]) -> None:
        """Add the choices [images calls heads draws] of the images that count, a step a call."""
        shape = (self.steps or 1, len(self.sampler.bank.spans))
        votes = counted(chosen, steps, shape)
        self._counts = votes if self._counts is None else self._counts + votes

    def finish(self) -> None:
        """Count the votes of the model calls of the batch so far, all in one scatter."""
        alike: dict[tuple[int, ...], list[_CallVotes]] = {}
        for voting in self._voted:
            if len(voting.chosen) == len(self.layout.sites):
                alike.setdefault(tuple(voting.images), []).append(voting)
        self._voted = []
        for images, calls in alike.items():
            every = [voting.chosen[site.key] for voting in calls for site in self.layout.sites]
            if every[0].ndim < 3:  # one image: [heads] or [heads draws]
                chosen = torch.cat([part.view(1, part.shape[0], -1) for part in every], dim=1)
            else:
                chosen = torch.cat(every, dim=1)
            chosen = chosen.unflatten(1, (len(calls), -1))  # [images calls heads draws]
            counting = [row for row, image in enumerate(images) if image not in self.uncounted]
            if counting:
                self.count(chosen[counting], [voting.step for voting in calls], [images[row] for row in counting])


@dataclass
class _CallVotes:
    """The votes of one model call: words of all sites, then the choice of every head, site by site."""

    recorder: VoteRecorder
    call: ModelCall
    number: int
    step: int

    def __post_init__(self) -> None:
        recorder, batch = self.recorder, self.call.batch
        self.rows = batch.rows(self.number)
        self.images = [recorder.images[image] for image in batch.images_of(self.number)]
        self.number_of_call = recorder.calls
        drawn = recorder.words(self.images, self.call.x.device)
        sites = recorder.layout.sites
        self.words: dict[SiteKey, DrawnWords] = {site.key: words for site, words in zip(sites, drawn, strict=True)}
        self.chosen: dict[SiteKey, Tensor] = {}

    def __call__(self, call: AttentionCall) -> Tensor:
        """Vote with the conditional queries, then go on with the attention that would have run."""
        recorder, site = self.recorder, call.site
        query, words = call.joined[0], self.words[site.key]
        keys = recorder.ready_keys(self.call, site.key, site.heads, query)
        if words.alone:
            self.chosen[site.key] = choices_alone(query.select(0, self.rows[0]), keys, words, site.heads)
        else:
            self.chosen[site.key] = choices(rows_of(query, self.rows), keys, words, site.heads)
        if recorder.logit_scale:
            self._measure(call, rows_of(query, self.rows))
        return call.proceed()

    def _measure(self, call: AttentionCall, query: Tensor) -> None:
        recorder, site = self.recorder, call.site
        heads = [one.heads for one in recorder.layout.sites]
        ballot = recorder.sampler.ballots(self.images, self.number_of_call, heads, query.device)[
            recorder.layout.sites.index(site)
        ]
        sizes = logit_sizes(query, recorder.keys(self.call, site.key, query), ballot, site.heads)
        counting = [row for row, image in enumerate(self.images) if image not in recorder.uncounted]
        recorder.measure(recorder.layout.head_range(site.key), sizes[counting])


def rows_of(tensor: Tensor, rows: tuple[int, ...]) -> Tensor:
    """Rows of a tensor [rows ...], as a view where they follow one another."""
    first, count = rows[0], len(rows)
    if rows == tuple(range(first, first + count)):
        return tensor if count == tensor.shape[0] else tensor.narrow(0, first, count)
    return tensor[list(rows)]
