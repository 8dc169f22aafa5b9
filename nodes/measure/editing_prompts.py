"""HRV Editing Prompts: one pair of prompts of an editing target, to be edited one into the other (Table 9)."""

from functools import cache

from comfy_api.latest import io

from ...hrv_engine.benchmarks.editing import EditingPair, load_editing
from ...hrv_engine.errors import HRVError, nearest
from ...hrv_engine.paths import PRESETS
from ..types import CATEGORY


@cache
def _targets() -> dict[str, list[EditingPair]]:
    """All editing targets of hrv_presets/benchmarks as `file: target`; the paper's first."""
    files = sorted((PRESETS / "benchmarks").glob("*editing.yaml"), key=lambda path: (path.stem != "editing", path.stem))
    return {f"{path.stem}: {name}": pairs for path in files for name, pairs in load_editing(path).items()}


class HRVEditingPrompts(io.ComfyNode):
    """A source and a target prompt that differ in one word, and the concept of that word."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        names = list(_targets())
        return io.Schema(
            node_id="HRVEditingPrompts",
            display_name="HRV Editing Prompts",
            category=f"{CATEGORY}/measure",
            description=(
                "A pair of prompts of an editing target of the paper, or of a pocket model: the same image with another"
                " color, material, pattern, style or weather."
            ),
            search_aliases=["hrv", "benchmark", "edit by prompt", "prompt pair", "editing target", "source and target"],
            inputs=[
                io.Combo.Input(
                    "target",
                    options=names,
                    default=names[0],
                    tooltip=(
                        "What is edited. editing: the paper's five targets; drawings_editing and pocket_editing: those"
                        " of the two pocket models, drawings and squares."
                    ),
                ),
                io.Int.Input(
                    "pair",
                    default=0,
                    min=0,
                    max=99999,
                    control_after_generate=True,
                    tooltip="Which pair of the target, from 0; after the last comes the first again.",
                ),
            ],
            outputs=[
                io.String.Output(display_name="source", tooltip="The prompt before; to HRV Prompt."),
                io.String.Output(display_name="target", tooltip="The prompt after; to another HRV Prompt."),
                io.String.Output(display_name="concept", tooltip="The concept of the changed word; to HRV P2P Edit."),
                io.String.Output(display_name="before", tooltip="The word that is changed."),
                io.String.Output(display_name="after", tooltip="The word that stands in its place."),
            ],
        )

    @classmethod
    def execute(cls, target: str, pair: int) -> io.NodeOutput:
        targets = _targets()
        if target not in targets:
            raise HRVError(
                f'There is no editing target "{target}". Nearest: {nearest(target, targets)}. Legal:'
                f" {', '.join(targets)}."
            )
        pairs = targets[target]
        chosen = pairs[pair % len(pairs)]
        return io.NodeOutput(chosen.source, chosen.target, chosen.concept, chosen.source_word, chosen.edited_word)
