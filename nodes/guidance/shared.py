"""What the guiding nodes have in common: a guidance for a prompt's words -> MODEL that carries it out, CONDITIONING."""

from collections.abc import Callable
from typing import Any

from comfy_api.latest import io

from ...hrv_engine.guidance.latent_guidance import Guidance
from ...hrv_engine.text.alignment import TokenTable
from ..host.conditioning import with_guidance
from ..host.guidance import guided
from ..host.node_texts import shown
from ..host.wires import check_wires
from ..types import steering_outputs


def guide(model: Any, positive: list, guidance_for: Callable[[TokenTable], Guidance], note: str) -> io.NodeOutput:
    """MODEL and CONDITIONING; `note` is shown under the node."""
    check_wires("This guiding node", {0: "MODEL", 1: "positive"})
    marked = with_guidance(positive, guidance_for)
    return io.NodeOutput(guided(model), marked, ui=shown(note))


def guide_inputs() -> list[io.Input]:
    """model, positive: what every guiding node begins with."""
    return [
        io.Model.Input("model", tooltip="The model you sample with: SD1.x, SD2.x or SDXL, with LoRAs or without."),
        io.Conditioning.Input(
            "positive", tooltip="The positive prompt, encoded by HRV Prompt so that its words can be found."
        ),
    ]


def schedule_inputs(steps: str) -> list[io.Input]:
    """steps_to_alter, step_size, save_memory: how the latent is moved."""
    return [
        io.Int.Input("steps_to_alter", default=25, min=0, max=1000, tooltip=steps),
        io.Float.Input(
            "step_size",
            default=20.0,
            min=0.0,
            max=10000.0,
            step=0.5,
            tooltip="How far the latent moves along the gradient; 20 in the paper. 0 switches the node off.",
        ),
        io.Boolean.Input(
            "save_memory",
            default=False,
            advanced=True,
            tooltip="Compute parts twice instead of keeping them: less memory, more time, the same image.",
        ),
    ]


def guide_outputs() -> list[io.Output]:
    """As those of the steering nodes."""
    return steering_outputs()
