"""HRV Plug-and-Play Edit: the source's decoder features and queries and keys (Tumanyan et al., CVPR 2023)."""

from comfy_api.latest import io

from ...hrv_engine.editing.methods import plug_and_play
from ..host.unet import downsampling_of, require_unet
from ..types import CATEGORY
from .shared import more_targets, pair, pair_inputs, pair_outputs, prompts_of, seeds_input

WHY = "it exchanges features and self-attention of the decoder"


class HRVPlugAndPlayEdit(io.ComfyNode):
    """Keep the structure by injected features and self-attention."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="HRVPlugAndPlayEdit",
            display_name="HRV Plug-and-Play Edit",
            category=f"{CATEGORY}/editing",
            description=(
                "Plug-and-Play: the target gets the residual features of one decoder block and the self-attention of"
                " the decoder from the source, at first; its words are its own."
            ),
            search_aliases=["hrv", "PnP", "plug-and-play", "image editing", "feature injection", "keep structure"],
            inputs=[
                *pair_inputs(),
                *more_targets(),
                io.Float.Input(
                    "attention_until",
                    default=0.5,
                    min=0.0,
                    max=1.0,
                    step=0.05,
                    tooltip=(
                        "Until where in the run the source's self-attention is taken over;"
                        " 0.5 as published, 25 of 50 steps."
                    ),
                ),
                io.Float.Input(
                    "features_until",
                    default=0.8,
                    min=0.0,
                    max=1.0,
                    step=0.05,
                    tooltip=(
                        "Until where in the run the source's features are taken over; 0.8 as published, 40 of 50 steps."
                    ),
                ),
                seeds_input(),
            ],
            outputs=pair_outputs(),
        )

    @classmethod
    def execute(
        cls, model, source, target, latent, attention_until, features_until, seeds, target_2=None, target_3=None,
        target_4=None,
    ) -> io.NodeOutput:  # fmt: skip
        require_unet(model, "HRV Plug-and-Play Edit", WHY)
        prompts = prompts_of(source, [target, target_2, target_3, target_4])
        edit = plug_and_play(len(prompts) - 1, attention_until, features_until, downsampling_of(model))
        (feature,) = edit.features
        return pair(model, prompts, latent, edit, seeds, f"features of {feature.block[0]} {feature.block[1]}")
