"""HRV Structured Diffusion: noun phrases, encoded alone, lend their values to the prompt."""

from dataclasses import replace

from comfy_api.latest import io

from ...hrv_engine.errors import HRVError
from ...hrv_engine.guidance.phrase_values import lent_values
from ...hrv_engine.text.alignment import Columns, TokenTable
from ...hrv_engine.text.dependencies import MODEL, load_parser, noun_chunks
from ...hrv_engine.text.lists import listed
from ...hrv_engine.text.phrases import noun_phrases, with_article
from ...hrv_engine.text.spelling import escaped, unescaped
from ..host.conditioning import KEY, PromptAnnotation, tables_of
from ..host.lent_values import with_own_values
from ..host.node_texts import shown
from ..host.unet import require_unet
from ..host.wires import check_wires
from ..host.words import encode_once
from ..types import CATEGORY
from .shared import guide_inputs, guide_outputs
from .syngen import GRAMMAR, RULES

WHY = "it gives cross-attention keys and values of different texts, which only an attention with a text of its own has"


class HRVStructuredDiffusion(io.ComfyNode):
    """Each noun phrase keeps the meaning it has alone."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        model, positive = guide_inputs()
        return io.Schema(
            node_id="HRVStructuredDiffusion",
            display_name="HRV Structured Diffusion",
            category=f"{CATEGORY}/guidance",
            has_intermediate_output=True,
            description=(
                "Structured Diffusion: each noun phrase is also encoded alone, and its values are averaged into the"
                " prompt's, so that a colour says less about other nouns. Costs nothing at sampling time."
            ),
            search_aliases=[
                "hrv",
                "structured diffusion",
                "attribute binding",
                "noun phrases",
                "compositional",
                "color bleed",
                "two objects",
            ],
            inputs=[
                model,
                positive,
                io.Clip.Input("clip", tooltip="The text encoder that HRV Prompt used."),
                io.String.Input(
                    "phrases",
                    default="",
                    placeholder="a red car; a blue bench",
                    tooltip="Phrases of the prompt, separated by semicolons. Empty: found as finder says.",
                ),
                io.Combo.Input(
                    "finder",
                    options=[RULES, GRAMMAR],
                    default=RULES,
                    tooltip=(
                        "How phrases are found when none are typed: by simple rules, or by grammar with spaCy and its"
                        f" model {MODEL}, if you have installed them."
                    ),
                ),
            ],
            outputs=guide_outputs(),
        )

    @classmethod
    def execute(cls, model, positive, clip, phrases, finder) -> io.NodeOutput:
        check_wires("HRV Structured Diffusion", {0: "MODEL", 1: "positive"})
        require_unet(model, "HRV Structured Diffusion", WHY)
        typed, tables = listed(phrases, ";"), tables_of(positive)
        for phrase in typed:
            _check(phrase, tables)
        said: list[str] = []
        marked = []
        for context, values in positive:
            tag = values.get(KEY)
            if isinstance(tag, PromptAnnotation):
                found = _phrases(tag.table, typed, finder)
                alone = [(columns, encode_once(clip, text)[0].to(context)) for text, columns in found]
                said += [text for text, _ in found]
                lent = lent_values(context[:1], alone) if alone else None
                if tag.values is not None and lent is not None:
                    raise HRVError(
                        "This conditioning already went through HRV Structured Diffusion, and only one of them can lend"
                        f' values to a prompt. Put all phrases into one node: "{"; ".join(text for text, _ in found)}"'
                        " and those of the other, separated by semicolons."
                    )
                values = {**values, KEY: replace(tag, values=lent)}
            marked.append([context, values])
        note = f"phrases: {'; '.join(said)}" if said else "no phrase found"
        return io.NodeOutput(with_own_values(model), marked, ui=shown(note))


def _phrases(table: TokenTable, typed: list[str], finder: str) -> list[tuple[str, Columns]]:
    """(text, columns) of every occurrence of the phrases in one prompt; of more than one word if found by a finder."""
    if typed:
        return [(escaped(unescaped(phrase)), columns) for phrase in typed for columns in table.find(phrase)]
    if finder == RULES:
        groups = [with_article(table, phrase) for phrase in noun_phrases(table)]
    else:
        groups = noun_chunks(table, load_parser())
    joined = [(" ".join(w for w, _ in group), tuple(c for _, own in group for c in own)) for group in groups]
    return [(text, columns) for (text, columns), group in zip(joined, groups, strict=True) if len(group) > 1]


def _check(phrase: str, tables: list[TokenTable]) -> None:
    """Raise the HRVError of the first prompt unless one of them has the phrase."""
    if not any(table.find(phrase) for table in tables):
        tables[0].columns_of(phrase)
