"""HRV SynGen: modifiers and their noun are seen at one place, apart from all other words."""

from typing import Any

from comfy_api.latest import io

from ...hrv_engine.errors import HRVError
from ...hrv_engine.guidance.descent import Schedule
from ...hrv_engine.guidance.latent_guidance import Guidance
from ...hrv_engine.guidance.losses import Binding
from ...hrv_engine.guidance.readings import mean_reading
from ...hrv_engine.text.alignment import TokenTable
from ...hrv_engine.text.dependencies import MODEL, dependency_groups, load_parser
from ...hrv_engine.text.phrases import Word, noun_phrases, parse_groups
from ..host.conditioning import tables_of
from ..host.unet import downsampling_of, layout_of, require_unet
from ..types import CATEGORY
from .shared import guide, guide_inputs, guide_outputs, schedule_inputs

RULES, GRAMMAR = "simple rules", "spaCy"
WHY = "its loss is of cross-attention maps at the sizes of a UNet"


class HRVSynGen(io.ComfyNode):
    """Bind colours and other modifiers to the nouns they belong to."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="HRVSynGen",
            display_name="HRV SynGen",
            category=f"{CATEGORY}/guidance",
            description=(
                "SynGen: in the first steps the latent is moved until each modifier is attended to where its noun is,"
                " and nowhere else, so that a red car and a blue bench keep their colours."
            ),
            search_aliases=[
                "hrv",
                "syngen",
                "linguistic binding",
                "attribute binding",
                "color",
                "colour leak",
                "color bleed",
                "two objects",
                "latent guidance",
            ],
            inputs=[
                *guide_inputs(),
                io.String.Input(
                    "groups",
                    default="",
                    placeholder="red car; blue bench",
                    tooltip="Modifiers, then their noun; groups separated by semicolons. Empty: found as finder says.",
                ),
                io.Combo.Input(
                    "finder",
                    options=[RULES, GRAMMAR],
                    default=RULES,
                    tooltip=(
                        "How groups are found when none are typed: by simple rules, or by grammar with spaCy and its"
                        f" model {MODEL}, if you have installed them."
                    ),
                ),
                io.Boolean.Input(
                    "lone_nouns",
                    default=False,
                    tooltip="On: nouns without modifiers are kept apart from the other words too.",
                ),
                *schedule_inputs("How many steps, from the first, are altered: half of them in the paper (25 of 50)."),
            ],
            outputs=guide_outputs(),
        )

    @classmethod
    def execute(
        cls, model, positive, groups, finder, lone_nouns, steps_to_alter, step_size, save_memory
    ) -> io.NodeOutput:
        require_unet(model, "HRV SynGen", WHY)
        reading = mean_reading(layout_of(model), downsampling_of(model))
        schedule = Schedule(steps_to_alter, step_size, last=1.0)

        def found(table: TokenTable) -> list[list[Word]]:
            return parse_groups(groups, table) or _found(table, finder, lone_nouns)

        def guidance_for(table: TokenTable) -> Guidance:
            bound = found(table)
            loss = Binding(tuple(tuple(columns for _, columns in group) for group in bound), table.columns)
            return Guidance("SynGen", loss, reading, schedule if bound else Schedule(0), save_memory)

        said = [" ".join(word for word, _ in group) for group in _first(found, tables_of(positive))]
        return guide(model, positive, guidance_for, f"binds {'; '.join(said)}" if said else "nothing to bind")


def _found(table: TokenTable, finder: str, lone_nouns: bool) -> list[list[Word]]:
    groups = noun_phrases(table) if finder == RULES else dependency_groups(table, load_parser())
    bound = {column for group in groups if len(group) > 1 for _, columns in group for column in columns}
    nouns = [phrase[-1:] for phrase in noun_phrases(table)] if lone_nouns else []
    return [group for group in groups if len(group) > 1] + [noun for noun in nouns if not bound & set(noun[0][1])]


def _first(found: Any, tables: list[TokenTable]) -> list[list[Word]]:
    """The groups of the first prompt that has those that were typed; raises its HRVError when none has."""
    for number, table in enumerate(tables):
        try:
            return found(table)
        except HRVError:
            if number == len(tables) - 1:
                raise
    raise AssertionError("a conditioning with tables has one")
