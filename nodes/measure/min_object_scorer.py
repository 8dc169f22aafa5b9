"""HRV Min Object Scorer: an image is as good as its worst object, the paper's score for several objects."""

from comfy_api.latest import io

from ...hrv_engine.scoring.min_object import MinObjectScorer
from ..types import CATEGORY, Scorer


class HRVMinObjectScorer(io.ComfyNode):
    """Score the parts of a prompt apart and take the lowest."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="HRVMinObjectScorer",
            display_name="HRV Min Object Scorer",
            category=f"{CATEGORY}/measure",
            description=(
                "Splits the prompt at its commas and at the word and, scores each image for every part, and keeps the"
                " lowest: one forgotten object makes the image bad."
            ),
            search_aliases=[
                "hrv", "minimum object similarity", "catastrophic neglect", "missing object", "metric", "scorer",
            ],
            inputs=[
                Scorer.Input("scorer", tooltip="What scores each part: HRV CLIP Scorer, or HRV Pocket Scorer."),
            ],
            outputs=[
                Scorer.Output(
                    display_name="scorer", tooltip='For HRV Score Images, with a word such as "a cat and a dog".'
                )
            ],
        )  # fmt: skip

    @classmethod
    def execute(cls, scorer) -> io.NodeOutput:
        return io.NodeOutput(MinObjectScorer(scorer))
