"""HRV DDIM Invert: a photograph's start latent, so that every editing method can edit it."""

import comfy.samplers
from comfy_api.latest import io

from ...hrv_engine.editing.ddim_inversion import LABELS
from ..host.inversion import invert
from ..host.node_texts import shown
from ..host.paired_prompts import REPLAY
from ..types import CATEGORY


class HRVDDIMInvert(io.ComfyNode):
    """Find the noise from which an image would be drawn."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="HRVDDIMInvert",
            display_name="HRV DDIM Invert",
            category=f"{CATEGORY}/editing",
            has_intermediate_output=True,
            description=(
                "Follows the sampler backwards from an image to its noise and remembers the way, so that an editing"
                " node can draw an edit beside it. The image itself comes back exactly."
            ),
            search_aliases=["hrv", "ddim inversion", "invert", "real image editing", "unsampler", "edit photo"],
            inputs=[
                io.Model.Input("model", tooltip="The model that will draw the edit."),
                io.Conditioning.Input(
                    "source",
                    tooltip=(
                        "What the image shows, as a prompt, for Prompt-to-Prompt; an empty prompt for Plug-and-Play,"
                        " MasaCtrl and Free-Prompt-Editing. Use the same one as source of the editing node."
                    ),
                ),
                io.Latent.Input("latent", tooltip="The image, from VAE Encode."),
                io.Int.Input(
                    "steps", default=50, min=1, max=1000, tooltip="Sampling steps; use the same in the sampler."
                ),
                io.Combo.Input(
                    "scheduler",
                    options=comfy.samplers.KSampler.SCHEDULERS,
                    default="ddim_uniform",
                    tooltip="The noise schedule; use the same in the sampler.",
                ),
                io.Combo.Input(
                    "label",
                    options=list(LABELS),
                    default="target",
                    advanced=True,
                    tooltip=(
                        "At which end of a step the model is asked: target as in most published code, current as in the"
                        " original Plug-and-Play."
                    ),
                ),
                io.Boolean.Input(
                    "measure",
                    default=True,
                    advanced=True,
                    tooltip="Also samples back, to report how exact the inversion is. Takes twice the time.",
                ),
            ],
            outputs=[
                io.Latent.Output(
                    display_name="LATENT",
                    tooltip="The start latent with its way, for the latent input of an editing node.",
                ),
                io.String.Output(display_name="report", tooltip="Steps, noise level, reconstruction error."),
            ],
        )

    @classmethod
    def execute(cls, model, source, latent, steps, scheduler, label, measure) -> io.NodeOutput:
        trajectory, start, error = invert(model, source, latent, steps, scheduler, label, measure)
        text = f"{len(trajectory.sigmas) - 1} steps up to the noise level {trajectory.sigmas[-1]:.3f}"
        if error is not None:
            text += f"; sampled back without guidance, the latent differs by {error:.1%}"
        return io.NodeOutput({**latent, "samples": start, REPLAY: trajectory}, text, ui=shown(text))
