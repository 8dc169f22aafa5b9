"""What to do with a prompt's words, carried by the conditioning itself under one key."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Protocol

import numpy as np
from torch import Tensor

from ...hrv_engine.editing.ddim_inversion import Trajectory
from ...hrv_engine.editing.local_blend import LocalBlend
from ...hrv_engine.editing.paired_edit import PairedEdit
from ...hrv_engine.errors import HRVError
from ...hrv_engine.guidance.latent_guidance import Guidance
from ...hrv_engine.guidance.phrase_values import LentValues
from ...hrv_engine.relevance.rescale import HeadScale
from ...hrv_engine.text.alignment import TokenTable

KEY = "hrv"
Conditioning = list[list[Any]]  # ComfyUI's CONDITIONING: [[tensor [batch tokens channels], dict], ...]


class Annotation(Protocol):
    """What HRV nodes write on a conditioning, under the key of its kind."""

    key: ClassVar[str]


@dataclass(frozen=True)
class PromptAnnotation:
    """The token table of an encoded prompt and what is asked for it; copied, never changed in place.

    columns: how many the context had when it was encoded; None for a table made by hand.
    """

    key: ClassVar[str] = KEY
    table: TokenTable
    scales: tuple[HeadScale, ...] = ()
    guidance: tuple[Guidance, ...] = ()
    values: LentValues | None = None
    columns: int | None = None

    def on(self, context: Tensor) -> "PromptAnnotation":
        """The same, knowing how many columns a node appended to its context [batch tokens channels] since.

        Raises HRVError for a context that was cut.
        """
        tokens = int(context.shape[1])
        if self.columns is None or tokens == self.columns:
            return self
        if tokens < self.columns:
            raise HRVError(
                f'The conditioning of the prompt "{self.table.prompt}" was encoded with {self.columns} columns and has'
                f" {tokens} now: another node cut it, so its words are not where they were. Take that node away, or put"
                " it before HRV Tag Conditioning."
            )
        return replace(self, table=replace(self.table, unknown=tokens - self.columns))


def annotated(conditioning: Conditioning, table: TokenTable) -> Conditioning:
    """A copy in which every context carries the token table of the prompt it encodes."""
    return [
        [context, {**values, KEY: PromptAnnotation(table, columns=int(context.shape[1]))}]
        for context, values in conditioning
    ]


@dataclass(frozen=True)
class PairedPrompts:
    """What stacked prompts carry, source first: the annotation of each, its context length before stacking, the edit.

    replay: the source's latent at every noise level, if it is a real image; blend: where the targets may differ.
    """

    key: ClassVar[str] = KEY
    annotations: tuple[PromptAnnotation | None, ...]
    lengths: tuple[int, ...]
    edit: PairedEdit
    replay: Trajectory | None = None
    blend: LocalBlend | None = None

    def scales(self, tokens: int) -> tuple[HeadScale, ...]:
        """The rescalings of all rows, for a stacked context of `tokens`: factors 1 in the rows of other prompts."""
        found = []
        for number, (annotation, length) in enumerate(zip(self.annotations, self.lengths, strict=True)):
            for scale in annotation.scales if annotation else ():
                factors = np.ones((len(self.annotations), scale.factors.shape[-1]), np.float32)
                factors[number] = np.atleast_2d(scale.factors)[0]
                columns = tuple(c + start for start in range(0, tokens, length) for c in scale.columns)
                found.append(replace(scale, columns=columns, factors=factors))
        return tuple(found)


def annotations_of(conditioning: Conditioning) -> list[PromptAnnotation | None]:
    """The annotation of every prompt in a conditioning, None where HRV Prompt did not encode it."""
    found: list[PromptAnnotation | None] = []
    for context, values in conditioning:
        annotation = values.get(KEY)
        if isinstance(annotation, PairedPrompts):
            found += annotation.annotations
        else:
            found.append(annotation.on(context) if isinstance(annotation, PromptAnnotation) else None)
    return found


def tables_of(conditioning: Conditioning) -> list[TokenTable]:
    """The token tables of all prompts in a conditioning; raises HRVError when none was encoded by HRV Prompt."""
    tables = [annotation.table for annotation in annotations_of(conditioning) if annotation]
    if tables:
        return tables
    raise HRVError(
        "This conditioning has no token table, so its words cannot be found. Encode the prompt with HRV Prompt instead"
        " of CLIP Text Encode (it gives the same conditioning and adds the table), and connect nothing in between that"
        " encodes again. For the conditioning of another encoder, connect HRV Tag Conditioning after it."
    )


def table_of(conditioning: Conditioning) -> TokenTable:
    """The token table of the first prompt in a conditioning; raises HRVError as `tables_of` does."""
    return tables_of(conditioning)[0]


Where = Callable[[TokenTable], tuple[int, ...]]
Change = Callable[[PromptAnnotation], PromptAnnotation]


def reannotated(conditioning: Conditioning, change: Change) -> Conditioning:
    """A copy in which `change` was applied to the annotation of every annotated prompt, stacked ones row by row.

    Prompts for which it raises stay as they are; raises its first HRVError when it succeeds for none.
    """
    table_of(conditioning)
    misses: list[HRVError] = []
    hits: list[PromptAnnotation] = []

    def changed(annotation: PromptAnnotation) -> PromptAnnotation:
        try:
            hits.append(change(annotation))
        except HRVError as error:
            misses.append(error)
            return annotation
        return hits[-1]

    result: Conditioning = []
    for tensor, values in conditioning:
        annotation = values.get(KEY)
        if isinstance(annotation, PromptAnnotation):
            values = {**values, KEY: changed(annotation.on(tensor))}
        elif isinstance(annotation, PairedPrompts):
            values = {
                **values,
                KEY: replace(annotation, annotations=tuple(one and changed(one) for one in annotation.annotations)),
            }
        result.append([tensor, values])
    if not hits:
        raise misses[0]
    return result


def with_scale(conditioning: Conditioning, where: Where, scale: HeadScale) -> Conditioning:
    """A copy in which every annotated prompt carries `scale` on the columns `where` finds; see `reannotated`."""

    def scaled(annotation: PromptAnnotation) -> PromptAnnotation:
        more = replace(scale, columns=where(annotation.table))
        return annotation if more.neutral else replace(annotation, scales=(*annotation.scales, more))

    return reannotated(conditioning, scaled)


def with_guidance(conditioning: Conditioning, guide: Callable[[TokenTable], Guidance]) -> Conditioning:
    """A copy in which every annotated prompt carries the guidance `guide` makes for its words; see `reannotated`."""

    def guided(annotation: PromptAnnotation) -> PromptAnnotation:
        more = guide(annotation.table)
        return annotation if more.schedule.neutral else replace(annotation, guidance=(*annotation.guidance, more))

    return reannotated(conditioning, guided)
