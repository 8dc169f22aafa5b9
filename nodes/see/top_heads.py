"""HRV Top Heads: which heads are the most relevant of each concept."""

from dataclasses import asdict

from comfy_api.latest import io

from ...hrv_engine.inspection.similarity import top_heads, top_heads_text
from ...hrv_engine.relevance.rescale import chosen_concepts
from ...hrv_engine.tables import as_csv
from ..host.node_texts import shown
from ..types import CATEGORY, HRV


class HRVTopHeads(io.ComfyNode):
    """The front of the MoRHF order, with labels and elements."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="HRVTopHeads",
            display_name="HRV Top Heads",
            category=f"{CATEGORY}/see",
            has_intermediate_output=True,
            description="Lists the most relevant heads of each concept, with layer, head number and relevance.",
            search_aliases=["hrv", "attention heads", "ranking", "MoRHF", "list heads", "interpretability"],
            inputs=[
                HRV.Input("hrv", tooltip="The vectors to read."),
                io.String.Input(
                    "concept",
                    default="",
                    placeholder="Color, Plants",
                    tooltip="One concept, or several separated by commas. Empty lists all that won a vote.",
                ),
                io.Int.Input("count", default=10, min=1, max=100000, tooltip="How many heads of each concept to list."),
            ],
            outputs=[
                io.String.Output(display_name="text", tooltip="The heads of each concept, one line each."),
                io.String.Output(display_name="table", tooltip="CSV: concept, rank, head, label, relevance."),
            ],
        )

    @classmethod
    def execute(cls, hrv, concept, count) -> io.NodeOutput:
        heads = top_heads(hrv, chosen_concepts(hrv, concept), count)
        text = top_heads_text(heads)
        return io.NodeOutput(text, as_csv([asdict(head) for head in heads]), ui=shown(text))
