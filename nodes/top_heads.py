"""HRV Top Heads: the most relevant heads of a concept, as text."""

from comfy_api.latest import io, ui

from ..hrv_engine.rescale import concept_list
from ..hrv_engine.similarity import head_row, top_heads
from ..hrv_engine.tables import as_csv
from .types import CATEGORY, HRV


class HRVTopHeads(io.ComfyNode):
    """List a concept's most relevant heads."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="HRVTopHeads",
            display_name="HRV Top Heads",
            category=f"{CATEGORY}/see",
            description="Lists the attention heads that carry a concept, most relevant first.",
            search_aliases=["hrv", "attention heads", "ranking", "most relevant heads", "interpretability"],
            inputs=[
                HRV.Input("hrv", tooltip="The vectors to read."),
                io.String.Input(
                    "concept", default="", tooltip="One concept, or several separated by commas. Empty: all with votes."
                ),
                io.Int.Input("count", default=10, min=1, max=100000, tooltip="How many heads of each concept."),
            ],
            outputs=[
                io.String.Output(display_name="text", tooltip="A line a concept: index, layer and head, relevance."),
                io.String.Output(
                    display_name="table", tooltip="CSV: concept, rank, head, layer, head in layer, block, relevance."
                ),
            ],
        )

    @classmethod
    def execute(cls, hrv, concept, count) -> io.NodeOutput:
        names = concept_list(concept) if concept.strip() else hrv.voted()
        lines, rows = [], []
        for name in names:
            best = top_heads(hrv, name, count)
            lines.append(f"{name}: " + "; ".join(f"{head} = {label} {value:.2f}" for head, label, value in best))
            rows += [head_row(hrv, name, head) | {"rank": rank} for rank, (head, _, _) in enumerate(best, start=1)]
        text = "\n".join(lines)
        return io.NodeOutput(text, as_csv(rows), ui=ui.PreviewText(text))
