"""What reads images: scorers by the names experiments use, each only if its weights were given."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from torch import Tensor

from ..errors import HRVError, nearest
from ..pocket.scorer import PocketScorer
from ..scoring.background import BackgroundSimilarity
from ..scoring.scorers import ImageScorer
from ..scoring.segments import Segmenter
from .plan import Job
from .store import Store

KNOWN = ("pocket", "clip", "minimum", "caption", "background")


@dataclass(frozen=True)
class Readers:
    """Scorers by name, each of an image and a text, and what BG-DINO needs.

    identity: what tells one set of weights from another, so that kept scores are not mixed up.
    """

    scorers: Mapping[str, ImageScorer] = field(default_factory=dict)
    background: BackgroundSimilarity | None = None
    segmenter: Segmenter | None = None
    identity: str = ""

    def score(self, name: str, store: Store, job: Job, key: str, text: str) -> list[float] | None:
        """Scores of a job's images under `key` against a text, kept beside them; None without that scorer."""
        scorer = self.scorers.get(name)
        if scorer is None:
            return None
        about = f"{name}|{self.identity}|{key}|{text}"
        return store.kept(job.name, about, lambda: scorer.score(store.pictures(job.name, key), text).tolist())

    def kept_background(self, source: Tensor, target: Tensor, thing: str) -> float | str:
        """BG-DINO of one pair, the object found by its word in both; "" without the weights or without a word.

        "" too where the object fills an image, so that there is no background.
        """
        if self.background is None or self.segmenter is None or not thing:
            return ""
        masks = [self.segmenter.masks(picture, thing) for picture in (source, target)]
        if any(bool(mask.all()) for mask in masks):
            return ""
        return float(self.background.compare(source, target, *masks)[0])

    @cached_property
    def pocket(self) -> PocketScorer:
        """Reads attributes back from the pocket model's images."""
        return PocketScorer()


def check_names(names: Mapping[str, Any], experiment: str) -> None:
    """Raise HRVError for a scorer that is not known."""
    for name in names:
        if name not in KNOWN:
            raise HRVError(
                f'{experiment} is scored by "{name}", which is unknown. Nearest: {nearest(name, KNOWN)}. Legal:'
                f" {', '.join(KNOWN)}."
            )
