"""HRV Heatmap: which heads carry a concept (figure 48)."""

from comfy_api.latest import io

from ...hrv_engine.figures.heat_map import heat_table, heatmap
from ...hrv_engine.relevance.rescale import chosen_concepts
from ...hrv_engine.tables import as_csv
from ..images import to_image
from ..types import CATEGORY, HRV


class HRVHeatmap(io.ComfyNode):
    """Layers x heads, one panel per concept."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="HRVHeatmap",
            display_name="HRV Heatmap",
            category=f"{CATEGORY}/see",
            description=(
                "Draws a Head Relevance Vector as a heat map of layers and heads: bright heads carry the concept."
            ),
            search_aliases=["hrv", "plot", "visualize", "attention heads", "figure", "heat map"],
            inputs=[
                HRV.Input("hrv", tooltip="The vectors to look at."),
                io.String.Input(
                    "concept",
                    default="",
                    placeholder="Color, Plants",
                    tooltip="One concept, or several separated by commas. Empty draws all that won a vote.",
                ),
            ],
            outputs=[
                io.Image.Output(display_name="IMAGE", tooltip="The heat map; connect it to Preview Image."),
                io.String.Output(
                    display_name="table",
                    tooltip="Its numbers as CSV: concept, head, layer, head in the layer, block, relevance.",
                ),
            ],
        )

    @classmethod
    def execute(cls, hrv, concept) -> io.NodeOutput:
        names = chosen_concepts(hrv, concept)
        return io.NodeOutput(to_image(heatmap(hrv, names)), as_csv(heat_table(hrv, names)))
