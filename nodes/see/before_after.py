"""HRV Before After: two sets of images under one slider."""

import torch
from comfy_api.latest import io

from ...hrv_engine.errors import HRVError
from ..host.node_pictures import pictured
from ..types import CATEGORY


class HRVBeforeAfter(io.ComfyNode):
    """The same images before and after a change, one over the other."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="HRVBeforeAfter",
            display_name="HRV Before After",
            category=f"{CATEGORY}/see",
            is_output_node=True,
            has_intermediate_output=True,
            description=(
                "Lays the images before a change over those after it, with a slider between them: what did the node do?"
            ),
            search_aliases=["hrv", "before and after", "compare images", "image comparer", "slider", "side by side"],
            inputs=[
                io.Image.Input("before", tooltip="The images without the change, for instance of the plain model."),
                io.Image.Input("after", tooltip="The images with it: the same seeds, size and number."),
            ],
            outputs=[io.Image.Output(display_name="IMAGE", tooltip="Each image before and after, side by side.")],
        )

    @classmethod
    def execute(cls, before, after) -> io.NodeOutput:
        if before.shape != after.shape:
            raise HRVError(
                f"`before` has {_size(before)}, `after` has {_size(after)}: they cannot lie one over the other. Connect"
                " as many images of the same size to both; Upscale Image makes sizes equal."
            )
        if not len(before):
            raise HRVError("`before` and `after` have no images. Connect what a VAE Decode gives to each.")
        both = torch.cat([before, after])
        return io.NodeOutput(torch.cat([before, after], dim=2), ui=pictured(both, hrv_pairs=lambda: len(before)))


def _size(images: torch.Tensor) -> str:
    number, height, width, channels = images.shape
    return f"{number} image{'s' * (number != 1)} of {width} x {height} pixels in {channels} channels"
