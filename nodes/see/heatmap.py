"""HRV Heatmap: which heads carry a concept (figure 48)."""

from comfy_api.latest import io

from ...hrv_engine.figures.cells import head_tips
from ...hrv_engine.figures.heat_map import corners, heat_panels, heat_table, panel_cells, side_by_side
from ...hrv_engine.relevance.rescale import chosen_concepts
from ...hrv_engine.tables import as_csv
from ..host.node_pictures import pictured
from ..images import size_of, to_image
from ..types import CATEGORY, HRV


class HRVHeatmap(io.ComfyNode):
    """Layers x heads, one panel per concept."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="HRVHeatmap",
            display_name="HRV Heatmap",
            category=f"{CATEGORY}/see",
            is_output_node=True,
            has_intermediate_output=True,
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
        panels = heat_panels(hrv, names)
        image = to_image(side_by_side(panels))
        cells = [panel_cells(hrv.layout).moved(*corner) for corner in corners(panels)]
        shown = pictured(image, hrv_heads=lambda: head_tips(hrv, size_of(image), cells))
        return io.NodeOutput(image, as_csv(heat_table(hrv, names)), ui=shown)
