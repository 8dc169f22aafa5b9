"""What the prompts of a run ask for, and that something on the MODEL carries it out."""

from ...hrv_engine.errors import HRVError
from .conditioning import PairedPrompts, PromptAnnotation
from .references import ReferenceAnnotation
from .run import Run

STEERING, READER, LENDING = PromptAnnotation.key, "hrv_reader", "hrv_values"  # keys of controls


def asked_for(run: Run) -> dict[str, str]:
    """{key of the control that carries it out: its name} of all that prompts of the run ask for."""
    prompts = [annotation for _, annotation in run.annotated(PromptAnnotation)]
    asked = {
        STEERING: ("HRV steering", any(one.scales for one in prompts) or run.annotated(PairedPrompts)),
        READER: ("HRV guidance", any(one.guidance for one in prompts)),
        LENDING: ("HRV Structured Diffusion", any(one.values for one in prompts)),
        ReferenceAnnotation.key: ("HRV Reference Strength", run.annotated(ReferenceAnnotation)),
    }
    return {key: name for key, (name, wanted) in asked.items() if wanted}


def check_carried_out(run: Run, there: dict[str, str]) -> None:
    """Raise HRVError when prompts ask for something that no control on this MODEL, by key and name, carries out."""
    missing = [name for key, name in asked_for(run).items() if key not in there]
    if missing:
        raise HRVError(
            f"A prompt of this run asks for {' and '.join(missing)}, but the MODEL came through other HRV nodes only"
            f" ({', '.join(there.values())}), so nothing would be done. Connect the MODEL output of the node that wrote"
            " this CONDITIONING to the next HRV node or the sampler, or take its CONDITIONING away."
        )


def check_planned(run: Run) -> None:
    """Raise HRVError when prompts ask for something in a run whose model calls never came by HRV nodes."""
    if asked_for(run) and run.steps > 0 and not run.planned:
        raise HRVError(
            "The prompts ask for HRV steering, but no model call of this run came by HRV nodes, so nothing was done:"
            f" another node calls the model in its own way ({', '.join(run.beside) or 'a guider or a sampler'})."
            " Take it off this MODEL or use another guider and sampler, or take the HRV node away."
        )
