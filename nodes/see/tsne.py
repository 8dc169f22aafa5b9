"""HRV t-SNE: concepts at all timesteps as points in the plane (figure 10)."""

from comfy_api.latest import io

from ...hrv_engine.figures.embedding import embedding_figure
from ...hrv_engine.inspection.embedding import embed
from ...hrv_engine.relevance.rescale import chosen_concepts
from ...hrv_engine.tables import as_csv
from ..host.node_pictures import pictured
from ..images import to_image
from ..types import CATEGORY, HRV


class HRVTSNE(io.ComfyNode):
    """One point per concept and timestep."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="HRVTSNE",
            display_name="HRV t-SNE",
            category=f"{CATEGORY}/see",
            is_output_node=True,
            has_intermediate_output=True,
            description=(
                "Places the vectors of all concepts at all timesteps in the plane: clusters of one colour mean that"
                " heads keep their concepts while the image forms. Needs matplotlib and scikit-learn."
            ),
            search_aliases=["hrv", "tsne", "embedding", "clusters", "timesteps", "figure", "interpretability"],
            inputs=[
                HRV.Input("hrv", tooltip="Vectors built with per_timestep switched on in HRV Build."),
                io.String.Input(
                    "concept",
                    default="",
                    placeholder="Color, Plants",
                    tooltip="The concepts to place, separated by commas. Empty places all that won a vote.",
                ),
                io.Float.Input(
                    "perplexity",
                    default=30.0,
                    min=1.0,
                    max=10000.0,
                    step=1.0,
                    tooltip=(
                        "About how many neighbours a point has; must be below the number of points (concepts x"
                        " timesteps). Larger shows more of the whole, smaller more of the parts."
                    ),
                ),
                io.Int.Input(
                    "seed",
                    default=0,
                    min=0,
                    max=0xFFFFFFFF,
                    control_after_generate=io.ControlAfterGenerate.fixed,
                    tooltip="Chooses one of many equally good images; the same seed draws the same one.",
                ),
            ],
            outputs=[
                io.Image.Output(display_name="IMAGE", tooltip="The plot; connect it to Preview Image."),
                io.String.Output(display_name="table", tooltip="CSV: concept, step, x, y."),
            ],
        )

    @classmethod
    def execute(cls, hrv, concept, perplexity, seed) -> io.NodeOutput:
        embedding = embed(hrv, chosen_concepts(hrv, concept), perplexity, seed)
        image = to_image(embedding_figure(embedding))
        return io.NodeOutput(image, as_csv(embedding.table()), ui=pictured(image))
