"""What reads pictures: scorers by the names experiments use, each only if its weights were given."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from ..errors import HRVError, nearest
from ..scorers import ImageScorer, PocketScorer
from .plan import Job
from .store import Store

KNOWN = ("pocket", "clip", "minimum", "caption", "background")


@dataclass(frozen=True)
class Readers:
    """Scorers by name; `background` compares two pictures, all others a picture and a text.

    identity: what tells one set of weights from another, so that kept scores are not mixed up.
    """

    scorers: Mapping[str, ImageScorer] = field(default_factory=dict)
    background: Callable[[Tensor, Tensor], Any] | None = None
    identity: str = ""

    def score(self, name: str, store: Store, job: Job, key: str, text: str) -> list[float] | None:
        """Scores of a job's pictures under `key` against a text, kept beside them; None without that scorer."""
        scorer = self.scorers.get(name)
        if scorer is None:
            return None
        about = f"{name}|{self.identity}|{key}|{text}"
        return store.kept(job.name, about, lambda: scorer.score(store.pictures(job.name, key), text).tolist())

    @cached_property
    def pocket(self) -> PocketScorer:
        """Reads attributes back from the pocket model's pictures."""
        return PocketScorer()

    def seen(self, pictures: Tensor) -> dict[str, Tensor]:
        """Everything the pocket scorer sees, probabilities by family [pictures classes]."""
        with torch.no_grad():
            return self.pocket.network(pictures.movedim(-1, 1))


def check_names(names: Mapping[str, Any], experiment: str) -> None:
    """Raise HRVError for a scorer that is not known."""
    for name in names:
        if name not in KNOWN:
            raise HRVError(
                f'{experiment} is scored by "{name}", which is unknown. Nearest: {nearest(name, KNOWN)}. Legal:'
                f" {', '.join(KNOWN)}."
            )
