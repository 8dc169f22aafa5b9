"""What votes and effects have in common: sums over the parts of a build, which add up only if they were built alike."""

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

from ..attention.heads import HeadLayout
from ..errors import HRVError
from .concepts import ConceptSet
from .parts import Part
from .sketch import alike

if TYPE_CHECKING:
    from .relevance import HeadRelevance

HEARD = {  # entries of a recipe that say what encoded its prompts, and how errors call them; older files lack both
    "text_encoder": "text encoder (or its last layer or a LoRA on it)",
    "negative": "negative prompt",
}
MOST_BYTES = 256 << 20  # of sums in one file: SDXL's heads, 34 concepts and 750 steps


class PartialSums(ABC):
    """The sums of some images of a build.

    concepts, layout: what they are of; recipe: every build setting that must agree before sums may be added; parts:
    which images were counted. A subclass is a frozen dataclass with these fields and its own sums.
    """

    concepts: ConceptSet
    layout: HeadLayout
    recipe: dict[str, Any]
    parts: tuple[Part, ...]

    @property
    def images(self) -> int:
        """How many images were counted."""
        return sum(part.images for part in self.parts)

    @property
    @abstractmethod
    def nbytes(self) -> int:
        """The memory that the sums take."""

    @abstractmethod
    def __add__(self, other: Any) -> Any:
        """The sums of both, in either order; raises HRVError as `check_addable` does."""

    @abstractmethod
    def emptied(self) -> Any:
        """The same build with nothing counted."""

    @abstractmethod
    def relevance(self) -> "HeadRelevance":
        """The vectors that these sums give."""

    def check_addable(self, other: "PartialSums") -> None:
        """Raise HRVError when the other sums were built otherwise, or counted an image that these counted too."""
        self.check_compatible(other)
        twice = [part for part in other.parts if any(part.overlaps(mine) for mine in self.parts)]
        if twice:
            raise HRVError(
                f"Both files counted the same images ({twice[0]}). Adding them would count these twice: "
                "build the second file with another seed, other prompts or another part of them."
            )

    def check_compatible(self, other: "PartialSums") -> None:
        """Raise HRVError when the other sums are of other concepts, heads or settings."""
        if type(self) is not type(other):
            raise HRVError(
                "One file holds votes, the other effects: they were built in different ways and measure different"
                " things and do not add up. Merge files of one kind, or save under another name."
            )
        if self.concepts.to_json()["concepts"] != other.concepts.to_json()["concepts"]:
            raise HRVError(
                f'The concepts differ: "{self.concepts.name}" and "{other.concepts.name}" do not have the same concepts'
                " and words. Votes add only over one concept set; build with the same one."
            )
        if not self.layout.same_heads(other.layout):
            raise HRVError(
                f"The head layouts differ: {self.layout.summary} and {other.layout.summary}. Votes add only for one"
                " model architecture."
            )
        self._check_heard(other)
        for key in sorted((self.recipe.keys() | other.recipe.keys()) - HEARD.keys()):
            own, others = self.recipe.get(key, "off"), other.recipe.get(key, "off")
            if own != others:
                raise HRVError(
                    f"The build settings differ: {key} is {own!r} in one and {others!r} in the other. Votes of"
                    f" different settings must not be mixed: set {key} to {own!r}, or save under another name."
                )

    def _check_heard(self, other: "PartialSums") -> None:
        if not ("text_encoder" in self.recipe and "text_encoder" in other.recipe):
            return
        for key, name in HEARD.items():
            if not alike(str(self.recipe.get(key, "none")), str(other.recipe.get(key, "none"))):
                raise HRVError(
                    f"The {name} of one differs from that of the other ({key} in their recipes). Votes of different"
                    f" settings must not be mixed: connect the {name} that the file was built with, or save under"
                    " another name."
                )


def check_size(shape: tuple[int, ...], what: str, fix: str) -> None:
    """Raise HRVError when int64 sums of this shape are more than one file may hold."""
    size = 8
    for length in shape:
        size *= length
    if size > MOST_BYTES:
        raise HRVError(f"{what} take {size >> 20} MB, more than the {MOST_BYTES >> 20} MB of a file. {fix}")
