"""HRV Similarity: how alike concepts, or timesteps, are (figure 47)."""

from comfy_api.latest import io

from ...hrv_engine.figures.matrix import matrix_figure, sparse_labels
from ...hrv_engine.inspection.similarity import KINDS, named_cosines, summary_text
from ...hrv_engine.tables import as_csv
from ..host.node_pictures import pictured
from ..images import to_image
from ..types import CATEGORY, HRV


class HRVSimilarity(io.ComfyNode):
    """Cosines of all pairs, as a matrix."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="HRVSimilarity",
            display_name="HRV Similarity",
            category=f"{CATEGORY}/see",
            is_output_node=True,
            has_intermediate_output=True,
            description=(
                "Draws the cosine similarity of all pairs of concepts, or of timesteps: concepts that share their heads"
                " are hard to tell apart by steering."
            ),
            search_aliases=["hrv", "cosine", "compare concepts", "matrix", "figure", "timesteps", "interpretability"],
            inputs=[
                HRV.Input("hrv", tooltip="The vectors to compare with one another."),
                io.Combo.Input(
                    "of",
                    options=list(KINDS),
                    default=KINDS[0],
                    tooltip=(
                        "concepts: all that won a vote. timesteps: the mean over concepts at each sampling step, for"
                        " vectors built with per_timestep."
                    ),
                ),
            ],
            outputs=[
                io.Image.Output(display_name="IMAGE", tooltip="The matrix; connect it to Preview Image."),
                io.String.Output(
                    display_name="summary", tooltip="Smallest, mean, median and largest cosine, with the pairs."
                ),
                io.String.Output(display_name="table", tooltip="The matrix as CSV, with the names in line and column."),
            ],
        )

    @classmethod
    def execute(cls, hrv, of) -> io.NodeOutput:
        names, matrix = named_cosines(hrv, of)
        text = summary_text(matrix, names, of)
        labels = names if of == "concepts" else sparse_labels(len(names))
        rows = [
            {of.removesuffix("s"): name, **dict(zip(names, map(float, row), strict=True))}
            for name, row in zip(names, matrix, strict=True)
        ]
        image = to_image(matrix_figure(matrix, labels, f"Cosine similarity of {of}"))
        return io.NodeOutput(image, text, as_csv(rows), ui=pictured(image, text))
