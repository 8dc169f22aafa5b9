"""HRV Pocket Model: the small text-to-image model that comes with the pack."""

from comfy_api.latest import io

from .host.pocket import load_pocket
from .types import CATEGORY


class HRVPocketModel(io.ComfyNode):
    """Load the pocket model."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="HRVPocketModel",
            display_name="HRV Pocket Model",
            category=CATEGORY,
            description=(
                "A small Stable-Diffusion-shaped model (32×32 pixels, 112 cross-attention heads) that comes with the"
                " pack: it misreads words like big models do, and everything takes seconds on a CPU."
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
            inputs=[],
            outputs=[
                io.Model.Output(
                    display_name="MODEL",
                    tooltip="The denoiser. Sample at 32×32 pixels, 20 steps, cfg 3; it knows no other size.",
                ),
                io.Clip.Output(
                    display_name="CLIP",
                    tooltip=(
                        "The text encoder. It knows about a hundred words: colours, shapes, fruits, plants, patterns,"
                        " materials, scenes, weather, styles, sizes, positions, counts."
                    ),
                ),
                io.Vae.Output(display_name="VAE", tooltip="Moves pixels to channels and back without loss."),
            ],
        )

    @classmethod
    def execute(cls) -> io.NodeOutput:
        return io.NodeOutput(*load_pocket())
