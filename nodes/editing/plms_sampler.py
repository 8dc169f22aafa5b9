"""HRV PLMS Sampler: the sampler of the paper's experiments."""

import comfy.samplers
from comfy_api.latest import io

from ...hrv_engine.editing.plms import sample_plms
from ..types import CATEGORY


class HRVPLMSSampler(io.ComfyNode):
    """A SAMPLER that makes the calls of diffusers' PNDM."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="HRVPLMSSampler",
            display_name="HRV PLMS Sampler",
            category=f"{CATEGORY}/editing",
            description=(
                "The sampler of the paper (PNDM without Runge-Kutta steps, also called PLMS): 51 UNet calls for 50"
                " steps. For SamplerCustom, with the scheduler ddim_uniform."
            ),
            search_aliases=["hrv", "PNDM", "PLMS", "sampler", "diffusers scheduler", "pseudo numerical"],
            inputs=[],
            outputs=[io.Sampler.Output(display_name="SAMPLER", tooltip="Connect it to SamplerCustom.")],
        )

    @classmethod
    def execute(cls) -> io.NodeOutput:
        return io.NodeOutput(comfy.samplers.KSAMPLER(sample_plms))
