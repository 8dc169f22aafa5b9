"""Collects the votes of Algorithm 1 while the stock sampler draws: the model's own queries, nothing changed."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from ...hrv_engine.attention.heads import AttentionSite, HeadLayout, SiteKey
from ...hrv_engine.errors import HRVError
from ...hrv_engine.relevance.logit_scale import LogitScale
from ...hrv_engine.relevance.voting import (
    Ballot,
    DrawnWords,
    WordBank,
    WordSampler,
    choices,
    choices_alone,
    counted,
    logit_sizes,
    word_keys,
)
from .calls import AttentionCall, ModelCall
from .control import Control, StepPlan, controlled
from .identity import is_its_own
from .receipt import Receipt

POSITIVE = "positive"  # the name of the list of positives in the host's samplers
AHEAD = 16 << 20  # bytes of drawn words that are prepared at once, for as many model calls as they hold


class WordKeys(Protocol):
    """Where the keys of concept words come from."""

    def attach(self, model: Any, recorder: "VoteRecorder") -> Any:
        """A clone of MODEL in whose runs they are made."""
        ...

    def ride(self, call: ModelCall, rows: Sequence[int], drawn: DrawnWords) -> None:
        """Prepare a model call for the words that are drawn for its rows; `drawn`: those of the first layer."""
        ...

    def keys(self, call: ModelCall, attention: AttentionCall, rows: Sequence[int]) -> Tensor:
        """The keys of words at a site as votes of some rows read them, float32 [heads dim tokens]."""
        ...

    def words(self, drawn: DrawnWords, images: Sequence[int]) -> DrawnWords:
        """Words drawn for some images, by their places among the keys."""
        ...

    def ballot(self, ballot: Ballot, images: Sequence[int]) -> Ballot:
        """The same for a ballot."""
        ...


class BankKeys:
    """Keys of the whole word bank, which a layer's own projection makes of embeddings; made once a site."""

    def __init__(self, bank: WordBank) -> None:
        self.bank = bank
        self._keys: dict[SiteKey, Tensor] = {}

    def attach(self, model: Any, recorder: "VoteRecorder") -> Any:
        """The MODEL: nothing else is to be done."""
        return model

    def ride(self, call: ModelCall, rows: Sequence[int], drawn: DrawnWords) -> None:
        """Nothing: keys do not depend on the call."""

    def keys(self, call: ModelCall, attention: AttentionCall, rows: Sequence[int]) -> Tensor:
        """The word bank as keys of a site, float32 [heads dim tokens]."""
        site = attention.site
        if site.key not in self._keys:
            like = attention.parts[0]
            bank = self.bank.embeddings.to(device=like.device, dtype=like.dtype)
            self._keys[site.key] = word_keys(call.family.project_words(call.module, site.key, bank), site.heads)
        return self._keys[site.key]

    def words(self, drawn: DrawnWords, images: Sequence[int]) -> DrawnWords:
        """The same: places among the keys are rows of the bank."""
        return drawn

    def ballot(self, ballot: Ballot, images: Sequence[int]) -> Ballot:
        """The same."""
        return ballot


