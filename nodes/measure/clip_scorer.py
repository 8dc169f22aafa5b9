"""HRV CLIP Scorer: CLIP image-text similarity, the paper's score of ordered weakening."""

from comfy_api.latest import io

from ...hrv_engine.scoring.clip_scorer import ARCHITECTURE
from ..host.clip import WORDINGS, clip_scorer, weight_files
from ..types import CATEGORY, Scorer


class HRVCLIPScorer(io.ComfyNode):
    """Score images with OpenCLIP."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        files = weight_files()
        return io.Schema(
            node_id="HRVCLIPScorer",
            display_name="HRV CLIP Scorer",
            category=f"{CATEGORY}/measure",
            description=(
                "Scores images by the similarity of CLIP's image and text embeddings, as the paper does. Needs the"
                " Python package open-clip-torch."
            ),
            search_aliases=["hrv", "CLIP score", "OpenCLIP", "image-text similarity", "metric", "scorer"],
            inputs=[
                io.Combo.Input(
                    "file",
                    options=files,
                    default=files[0],
                    tooltip=(
                        "OpenCLIP weights with image and text encoder in models/clip_vision. The last entry fetches"
                        " the paper's weights (4 GB) when the node runs; nothing else uses the network."
                    ),
                ),
                io.String.Input(
                    "architecture",
                    default=ARCHITECTURE,
                    tooltip="OpenCLIP's name of the architecture the file was trained with; ViT-H-14 in the paper.",
                ),
                io.Combo.Input(
                    "wording",
                    options=list(WORDINGS),
                    default=WORDINGS[0],
                    optional=True,
                    advanced=True,
                    tooltip=(
                        "How the text is embedded: as typed, or as the mean over 80 sentences around it, as"
                        " Attend-and-Excite's metrics of several objects do."
                    ),
                ),
            ],
            outputs=[Scorer.Output(display_name="scorer", tooltip="For HRV Score Images.")],
        )

    @classmethod
    def execute(cls, file, architecture, wording=WORDINGS[0]) -> io.NodeOutput:
        return io.NodeOutput(clip_scorer(file, architecture, wording))
