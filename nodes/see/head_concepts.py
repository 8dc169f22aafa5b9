"""HRV Head Concepts: which concept is this head?"""

from dataclasses import asdict

from comfy_api.latest import io

from ...hrv_engine.attention.heads import parse_heads
from ...hrv_engine.figures.cells import head_tips
from ...hrv_engine.figures.head_concepts import concept_bars, concept_grid, grid_cells
from ...hrv_engine.inspection.head_concepts import concepts_of_heads, head_concepts_text
from ...hrv_engine.tables import as_csv
from ..host.node_pictures import pictured
from ..images import size_of, to_image
from ..types import CATEGORY, HRV

SHOWN = 3  # concepts a head in the text


class HRVHeadConcepts(io.ComfyNode):
    """All heads with their strongest concepts, or some heads with all of theirs."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="HRVHeadConcepts",
            display_name="HRV Head Concepts",
            category=f"{CATEGORY}/see",
            is_output_node=True,
            has_intermediate_output=True,
            description=(
                "Which concept is this head? Draws every head with its strongest concept, or the strongest concepts of"
                " the heads you name."
            ),
            search_aliases=["hrv", "attention heads", "what does a head do", "roles", "map of heads", "figure"],
            inputs=[
                HRV.Input("hrv", tooltip="The vectors to read."),
                io.String.Input(
                    "heads",
                    default="",
                    placeholder="L16/h0, 117",
                    tooltip=(
                        "Heads separated by commas: HRV indices (120), layer and head (L16/h0), whole layers (L16)."
                        " Empty: all heads, as a grid."
                    ),
                ),
            ],
            outputs=[
                io.Image.Output(display_name="IMAGE", tooltip="The grid or the bars; connect it to Preview Image."),
                io.String.Output(display_name="text", tooltip="The three strongest concepts of each head, one line."),
                io.String.Output(
                    display_name="table", tooltip="CSV of all their concepts: head, label, relevance, rank, vote share."
                ),
            ],
        )

    @classmethod
    def execute(cls, hrv, heads) -> io.NodeOutput:
        chosen = parse_heads(heads, hrv.layout)
        image = to_image(concept_bars(hrv, chosen) if chosen else concept_grid(hrv))
        carried = concepts_of_heads(hrv, chosen or list(range(hrv.layout.total)))
        text = head_concepts_text([concept for concept in carried if concept.rank <= SHOWN])
        table = as_csv([asdict(concept) for concept in carried])
        cells = [] if chosen else [grid_cells(hrv.layout)]
        shown = pictured(image, hrv_heads=lambda: head_tips(hrv, size_of(image), cells))
        return io.NodeOutput(image, text, table, ui=shown)
