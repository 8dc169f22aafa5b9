"""HRV MasaCtrl Edit: the target looks into the source's keys and values (Cao et al., ICCV 2023)."""

from comfy_api.latest import io

from ...hrv_engine.editing.methods import masactrl
from ..host.unet import downsampling_of, require_unet
from ..types import CATEGORY
from .shared import more_targets, pair, pair_inputs, pair_outputs, prompts_of, seeds_input

WHY = "it exchanges self-attention from a layer of the decoder on"


class HRVMasaCtrlEdit(io.ComfyNode):
    """Change the pose and keep the looks."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="HRVMasaCtrlEdit",
            display_name="HRV MasaCtrl Edit",
            category=f"{CATEGORY}/editing",
            description=(
                "MasaCtrl: after the first steps the target's decoder takes keys and values of self-attention from the"
                " source, so that pose and place may change while the looks stay."
            ),
            search_aliases=[
                "hrv",
                "masactrl",
                "mutual self-attention",
                "image editing",
                "keep identity",
                "change pose",
            ],
            inputs=[
                *pair_inputs(),
                *more_targets(),
                io.Float.Input(
                    "start",
                    default=0.08,
                    min=0.0,
                    max=1.0,
                    step=0.01,
                    tooltip="Where in the run it begins; before, the target lays itself out. 0.08 is step 4 of 50.",
                ),
                io.Int.Input(
                    "start_layer",
                    default=-1,
                    min=-1,
                    max=1000,
                    advanced=True,
                    tooltip=(
                        "The first layer that looks into the source, counted from 0 as they run. -1: the decoder above"
                        " its coarsest level, which is the published 10 for SD1.x and 64 for SDXL."
                    ),
                ),
                seeds_input(),
            ],
            outputs=pair_outputs(),
        )

    @classmethod
    def execute(
        cls, model, source, target, latent, start, start_layer, seeds, target_2=None, target_3=None, target_4=None
    ) -> io.NodeOutput:
        require_unet(model, "HRV MasaCtrl Edit", WHY)
        prompts = prompts_of(source, [target, target_2, target_3, target_4])
        edit = masactrl(len(prompts) - 1, start, start_layer, downsampling_of(model))
        return pair(model, prompts, latent, edit, seeds)
