"""What to do with reference images, carried by the conditioning that has them under a key of its own."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from ...hrv_engine.errors import HRVError
from .conditioning import Conditioning
from .families import family_of

LATENTS = "reference_latents"  # the host's key of a conditioning: [latent [batch channels (frames) height width], ...]
EVERY = 0


@dataclass(frozen=True)
class ReferenceScale:
    """Multiply the map columns of a reference image by r_h, in the window [start, end] of the sampling (0 to 1).

    image: its number, from 1, EVERY for all of them; factors: float32 [heads].
    """

    image: int
    factors: np.ndarray
    start: float = 0.0
    end: float = 1.0

    @property
    def neutral(self) -> bool:
        """True when nothing would change: an empty window or r = 1 everywhere."""
        return self.start >= self.end or bool((self.factors == 1).all())

    def indices(self, count: int) -> list[int]:
        """Which of `count` reference images it acts on, from 0; raises HRVError for a number beyond them."""
        if self.image == EVERY:
            return list(range(count))
        if self.image > count:
            raise beyond(self.image, count)
        return [self.image - 1]


@dataclass(frozen=True)
class ReferenceAnnotation:
    """What is asked for the reference images of a conditioning; copied, never changed in place."""

    key: ClassVar[str] = "hrv_references"
    scales: tuple[ReferenceScale, ...] = ()


def check_takes_references(title: str, model: Any) -> None:
    """Raise HRVError for a MODEL whose attention has no reference images that a strength could be given to."""
    module = model.model.diffusion_model
    family = family_of(module)
    if why := family.refuses_references(module):
        raise HRVError(
            f"{title} cannot act on {type(module).__name__} ({family.name}). {why} It acts on models that take"
            " reference images as rows of their attention: Flux.1 Kontext, Flux.2, Qwen-Image-Edit, Mage-Flow, Krea 2,"
            " OmniGen2 and JoyImage. Load one of these, or take the node away."
        )


def references_of(conditioning: Conditioning) -> list[Any]:
    """The reference latents of the entry of a conditioning that has most; raises HRVError where none has any."""
    found: Iterable[list[Any]] = (values.get(LATENTS) or [] for _, values in conditioning)
    latents = max(found, key=len, default=[])
    if not latents:
        raise HRVError(
            "This conditioning has no reference image. Put this node after the one that adds them: Set Reference"
            " Latent, or the model's own image encoder with its vae connected (TextEncodeQwenImageEditPlus)."
        )
    return latents


def beyond(image: int, count: int) -> HRVError:
    """What to say of a number that no reference image has."""
    legal = "1 is the only number" if count == 1 else f"they have the numbers 1 to {count}"
    return HRVError(
        f"There is no reference image {image}: this conditioning has {count} of them, {legal}, in the order they were"
        " added. Use one of these, or 0 for every image."
    )


def with_reference_scale(conditioning: Conditioning, scale: ReferenceScale) -> Conditioning:
    """A copy in which every entry that has the reference image carries `scale`; raises HRVError where none has it."""
    scale.indices(len(references_of(conditioning)))
    if scale.neutral:
        return [[context, dict(values)] for context, values in conditioning]
    key, result = ReferenceAnnotation.key, []
    for context, values in conditioning:
        if len(values.get(LATENTS) or []) >= max(scale.image, 1):
            before = values.get(key, ReferenceAnnotation())
            values = {**values, key: ReferenceAnnotation((*before.scales, scale))}
        result.append([context, values])
    return result
