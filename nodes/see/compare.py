"""HRV Compare: what adding a concept, more images or other settings changed (appendix J)."""

from comfy_api.latest import io

from ...hrv_engine.figures.comparison import comparison_figure
from ...hrv_engine.inspection.comparison import compare
from ...hrv_engine.tables import as_csv
from ..host.node_pictures import pictured
from ..images import to_image
from ..types import CATEGORY, HRV


class HRVCompare(io.ComfyNode):
    """Two files, concept by concept."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="HRVCompare",
            display_name="HRV Compare",
            category=f"{CATEGORY}/see",
            is_output_node=True,
            has_intermediate_output=True,
            description=(
                "Compares two sets of vectors concept by concept, for instance before and after a concept was added:"
                " how much did the others move?"
            ),
            search_aliases=["hrv", "difference", "add concept", "cosine", "before and after", "figure", "extend"],
            inputs=[
                HRV.Input("hrv", tooltip="The new vectors, for instance with one concept more."),
                HRV.Input("other", tooltip="The old vectors, for the same kind of model."),
            ],
            outputs=[
                io.Image.Output(display_name="IMAGE", tooltip="The cosines, sorted; connect it to Preview Image."),
                io.String.Output(
                    display_name="text", tooltip="Mean and lowest cosine, what moved most, concepts in one file only."
                ),
                io.String.Output(
                    display_name="table", tooltip="CSV: concept, cosine, largest change, top heads shared."
                ),
            ],
        )

    @classmethod
    def execute(cls, hrv, other) -> io.NodeOutput:
        comparison = compare(hrv, other)
        text = comparison.text()
        image = to_image(comparison_figure(comparison))
        return io.NodeOutput(image, text, as_csv(comparison.table()), ui=pictured(image, text))
