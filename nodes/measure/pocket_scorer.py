"""HRV Pocket Scorer: reads the words of the pocket model's world back from its images."""

from comfy_api.latest import io

from ...hrv_engine.pocket.scorer import PocketScorer
from ..types import CATEGORY, Scorer


class HRVPocketScorer(io.ComfyNode):
    """Load the scorer that comes with the pocket model."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="HRVPocketScorer",
            display_name="HRV Pocket Scorer",
            category=f"{CATEGORY}/measure",
            description=(
                "A small network that tells how likely an image of the pocket model shows a word: a colour, an object,"
                " a place, a style and so on."
            ),
            search_aliases=["hrv", "scorer", "classifier", "metric", "evaluate images"],
            inputs=[],
            outputs=[Scorer.Output(display_name="scorer", tooltip="For HRV Score Images.")],
        )

    @classmethod
    def execute(cls) -> io.NodeOutput:
        return io.NodeOutput(PocketScorer())
