"""Latent guidance on the stock KSampler: before a prediction, the latent moves down a loss's gradient."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import comfy.model_management
import comfy.utils
from comfy.patcher_extension import WrappersMP
from torch import Tensor

from ...hrv_engine.errors import HRVError
from ...hrv_engine.guidance.descent import descend
from ...hrv_engine.guidance.latent_guidance import Guidance
from ...hrv_engine.guidance.loss_tables import StepLosses
from .conditioning import PairedPrompts, PromptAnnotation
from .control import controlled, install
from .gradients import MapReading, loss_and_gradient
from .run import RUN, annotated
from .sampler_state import SamplerState
from .sampler_support import SamplerSupport

KEY = "hrv_guidance"


@dataclass
class Losses:
    """What the last run of a guided model measured."""

    rows: list[StepLosses] = field(default_factory=list)
    steps: int = 0


def guided(model: Any) -> Any:
    """A clone of MODEL that carries out the guidance its conditionings ask for; twice is the same as once."""
    clone = resident(model)
    wrappers: dict[str, Callable] = {
        WrappersMP.PREPARE_SAMPLING: load_fully,
        WrappersMP.SAMPLER_SAMPLE: follow_sampler,
        WrappersMP.PREDICT_NOISE: move_latent,
    }
    clone = install(controlled(clone, MapReading()), KEY, wrappers)
    clone.set_attachments(KEY, Losses())
    return clone


def resident(model: Any) -> Any:
    """The MODEL without streamed weights, which may be overwritten before a gradient needs them."""
    return model.get_non_dynamic_delegate() if getattr(model, "is_dynamic", bool)() else model


def losses_of(model: Any) -> Losses | None:
    """What the last run of a guided MODEL measured, None for a model that is not guided."""
    return model.get_attachment(KEY)


def asked(conds: dict[str, list[dict]]) -> list[tuple[dict, Guidance]]:
    """Every (conditioning, guidance) among a guider's lists; raises HRVError for a guided prompt in an edit."""
    if any(row and row.guidance for _, _, pair in annotated(conds, PairedPrompts) for row in pair.annotations):
        raise HRVError(
            "A guided prompt is stacked with others in an edit, but guidance moves whole latents and would pull source"
            " and target apart. Use one of the two nodes."
        )
    return [(cond, guidance) for _, cond, prompt in annotated(conds, PromptAnnotation) for guidance in prompt.guidance]


def load_fully(executor: Any, model: Any, noise_shape: Any, conds: dict, **options: Any) -> Any:
    """PREPARE_SAMPLING wrapper: weights that a gradient passes through must all be on the device."""
    if asked(conds):
        options["force_full_load"] = True
    return executor(model, noise_shape, conds, **options)


def follow_sampler(
    executor: Any, guider: Any, sigmas: Tensor, extra_args: dict, callback: Any, noise: Tensor,
    latent_image: Any = None, denoise_mask: Any = None, disable_pbar: bool = False,
) -> Any:  # fmt: skip
    """SAMPLER_SAMPLE wrapper: know which model call shows the sampler's own latent; the record starts anew."""
    wanted = asked(guider.conds)
    if wanted and len(sigmas) > 1:
        seeded = extra_args.get("seed") is not None
        state = SamplerState.of(SamplerSupport(executor.class_obj, guider, sigmas, noise, seeded), denoise_mask)
        check_loaded(guider.inner_model)
        extra_args["model_options"].setdefault("transformer_options", {})[KEY] = state
        state.before, state.whole = extra_args["model_options"]["transformer_options"][RUN].place(float(sigmas[0]))
        state.whole += state.by_call
        callback = state.counting(callback, lambda step: any(one.schedule.acts(step) for _, one in wanted))
        losses = losses_of(guider.model_patcher)
        if losses is not None:
            losses.rows.clear()
            losses.steps = state.whole
    return executor(guider, sigmas, extra_args, callback, noise, latent_image, denoise_mask, disable_pbar)


def check_loaded(inner_model: Any) -> None:
    """Raise HRVError for a model of which only a part is on the device: no gradient passes through the rest."""
    if getattr(inner_model, "model_lowvram", False):
        raise HRVError(
            "There is no path for a gradient: only a part of the model's weights fits on the device, the others are"
            " streamed through a buffer that a gradient cannot look back into. Free memory (close other models, make"
            " the image smaller), start ComfyUI without --lowvram, or use a smaller checkpoint."
        )


def move_latent(executor: Any, x: Tensor, timestep: Tensor, model_options: dict, seed: Any = None) -> Any:
    """PREDICT_NOISE wrapper: if this call shows the sampler's own latent, move it in place; then predict as always."""
    state: SamplerState | None = model_options.get("transformer_options", {}).get(KEY)
    step = None if state is None else state.step_shown()
    if state is not None and step is not None:
        guider = executor.class_obj
        losses = losses_of(guider.model_patcher) or Losses()
        for cond, guidance in asked(guider.conds):
            if guidance.schedule.acts(step):
                moved = _move(guider.inner_model, cond, guidance, x, timestep, model_options, step, state.whole)
                losses.rows.append(StepLosses(guidance.name, step, moved))
    return executor(x, timestep, model_options, seed)


def _move(
    inner_model: Any, cond: dict, guidance: Guidance, x: Tensor, timestep: Tensor, options: dict, step: int, steps: int
) -> list[list[float]]:
    bars: list[Any] = []

    def tick(number: int) -> None:
        comfy.model_management.throw_exception_if_processing_interrupted()
        if number:
            bars[:] = bars or [comfy.utils.ProgressBar(guidance.schedule.rounds)]
            bars[0].update_absolute(number)

    def evaluate(latent: Tensor) -> tuple[Tensor, Tensor]:
        return loss_and_gradient(guidance, inner_model, cond, latent, timestep, options)

    return [loss.tolist() for loss in descend(x, evaluate, guidance.schedule, step, steps, tick)]
