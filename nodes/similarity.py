"""HRV Similarity: how alike concepts, or timesteps, are (figure 47)."""

from comfy_api.latest import io, ui

from ..hrv_engine.matrix import matrix_figure
from ..hrv_engine.similarity import concept_cosines, summary, timestep_cosines
from ..hrv_engine.tables import matrix_csv
from .pictures import to_image
from .types import CATEGORY, HRV

CONCEPTS, TIMESTEPS = "concepts", "timesteps"


class HRVSimilarity(io.ComfyNode):
    """Cosine matrix of an HRV's rows or of its timesteps."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="HRVSimilarity",
            display_name="HRV Similarity",
            category=f"{CATEGORY}/see",
            description=(
                "Draws the cosine similarity of all concepts' vectors, or of all timesteps' mean vectors: concepts that"
                " share heads are hard to steer apart."
            ),
            search_aliases=["hrv", "cosine", "similarity matrix", "correlation", "concepts", "timesteps"],
            inputs=[
                HRV.Input("hrv", tooltip="The vectors to compare."),
                io.Combo.Input(
                    "of",
                    options=[CONCEPTS, TIMESTEPS],
                    default=CONCEPTS,
                    tooltip="concepts: every concept with every other; timesteps: needs an HRV built with per_timestep.",
                ),
            ],
            outputs=[
                io.Image.Output(display_name="IMAGE", tooltip="The matrix; connect it to Preview Image."),
                io.String.Output(
                    display_name="summary", tooltip="Least, mean, median and largest cosine, with their pairs."
                ),
                io.String.Output(display_name="table", tooltip="CSV: the matrix with its names."),
            ],
        )

    @classmethod
    def execute(cls, hrv, of) -> io.NodeOutput:
        matrix = concept_cosines(hrv) if of == CONCEPTS else timestep_cosines(hrv)
        names = list(hrv.concepts.names) if of == CONCEPTS else [str(step) for step in range(len(matrix))]
        text = summary(matrix, names).text()
        picture = matrix_figure(matrix, names, f"Cosine of {of}")
        return io.NodeOutput(to_image(picture), text, matrix_csv(matrix, names), ui=ui.PreviewText(text))
