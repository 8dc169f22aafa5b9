"""What to do with a prompt's words, carried by the conditioning itself under one key."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ...hrv_engine.editing.inversion import Trajectory
from ...hrv_engine.editing.local_blend import LocalBlend
from ...hrv_engine.editing.paired_edit import PairedEdit
from ...hrv_engine.errors import HRVError
from ...hrv_engine.guidance.guidance import Guidance
from ...hrv_engine.guidance.lent_values import LentValues
from ...hrv_engine.relevance.rescale import HeadScale
from ...hrv_engine.text.alignment import TokenTable

KEY = "hrv"
Conditioning = list[list[Any]]  # ComfyUI's CONDITIONING: [[tensor [batch tokens channels], dict], ...]


@dataclass(frozen=True)
class Tag:
    """The token table of an encoded prompt and what is asked for it; copied, never changed in place."""

    table: TokenTable
    scales: tuple[HeadScale, ...] = ()
    guidance: tuple[Guidance, ...] = ()
    values: LentValues | None = None


@dataclass(frozen=True)
class Branches:
    """What stacked prompts carry, source first: the tag of each row, its context length before stacking, the edit.

    replay: the source's latent at every noise level, if it is a real image; blend: where the targets may differ.
    """

    rows: tuple[Tag | None, ...]
    lengths: tuple[int, ...]
    edit: PairedEdit
    replay: Trajectory | None = None
    blend: LocalBlend | None = None

    def scales(self, tokens: int) -> tuple[HeadScale, ...]:
        """The rescalings of all rows, for a stacked context of `tokens`: factors 1 in the rows of other prompts."""
        found = []
        for number, (tag, length) in enumerate(zip(self.rows, self.lengths, strict=True)):
            for scale in tag.scales if tag else ():
                factors = np.ones((len(self.rows), scale.factors.shape[-1]), np.float32)
                factors[number] = np.atleast_2d(scale.factors)[0]
                columns = tuple(c + start for start in range(0, tokens, length) for c in scale.columns)
                found.append(replace(scale, columns=columns, factors=factors))
        return tuple(found)


def tags_of(conditioning: Conditioning) -> list[Tag | None]:
    """The tag of every prompt in a conditioning, None where HRV Prompt did not encode it."""
    found: list[Tag | None] = []
    for _, values in conditioning:
        tag = values.get(KEY)
        found += tag.rows if isinstance(tag, Branches) else [tag if isinstance(tag, Tag) else None]
    return found


def tables_of(conditioning: Conditioning) -> list[TokenTable]:
    """The token tables of all prompts in a conditioning; raises HRVError when none was encoded by HRV Prompt."""
    tables = [tag.table for tag in tags_of(conditioning) if tag]
    if tables:
        return tables
    raise HRVError(
        "This conditioning has no token table, so its words cannot be found. Encode the prompt with HRV Prompt instead"
        " of CLIP Text Encode (it gives the same conditioning and adds the table), and connect nothing in between that"
        " encodes again."
    )


def table_of(conditioning: Conditioning) -> TokenTable:
    """The token table of the first prompt in a conditioning; raises HRVError as `tables_of` does."""
    return tables_of(conditioning)[0]


Where = Callable[[TokenTable], tuple[int, ...]]
Change = Callable[[Tag], Tag]


def retagged(conditioning: Conditioning, change: Change) -> Conditioning:
    """A copy in which `change` was applied to the tag of every tagged prompt, stacked ones row by row.

    Prompts for which it raises stay as they are; raises its first HRVError when it succeeds for none.
    """
    table_of(conditioning)
    misses: list[HRVError] = []
    hits: list[Tag] = []

    def changed(tag: Tag) -> Tag:
        try:
            hits.append(change(tag))
        except HRVError as error:
            misses.append(error)
            return tag
        return hits[-1]

    result: Conditioning = []
    for tensor, values in conditioning:
        tag = values.get(KEY)
        if isinstance(tag, Tag):
            values = {**values, KEY: changed(tag)}
        elif isinstance(tag, Branches):
            values = {**values, KEY: replace(tag, rows=tuple(row and changed(row) for row in tag.rows))}
        result.append([tensor, values])
    if not hits:
        raise misses[0]
    return result


def with_scale(conditioning: Conditioning, where: Where, scale: HeadScale) -> Conditioning:
    """A copy in which every tagged prompt carries `scale` on the columns that `where` finds in it; see `retagged`."""

    def scaled(tag: Tag) -> Tag:
        more = replace(scale, columns=where(tag.table))
        return tag if more.neutral else replace(tag, scales=(*tag.scales, more))

    return retagged(conditioning, scaled)


def with_guidance(conditioning: Conditioning, guide: Callable[[TokenTable], Guidance]) -> Conditioning:
    """A copy in which every tagged prompt carries the guidance that `guide` makes for its words; see `retagged`."""

    def guided(tag: Tag) -> Tag:
        more = guide(tag.table)
        return tag if more.schedule.neutral else replace(tag, guidance=(*tag.guidance, more))

    return retagged(conditioning, guided)
