"""HRV Compare Scores: are the scores of one method higher, over pairs of images?"""

from comfy_api.latest import io

from ...hrv_engine.figures.score_comparison import score_figure
from ...hrv_engine.scoring.score_comparison import ScoreComparison
from ...hrv_engine.weakening.scored_rows import read_rows
from ..hints import hint
from ..host.node_pictures import pictured
from ..images import to_image
from ..types import CATEGORY


class HRVCompareScores(io.ComfyNode):
    """Means, paired difference and bootstrap interval of two tables of scores."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="HRVCompareScores",
            display_name="HRV Compare Scores",
            category=f"{CATEGORY}/measure",
            is_output_node=True,
            has_intermediate_output=True,
            description=(
                "Compares two tables of scores pair by pair: the means, the mean difference and its bootstrap"
                " confidence interval, as a figure and as text."
            ),
            search_aliases=["hrv", "bootstrap", "confidence interval", "significance", "statistics", "A/B", "paired"],
            is_input_list=True,
            inputs=[
                io.String.Input(
                    "table",
                    force_input=True,
                    tooltip="The scores to compare with, from HRV Score Images; of a list all lines are taken.",
                ),
                io.String.Input(
                    "other",
                    force_input=True,
                    tooltip="The scores to compare: the same prompts, seeds and word, in the same order.",
                ),
                io.String.Input("name", default="plain", tooltip="What the first table is called in the figure."),
                io.String.Input("other_name", default="steered", tooltip="What the second table is called."),
                io.String.Input("title", default="", tooltip="The figure's title. Empty: the word that was scored."),
                io.Float.Input(
                    "confidence",
                    default=0.95,
                    min=0.5,
                    max=0.999,
                    step=0.01,
                    tooltip="The confidence of the intervals, a bootstrap over pairs; two pairs at least.",
                ),
                io.Int.Input(
                    "seed",
                    default=0,
                    min=0,
                    max=0xFFFFFFFFFFFFFFFF,
                    control_after_generate=io.ControlAfterGenerate.fixed,
                    advanced=True,
                    tooltip="Which resamples the bootstrap draws; the same seed gives the same interval.",
                ),
            ],
            outputs=[
                io.Image.Output(display_name="IMAGE", tooltip="The figure; connect it to Preview Image."),
                io.String.Output(display_name="text", tooltip="Means, difference and intervals in a few lines."),
                io.Float.Output(display_name="difference", tooltip="The mean of other minus table."),
            ],
        )

    @classmethod
    def execute(cls, table, other, name, other_name, title, confidence, seed) -> io.NodeOutput:
        with hint("Tables of scores come from HRV Score Images and HRV Background Similarity."):
            rows = read_rows("\n".join(table)), read_rows("\n".join(other))
            comparison = ScoreComparison.of(*rows, (name[0], other_name[0]), confidence[0], seed[0])
        image = to_image(score_figure(comparison, title[0].strip()))
        text = comparison.text()
        return io.NodeOutput(image, text, comparison.difference.mean, ui=pictured(image, text))
