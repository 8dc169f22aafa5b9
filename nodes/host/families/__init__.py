"""Model families: where a model's attention is, and how a control gets around it. One file a family.

A family is found by what it recognises in the model. Another pack adds one with `register`.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from ....hrv_engine.attention.heads import HeadLayout, SiteKey
from ._unreachable import no_family

if TYPE_CHECKING:
    from ..calls import ModelCall


class Family(Protocol):
    """What a kind of model has to say for controls to act on its attention."""

    name: str
    needs_sound: bool  # whether nothing is drawn without a second latent, of sound
    batches: bool  # whether it draws several images at once

    def recognises(self, module: Any) -> bool:
        """Whether a diffusion model is of this family."""
        ...

    def sites(self, module: Any) -> HeadLayout:
        """The sites whose heads an HRV counts, in execution order."""
        ...

    def downsampling(self, module: Any) -> Mapping[SiteKey, int]:
        """By how much the maps of each site are smaller than the latent, per side."""
        ...

    def token_columns(self, length: int, tokens: int, columns: Collection[int]) -> list[int]:
        """Where columns of a prompt of `tokens` tokens are among the `length` keys that controls get of it."""
        ...

    def refuses_references(self, module: Any) -> str:
        """Why the strength of a reference image cannot be set here, a sentence; empty for models where it can."""
        ...

    def image_grid(self, module: Any, pixels: int, latent: Sequence[int]) -> tuple[int, int, int]:
        """(frames, height, width) of the map of a site with that many pixels below a latent of this shape."""
        ...

    def words_need_runs(self, module: Any) -> bool:
        """Whether a concept word has keys only in a run of the model with the word in its text."""
        ...

    def words_ride(self, module: Any) -> bool:
        """Whether words that need a run can ride in the image's, as `Riding` has it; else each has one of its own."""
        ...

    def project_words(self, module: Any, site: SiteKey, embeddings: Any) -> Any:
        """Keys [tokens heads*dim] of concept words [tokens channels] at a site."""
        ...

    def key_weights(self, module: Any) -> Iterable[tuple[SiteKey, Any]]:
        """The weight that makes the keys of each site, by which two checkpoints are told apart."""
        ...

    def around(self, call: "ModelCall") -> AbstractContextManager[dict[str, Any]]:
        """The options of a model call under which its receivers act at their sites; undone when it is over."""
        ...


_families: list[Family] = []


def register(family: Family) -> None:
    """Add a family; later ones are asked first."""
    _families.insert(0, family)


def families() -> list[Family]:
    """All families, those of this folder included."""
    if not any(family.name == "UNet" for family in _families):
        for path in sorted(Path(__file__).parent.glob("[!_]*.py")):
            found = getattr(import_module(f".{path.stem}", __name__), "FAMILY", None)
            if found is not None:
                _families.append(found)
    return _families


def family_of(module: Any) -> Family:
    """The family of a diffusion model; raises HRVError that names the model for one of no family."""
    for family in families():
        if family.recognises(module):
            return family
    raise no_family(module)
