"""HRV Prompt Set: the prompts whose images vote."""

from comfy_api.latest import io

from ...hrv_engine.benchmarks.prompts import PromptSet
from ..host.folders import preset_names, preset_path
from ..types import CATEGORY, Prompts


class HRVPromptSet(io.ComfyNode):
    """A preset list of prompts, or your own."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        presets = preset_names("prompts")
        return io.Schema(
            node_id="HRVPromptSet",
            display_name="HRV Prompt Set",
            category=f"{CATEGORY}/build",
            description="The prompts HRV Build draws images for. More and more varied prompts give steadier vectors.",
            search_aliases=["hrv", "prompt list", "imagenet prompts", "prompts from text"],
            inputs=[
                io.Combo.Input(
                    "preset",
                    options=presets,
                    default="quick" if "quick" in presets else None,
                    tooltip=(
                        "quick: a small varied set for a first try; imagenet1000: a photo of each of 1000 classes, as"
                        " in the paper; pocket: for the pocket model. Ignored when custom is filled."
                    ),
                ),
                io.String.Input(
                    "custom",
                    multiline=True,
                    default="",
                    placeholder="one prompt a line",
                    tooltip="Your own prompts, one a line. Empty: the preset.",
                ),
                io.Int.Input(
                    "limit",
                    default=0,
                    min=0,
                    max=1000000,
                    tooltip=(
                        "Use only the first prompts; 0 uses all. A build with a higher limit later is another build:"
                        " start with all prompts and cancel, the file keeps what was counted."
                    ),
                ),
            ],
            outputs=[Prompts.Output(display_name="prompts", tooltip="For HRV Build.")],
        )

    @classmethod
    def execute(cls, preset, custom, limit) -> io.NodeOutput:
        chosen = PromptSet.of_lines(custom) if custom.strip() else PromptSet.load(preset_path("prompts", preset))
        return io.NodeOutput(chosen.first(limit))
