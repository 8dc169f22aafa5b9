"""HRV Score Images: how much each image shows a word."""

from comfy_api.latest import io

from ...hrv_engine.weakening.scored_rows import with_scores, write_rows
from ..hints import hint
from ..host.node_texts import shown
from ..types import CATEGORY, Scorer


class HRVScoreImages(io.ComfyNode):
    """Score images against a word."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="HRVScoreImages",
            display_name="HRV Score Images",
            category=f"{CATEGORY}/measure",
            has_intermediate_output=True,
            description="Scores each image against a word, for weakening curves or for any other comparison.",
            search_aliases=["hrv", "CLIP score", "metric", "evaluate images", "image-text similarity"],
            inputs=[
                io.Image.Input("images", tooltip="The images, for instance those of HRV Weaken Sweep."),
                Scorer.Input(
                    "scorer",
                    tooltip="HRV Pocket Scorer for the pocket model, HRV CLIP Scorer or HRV Caption Scorer for others.",
                ),
                io.String.Input(
                    "word",
                    default="",
                    placeholder="red",
                    tooltip=(
                        "What to look for. In ordered weakening the paper scores the bare concept word; edits, several"
                        " objects and captions are scored against the whole prompt."
                    ),
                ),
                io.String.Input(
                    "table",
                    default="",
                    optional=True,
                    force_input=True,
                    tooltip="The table of HRV Weaken Sweep, one line per image, to which the scores are added.",
                ),
            ],
            outputs=[
                io.String.Output(
                    display_name="table", tooltip="One JSON object per image: word, score, scorer, any caption."
                ),
                io.Float.Output(display_name="mean", tooltip="The mean score of all images."),
            ],
        )

    @classmethod
    def execute(cls, images, scorer, word, table="") -> io.NodeOutput:
        scores = scorer.score(images, word)
        with hint("Connect images and table of the same HRV Weaken Sweep, or leave the table open."):
            rows = with_scores(table, word, scores, scorer.name, getattr(scorer, "captions", ()))
        text = write_rows(rows)
        mean = sum(row["score"] for row in rows) / len(rows)
        return io.NodeOutput(text, mean, ui=shown(f"mean {mean:.4f}\n{text}"))
