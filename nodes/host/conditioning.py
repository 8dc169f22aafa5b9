"""What to do with a prompt's words, carried by the conditioning itself under one key."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from ...hrv_engine.alignment import TokenTable
from ...hrv_engine.errors import HRVError
from ...hrv_engine.rescale import HeadScale

KEY = "hrv"
Conditioning = list[list[Any]]  # ComfyUI's CONDITIONING: [[tensor [batch tokens channels], dict], ...]


@dataclass(frozen=True)
class Tag:
    """The token table of an encoded prompt and the rescalings asked for it; copied, never changed in place."""

    table: TokenTable
    scales: tuple[HeadScale, ...] = ()


def tags_of(conditioning: Conditioning) -> list[Tag | None]:
    """The tag of every prompt in a conditioning, None where HRV Prompt did not encode it."""
    found = [values.get(KEY) for _, values in conditioning]
    return [tag if isinstance(tag, Tag) else None for tag in found]


def tables_of(conditioning: Conditioning) -> list[TokenTable]:
    """The token tables of all prompts in a conditioning; raises HRVError when none was encoded by HRV Prompt."""
    tables = [values[KEY].table for _, values in conditioning if isinstance(values.get(KEY), Tag)]
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


def with_scale(conditioning: Conditioning, where: Where, scale: HeadScale) -> Conditioning:
    """A copy in which every tagged prompt carries `scale` on the columns that `where` finds in it.

    Combined prompts for which `where` raises stay as they are; raises its HRVError when it finds nothing in any.
    """
    table_of(conditioning)
    scaled: Conditioning = []
    miss: HRVError | None = None
    hits = 0
    for tensor, values in conditioning:
        tag = values.get(KEY)
        if isinstance(tag, Tag):
            try:
                more = replace(scale, columns=where(tag.table))
            except HRVError as error:
                miss = miss or error
            else:
                hits += 1
                if not more.neutral:
                    values = {**values, KEY: replace(tag, scales=(*tag.scales, more))}
        scaled.append([tensor, values])
    if not hits and miss is not None:
        raise miss
    return scaled
