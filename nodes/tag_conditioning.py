"""HRV Tag Conditioning: the token table of a prompt that another node encoded."""

from dataclasses import replace
from itertools import cycle, islice
from typing import Any

from comfy_api.latest import io
from torch import Tensor

from ..hrv_engine.errors import HRVError
from ..hrv_engine.text.alignment import TokenTable
from .host.conditioning import KEY, PairedPrompts, PromptAnnotation
from .host.tokens import token_table
from .host.words import encode
from .types import CATEGORY

RE_ENCODE, LENGTH = "re-encode", "length"
CHECKS = (RE_ENCODE, LENGTH)
ROUNDING = 0.02  # of a token's vector: text encoders at half precision differ by less, another word by far more


class HRVTagConditioning(io.ComfyNode):
    """Tell HRV nodes where the words of somebody else's conditioning are."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="HRVTagConditioning",
            display_name="HRV Tag Conditioning",
            category=CATEGORY,
            description=(
                "Adds the token table of HRV Prompt to a conditioning that another node encoded (prompt-control,"
                " Advanced CLIP Text Encode, smZNodes), so that HRV nodes can be told its words. The conditioning stays"
                " the same, bit for bit."
            ),
            search_aliases=[
                "hrv",
                "token table",
                "tag conditioning",
                "prompt control",
                "BNK_CLIPTextEncodeAdvanced",
                "smZ CLIPTextEncode",
                "conditioning concat",
                "custom text encode",
            ],
            inputs=[
                io.Conditioning.Input(
                    "conditioning",
                    tooltip=(
                        "One prompt as another node encoded it. After ConditioningConcat on an HRV Prompt: the words"
                        " of the second prompt are added to those of the first."
                    ),
                ),
                io.Clip.Input("clip", tooltip="The CLIP that encoded it, with the same LoRAs and the same last layer."),
                io.String.Input(
                    "text",
                    multiline=True,
                    default="",
                    tooltip="The text that was encoded, with its weights. After ConditioningConcat: the second text.",
                ),
                io.Combo.Input(
                    "check",
                    options=list(CHECKS),
                    default=RE_ENCODE,
                    tooltip=(
                        "re-encode: the text is encoded again and must give the same conditioning. length: only the"
                        " number of columns must fit; for weights that the other node reads in a way of its own."
                    ),
                ),
            ],
            outputs=[
                io.Conditioning.Output(
                    display_name="CONDITIONING",
                    tooltip="The same conditioning with its words; use it as that of HRV Prompt.",
                )
            ],
        )

    @classmethod
    def execute(cls, conditioning, clip, text, check) -> io.NodeOutput:
        if check not in CHECKS:
            raise HRVError(f'The check "{check}" is unknown. Legal: {", ".join(CHECKS)}.')
        table = token_table(clip, text)
        expected = [context for context, _ in encode(clip, text)] if check == RE_ENCODE else []
        if len(expected) > 1 and len(expected) != len(conditioning):
            raise HRVError(
                f'This CLIP encodes "{text}" {len(expected)} times (scheduled hooks), but the conditioning holds'
                f" {len(conditioning)}. Connect the CLIP that encoded it, or set check to {LENGTH}."
            )
        wanted = islice(cycle([*expected] or [None]), len(conditioning))
        return io.NodeOutput(
            [
                [context, {**values, KEY: _tagged(context, values.get(KEY), table, one)}]
                for (context, values), one in zip(conditioning, wanted, strict=True)
            ]
        )


def _tagged(context: Tensor, known: Any, table: TokenTable, expected: Tensor | None) -> PromptAnnotation:
    """The annotation of one context: of all of it, or of what was appended to a prompt whose words are known."""
    if isinstance(known, PairedPrompts):
        raise HRVError(
            "This conditioning holds the stacked prompts of an editing node, each with a table of its own. Tag source"
            " and target before that node."
        )
    before = known.on(context) if isinstance(known, PromptAnnotation) else PromptAnnotation(table)
    appended = before.table.unknown
    _check(context[:, -appended:], table, expected)
    columns = int(context.shape[1])
    if not appended:
        return replace(before, table=table, columns=columns)
    first = replace(before.table, length=columns - appended, unknown=0)
    return replace(before, table=first.followed_by(table), columns=columns)


def _check(context: Tensor, table: TokenTable, expected: Tensor | None) -> None:
    """Raise HRVError unless a context [batch tokens channels] can be that of the table's prompt, or is the expected."""
    columns = table.length if expected is None else expected.shape[1]
    if context.shape[1] != columns:
        raise HRVError(
            f'The conditioning has {context.shape[1]} columns, but "{table.prompt}" has {len(table.pieces)} tokens and'
            f" takes {columns} (77 for every 75 tokens). Type the very text that was encoded. If prompts were joined:"
            " tag the first before ConditioningConcat, and then this with the text of the second."
        )
    if expected is None:
        return
    if expected.shape[2] != context.shape[2]:
        raise HRVError(
            f"The conditioning has {context.shape[2]} channels, but this CLIP encodes to {expected.shape[2]}. Connect"
            " the CLIP that encoded it."
        )
    ours, theirs = context.float().cpu(), expected.float().cpu()
    apart = float(((ours - theirs).norm(dim=-1) / theirs.norm(dim=-1).clamp_min(1e-6)).max())
    if not apart <= ROUNDING:
        raise HRVError(
            f'The conditioning is not what this CLIP makes of "{table.prompt}": a token differs by {apart:.1%}, and'
            f" rounding accounts for {ROUNDING:.0%} at most. Type the very text and connect the very CLIP (LoRAs, CLIP"
            f" Set Last Layer). If the other node reads weights in a way of its own, set check to {LENGTH}."
        )
