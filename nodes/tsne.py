"""HRV t-SNE: do a concept's vectors stay together over the timesteps? (figure 10)"""

from comfy_api.latest import io

from ..hrv_engine.embedding import embedding, embedding_figure
from ..hrv_engine.rescale import concept_list
from ..hrv_engine.tables import as_csv
from .pictures import to_image
from .types import CATEGORY, HRV


class HRVTSNE(io.ComfyNode):
    """Concept x timestep vectors in two dimensions."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="HRVTSNE",
            display_name="HRV t-SNE",
            category=f"{CATEGORY}/see",
            description=(
                "Draws every concept's vector at every timestep as a point: tight, separate clusters mean that heads"
                " keep their concept over the sampling. Needs the Python package scikit-learn."
            ),
            search_aliases=["hrv", "t-SNE", "embedding", "cluster", "timesteps", "scatter"],
            inputs=[
                HRV.Input("hrv", tooltip="Vectors built with per_timestep switched on."),
                io.String.Input(
                    "concept", default="", tooltip="One concept, or several separated by commas. Empty: all of them."
                ),
                io.Float.Input(
                    "perplexity",
                    default=30.0,
                    min=1.0,
                    max=1000.0,
                    step=1.0,
                    tooltip="How many neighbours t-SNE keeps together; less than the number of points.",
                ),
                io.Int.Input("seed", default=0, min=0, max=0xFFFFFFFF, tooltip="Fixes the layout."),
            ],
            outputs=[
                io.Image.Output(display_name="IMAGE", tooltip="The scatter plot; connect it to Preview Image."),
                io.String.Output(display_name="table", tooltip="CSV: concept, step, x, y."),
            ],
        )

    @classmethod
    def execute(cls, hrv, concept, perplexity, seed) -> io.NodeOutput:
        names = concept_list(concept) if concept.strip() else list(hrv.concepts.names)
        found = embedding(hrv, names, perplexity, seed)
        return io.NodeOutput(to_image(embedding_figure(found)), as_csv(found.table()))
