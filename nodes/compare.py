"""HRV Compare: how far the rows moved between two builds, for instance after adding a concept (appendix J, G.2)."""

from comfy_api.latest import io, ui

from ..hrv_engine.comparison import compare, comparison_figure, comparison_text
from ..hrv_engine.tables import as_csv
from .pictures import to_image
from .types import CATEGORY, HRV


class HRVCompare(io.ComfyNode):
    """Two HRVs, concept by concept."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="HRVCompare",
            display_name="HRV Compare",
            category=f"{CATEGORY}/see",
            description=(
                "Compares two HRVs concept by concept: after adding a concept, with fewer images, or between two"
                " checkpoints of the same architecture."
            ),
            search_aliases=["hrv", "difference", "extended concepts", "add a concept", "cosine", "checkpoints"],
            inputs=[
                HRV.Input("hrv", tooltip="The new vectors, for instance those with a concept added."),
                HRV.Input("other", tooltip="The vectors to compare with, of the same architecture."),
            ],
            outputs=[
                io.Image.Output(display_name="IMAGE", tooltip="A bar a concept; connect it to Preview Image."),
                io.String.Output(display_name="text", tooltip="What stayed, what moved, and who took votes."),
                io.String.Output(
                    display_name="table", tooltip="CSV: concept, cosine, largest change, top-10 heads shared."
                ),
            ],
        )

    @classmethod
    def execute(cls, hrv, other) -> io.NodeOutput:
        rows = compare(hrv, other)
        text = comparison_text(hrv, other, rows)
        return io.NodeOutput(to_image(comparison_figure(rows)), text, as_csv(rows), ui=ui.PreviewText(text))
