"""HRV Head Concepts: which concept is this head?"""

from comfy_api.latest import io, ui

from ..hrv_engine.head_concepts import bars_figure, grid_figure, head_text, rankings
from ..hrv_engine.heads import parse_heads
from ..hrv_engine.tables import as_csv
from .pictures import to_image
from .types import CATEGORY, HRV


class HRVHeadConcepts(io.ComfyNode):
    """The concepts of each head."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="HRVHeadConcepts",
            display_name="HRV Head Concepts",
            category=f"{CATEGORY}/see",
            description=(
                "Says for each attention head which concepts it carries: a map of all heads, or bars for the heads you"
                " name."
            ),
            search_aliases=["hrv", "attention heads", "what does this head do", "interpretability", "head roles"],
            inputs=[
                HRV.Input("hrv", tooltip="The vectors to read."),
                io.String.Input(
                    "heads",
                    default="",
                    placeholder="120, L16/h3",
                    tooltip="HRV indices, L16/h0 (layer from 1, head from 0) or L16 for a layer. Empty: a map of all.",
                ),
                io.Int.Input("count", default=5, min=1, max=1000, tooltip="How many concepts of each head to list."),
            ],
            outputs=[
                io.Image.Output(display_name="IMAGE", tooltip="The map or the bars; connect it to Preview Image."),
                io.String.Output(display_name="text", tooltip="A line a head."),
                io.String.Output(
                    display_name="table", tooltip="CSV: head, label, rank, concept, relevance, share of the head's votes."
                ),
            ],
        )

    @classmethod
    def execute(cls, hrv, heads, count) -> io.NodeOutput:
        chosen = parse_heads(heads, hrv.layout)
        rows = rankings(hrv, chosen or range(hrv.layout.total), count)
        picture = bars_figure(rows) if chosen else grid_figure(hrv)
        text = head_text(rows)
        return io.NodeOutput(to_image(picture), text, as_csv(rows), ui=ui.PreviewText(text))
