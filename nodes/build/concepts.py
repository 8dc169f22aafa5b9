"""HRV Concepts: the concepts and concept words to build HRVs for."""

from comfy_api.latest import io

from ...hrv_engine.paths import PRESETS
from ...hrv_engine.relevance.concepts import ConceptSet
from ...hrv_engine.text.lists import listed
from ..host.folders import preset_names, preset_path
from ..types import CATEGORY, Concepts


class HRVConcepts(io.ComfyNode):
    """A preset list of concepts, or your own."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        presets = preset_names("concepts")
        return io.Schema(
            node_id="HRVConcepts",
            display_name="HRV Concepts",
            category=f"{CATEGORY}/build",
            description=(
                "Visual concepts, each with the words that stand for it: the paper's 34 concepts, the pocket model's,"
                " or your own list."
            ),
            search_aliases=["hrv", "concept list", "concept words", "categories"],
            inputs=[
                io.Combo.Input(
                    "preset",
                    options=presets,
                    default="paper34" if "paper34" in presets else None,
                    tooltip=(
                        "paper34: the paper's 34 concepts with 10 words each, alone or with one more (tableware,"
                        " processes); pocket: the concepts of the pocket model. Ignored when custom_yaml is filled."
                    ),
                ),
                io.String.Input(
                    "custom_yaml",
                    multiline=True,
                    default="",
                    placeholder="Color: [red, green, blue]\nFruit: [apple, banana]",
                    tooltip=(
                        "Your own concepts, one line each: `Color: [red, green, blue]`. HRV Build needs two or more,"
                        " since concepts compete for votes. A line `extends: paper34` adds yours to a preset. Empty:"
                        " the preset."
                    ),
                ),
                io.String.Input(
                    "keep",
                    default="",
                    advanced=True,
                    tooltip=(
                        "Keep only these concepts, separated by commas. Empty keeps all. Fewer concepts build no"
                        " faster, but votes split differently."
                    ),
                ),
            ],
            outputs=[Concepts.Output(display_name="concepts", tooltip="For HRV Build or HRV Import.")],
        )

    @classmethod
    def execute(cls, preset, custom_yaml, keep) -> io.NodeOutput:
        chosen = (
            ConceptSet.parse(custom_yaml, folder=PRESETS / "concepts")
            if custom_yaml.strip()
            else ConceptSet.load(preset_path("concepts", preset))
        )
        return io.NodeOutput(chosen.keep(listed(keep)) if listed(keep) else chosen)