class VoteRecorder(Control):
    """Counts the votes of one batch of images at a time; `take` hands them over, int64 [steps or 1, concepts, heads].

    images: the image numbers of the batch, which (with the model call) choose the drawn words; logit_scale: also
    measure how strongly each head attends (`scale`). keys: of the words, for a model in which they have some only in a
    run; else a layer's own projection makes them.
    """

    name = "HRV Build"

    def __init__(
        self, sampler: WordSampler, layout: HeadLayout, steps: int | None, logit_scale: bool = False,
        keys: WordKeys | None = None,
    ) -> None:  # fmt: skip
        self.sampler, self.layout, self.steps, self.logit_scale = sampler, layout, steps, logit_scale
        self.key = f"hrv_build {id(self)}"  # several may record one run
        self.keys: WordKeys = BankKeys(sampler.bank) if keys is None else keys
        self.begin([])

    def attach(self, model: Any) -> Any:
        """A clone of MODEL whose calls are recorded here."""
        return self.keys.attach(controlled(model, self), self)

    def upcoming(self) -> list[set[tuple[int, int]]]:
        """The (concept, word) numbers that the images' heads vote with in the next model call."""
        return self.sampler.words(self.images, self.calls, [site.heads for site in self.layout.sites])

    def begin(self, images: list[int], uncounted: Collection[int] = ()) -> None:
        """Start the next batch; votes not taken are forgotten (an interrupted image does not count).

        uncounted: those of the images that are drawn with the others, but whose votes do not count.
        """
        self.images, self.calls = images, 0
        self.uncounted = set(uncounted)
        self._counts: Tensor | None = None
        self._voted: list[_CallVotes] = []
        self._last: list[_CallVotes] = []  # of the model call that runs
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

    def plan(self, step: StepPlan) -> dict[int, tuple[int, int]]:
        """The positives of a build: the step they vote in, and the number of the model call, which draws the words."""
        number = 0 if self.steps is None else min(step.step, self.steps - 1)
        positives = [
            planned.number  # not the copies that the host makes for the areas of other lists
            for planned in step.conditionings
            if planned.group == POSITIVE and is_its_own(planned.cond)
        ]
        self.calls += len(positives)
        return {planned: (number, self.calls - 1) for planned in positives}

    def act(self, call: ModelCall, actions: dict[int, tuple[int, int]], receipt: Receipt) -> None:
        """Let every head vote with the rows of the positives."""
        for voting in self._last:
            voting.release()
        self._last = [_CallVotes(self, call, number, *drawn) for number, drawn in actions.items()]
        self._voted += self._last
        for number, voting in zip(actions, self._last, strict=True):
            call.receive(receipt, voting, len(call.batch.rows(number)))

    def words(self, images: list[int], call: int, device: torch.device) -> list[DrawnWords]:
        """The words of a model call, one entry a layer; drawn for several calls at once."""
        if call not in self._ahead or images != self._ahead_of:
            heads = [site.heads for site in self.layout.sites]
            voters = sum(heads) if self.sampler.sampling == "per head" else len(heads)
            one = 16 * len(images) * self.sampler.draws * voters * len(self.sampler.bank.embeddings)
            calls = range(call, call + max(1, min(64, AHEAD // one)))
            self._ahead = dict(zip(calls, self.sampler.drawn(images, calls, heads, device), strict=True))
            self._ahead_of = images
        return self._ahead[call]

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
    call: ModelCall | None  # until it is over: it holds all that the model was given
    number: int
    step: int
    number_of_call: int

    def __post_init__(self) -> None:
        assert self.call is not None
        recorder, batch = self.recorder, self.call.batch
        self.rows = batch.rows(self.number)
        self.places = batch.images_of(self.number)  # of its images in the batch that is drawn
        self.images = [recorder.images[image] for image in self.places]
        drawn = recorder.words(self.images, self.number_of_call, self.call.x.device)
        recorder.keys.ride(self.call, self.rows, drawn[0])
        sites = recorder.layout.sites
        self.words: dict[SiteKey, DrawnWords] = {
            site.key: recorder.keys.words(words, self.places) for site, words in zip(sites, drawn, strict=True)
        }
        self.chosen: dict[SiteKey, Tensor] = {}

    def __call__(self, call: AttentionCall) -> Tensor:
        """Vote with the conditional queries, then go on with the attention that would have run."""
        recorder, site = self.recorder, call.site
        query, words = call.query, self.words[site.key]
        assert self.call is not None
        keys = recorder.keys.keys(self.call, call, self.rows)
        if words.alone:
            self.chosen[site.key] = choices_alone(query.select(0, self.rows[0]), keys, words)
        else:
            self.chosen[site.key] = choices(rows_of(query, self.rows), keys, words)
        if recorder.logit_scale:
            self._measure(site, rows_of(query, self.rows), keys)
        return call.proceed()

    def release(self) -> None:
        """Keep the choices alone."""
        self.call, self.words = None, {}

    def _measure(self, site: AttentionSite, query: Tensor, keys: Tensor) -> None:
        recorder = self.recorder
        heads = [one.heads for one in recorder.layout.sites]
        ballot = recorder.sampler.ballots(self.images, self.number_of_call, heads, query.device)[
            recorder.layout.sites.index(site)
        ]
        sizes = logit_sizes(query, keys, recorder.keys.ballot(ballot, self.places))
        counting = [row for row, image in enumerate(self.images) if image not in recorder.uncounted]
        recorder.measure(recorder.layout.head_range(site.key), sizes[counting])


def rows_of(tensor: Tensor, rows: tuple[int, ...]) -> Tensor:
    """Rows of a tensor [rows ...], as a view where they follow one another."""
    first, count = rows[0], len(rows)
    if rows == tuple(range(first, first + count)):
        return tensor if count == tensor.shape[0] else tensor.narrow(0, first, count)
    return tensor[list(rows)]
