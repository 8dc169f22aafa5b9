"""HRV Pocket Model: the small text-to-image models that come with the pack."""

from comfy_api.latest import io

from ..hrv_engine.pocket.model import models
from .host.pocket import load_pocket
from .types import CATEGORY


class HRVPocketModel(io.ComfyNode):
    """Load a pocket model."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="HRVPocketModel",
            display_name="HRV Pocket Model",
            category=CATEGORY,
            description=(
                "Small Stable-Diffusion-shaped models that come with the pack: they misread words like big models do,"
                " and everything takes seconds on a CPU. One draws 64×64 scenes of 400 everyday things, one 32×32"
                " squares and other shapes."
            ),
            search_aliases=[
                "hrv",
                "pocket",
                "demo model",
                "tiny model",
                "load checkpoint",
                "test model",
                "example model",
            ],
            inputs=[
                io.Combo.Input(
                    "model",
                    options=list(models()),
                    default="drawings",
                    tooltip=(
                        "drawings: everyday things in 64×64 pixels, 128 cross-attention heads. squares: shapes, fruits"
                        " and plants in 32×32 pixels, 112 heads, four times as fast. A vector belongs to one of them."
                    ),
                )
            ],
            outputs=[
                io.Model.Output(
                    display_name="MODEL",
                    tooltip="The denoiser. Sample with 20 steps, cfg 3, at the size of LATENT; it knows no other.",
                ),
                io.Clip.Output(
                    display_name="CLIP",
                    tooltip=(
                        "The text encoder, with a small vocabulary. drawings: 400 nouns, colours, materials, patterns,"
                        " places, weather, light, styles, expressions, sizes, positions, counts. squares: about a"
                        " hundred words."
                    ),
                ),
                io.Vae.Output(display_name="VAE", tooltip="Moves pixels to channels and back without loss."),
                io.Latent.Output(
                    display_name="LATENT",
                    tooltip="An empty latent of one image of the model's size. Repeat Latent Batch makes it several.",
                ),
            ],
        )

    @classmethod
    def execute(cls, model: str) -> io.NodeOutput:
        return io.NodeOutput(*load_pocket(models()[model]))
