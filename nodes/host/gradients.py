"""Gradients through ComfyUI's UNet with respect to the latent, although weights and sampling are in inference mode."""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import comfy.ldm.modules.attention as host_attention
import comfy.samplers
import torch
from torch import Tensor

from ...hrv_engine.attention.heads import SiteKey
from ...hrv_engine.errors import HRVError
from ...hrv_engine.guidance.latent_guidance import Guidance
from ...hrv_engine.guidance.readings import AddedMaps, resampled
from .activation_checkpointing import Checkpoints
from .asked import READER
from .calls import AttentionCall, ModelCall
from .control import Control, StepPlan
from .fused_kernels import replaced_by_torch
from .ordinary_weights import OrdinaryWeights
from .receipt import Receipt
from .run import RUN, Run

NO_PATH = ("nference tensor", "does not require grad", "no autograd formula", "derivative for")  # in PyTorch's words
HALF_SCALE = 2.0**10  # keeps gradients of float16 models above their smallest numbers


class StopForward(BaseException):
    """Ends a UNet call after the last layer that is read; no Exception, so that nothing on the way swallows it."""


def loss_and_gradient(
    guidance: Guidance, inner_model: Any, cond: dict, x: Tensor, sigma: Tensor, model_options: dict
) -> tuple[Tensor, Tensor]:
    """The loss of every image [images] and its gradient with respect to the scaled latent, as a move of `x`.

    Only the rows of `cond` are run, up to the last layer that is read. The move is that of the scaled latent
    x / sqrt(1 + sigma^2) brought back to x, so step sizes are those of the papers. A loss that the prompt does not
    contribute to at this noise level (its time range) is 0. Raises HRVError when there is no path for a gradient.
    """
    scale = gradient_scale(inner_model)
    with differentiable(inner_model, guidance.recompute, model_options), repeatable(x.device):
        latent = x.detach().clone().requires_grad_(True)
        sigma = sigma.clone()
        reader = MapReader(guidance)
        options = gradient_options(model_options, {READER: reader})
        try:
            comfy.samplers.calc_cond_batch(inner_model, [[without_inference(cond)]], latent, sigma, options)
        except StopForward:
            pass
        except RuntimeError as error:
            raise no_path(error) from error
        maps = reader.maps()
        if maps is None:
            return x.new_zeros(x.shape[0]), torch.zeros_like(x)
        loss = guidance.loss(maps)
        try:
            (gradient,) = torch.autograd.grad(loss.sum() * scale, latent)
        except RuntimeError as error:
            raise no_path(error) from error
        input_scale = inner_model.model_sampling.calculate_input(sigma, torch.ones_like(latent))
        gradient = gradient / (scale * input_scale**2)
    if not gradient.isfinite().all():
        raise HRVError(
            f"The gradient of {guidance.name} is not finite: the model runs at a precision too low for it. Start"
            " ComfyUI with --bf16-unet or --fp32-unet, or use another checkpoint."
        )
    return loss.detach(), gradient


def gradient_scale(inner_model: Any) -> float:
    """What a loss is multiplied by before its gradient, so that those of float16 models do not vanish."""
    return HALF_SCALE if inner_model.get_dtype_inference() == torch.float16 else 1.0


def gradient_options(model_options: dict[str, Any], more: dict[str, Any]) -> dict[str, Any]:
    """Model options of a call through which a gradient is to pass, with `more` in its transformer_options."""
    options = {**model_options.get("transformer_options", {}), **more}
    options["optimized_attention_override"] = _differentiable_attention
    options["patches"] = _out_of_place(options.get("patches", {}))
    options = {**model_options, "transformer_options": options}
    options.pop("context_handler", None)  # windows over the batch: a loss is of every image, at once
    return options


def _out_of_place(patches: dict[str, list]) -> dict[str, list]:
    """Patches of the host's kinds that get copies and keep copies: some (FreeU) write into what a gradient needs."""

    def copying(patch: Any) -> Any:
        if not callable(patch):
            return patch

        def run(*args: Any, **named: Any) -> Any:
            with torch.autograd.graph.saved_tensors_hooks(Tensor.clone, lambda kept: kept):
                return patch(*(a.clone() if isinstance(a, Tensor) else a for a in args), **named)

        return run

    return {kind: [copying(patch) for patch in there] for kind, there in patches.items()}


def no_path(error: RuntimeError) -> Exception:
    """The reason why autograd cannot pass, for the errors that mean so; other errors as they are."""
    if not any(part in str(error) for part in NO_PATH):
        return error
    return HRVError(
        "There is no path for a gradient from the attention maps to the latent: another node's patch on this model"
        f" computes with weights or kernels that cannot be differentiated ({error}). Take that patch (an image adapter,"
        " a compiled model) off the MODEL before this node, or guide without it."
    )


class MapReader:
    """Adds up the weighted maps of one UNet call, those of one size together, and ends it in time."""

    def __init__(self, guidance: Guidance) -> None:
        self.reading = guidance.reading
        self.sites = set(self.reading.sites)
        self.tokens: int | None = None
        self._sums: dict[tuple[int, int], Tensor] = {}  # size -> [images sets pixels*tokens]

    def attach(self, call: ModelCall, receipt: Receipt) -> None:
        """Let it read the sites of one model call."""
        self.call = call
        call.receive(receipt, self, call.batch.size, frozenset(self.sites))
        if self.reading.left_out:
            receipt.leave(f"layers with {self.reading.left_out:.1%} of the relevance")

    def __call__(self, call: AttentionCall) -> Tensor:
        """Read the map, then go on with the attention that would have run, or stop."""
        site = call.site
        if site.key in self.sites:
            query, key, _ = call.joined
            name = ("map weights", id(self.reading), site.key, query.device)
            weights = self.call.run.made(name, lambda: self._weights(site.key, query.device))
            size = call.grid(self.call)
            if size not in self._sums:
                shape = (len(query), len(weights), call.pixels * call.tokens)
                self._sums[size] = torch.zeros(shape, device=query.device)
            self._sums[size] = AddedMaps.apply(self._sums[size], query, key, weights)
            self.sites.discard(site.key)
            if not self.sites:
                raise StopForward
        return call.proceed()

    def maps(self) -> Tensor | None:
        """float32 [sets images tokens height width] of all layers that were read, None if none was."""
        if not self._sums:
            return None
        size, total = self.reading.size(*self.call.x.shape[-2:]), None
        for own, sums in self._sums.items():
            maps = sums.unflatten(-1, (math.prod(own), -1)).permute(1, 0, 3, 2)[:, :, : self.tokens]
            part = resampled(maps.unflatten(-1, own), size)
            total = part if total is None else total + part
        return total

    def _weights(self, key: SiteKey, device: torch.device) -> Tensor:
        """[sets heads] of a site, an ordinary tensor."""
        with torch.inference_mode(False):
            return torch.from_numpy(self.reading.weights[:, self.reading.layout.head_range(key)]).to(device)


class MapReading(Control):
    """Reads maps in the model calls of which a gradient is wanted: those that carry a reader in their options."""

    key, name = READER, "HRV guidance"

    def plan(self, step: StepPlan) -> dict[int, MapReader]:
        """The reader, for every conditioning of such a call."""
        reader: MapReader | None = step.options.get(READER)
        if reader is not None and step.conditionings:
            reader.tokens = step.conditionings[0].tokens or None  # what others append to the context is no word
        return {} if reader is None else {planned.number: reader for planned in step.conditionings}

    def act(self, call: ModelCall, actions: dict[int, MapReader], receipt: Receipt) -> None:
        """Attach the reader, once for all conditionings of the call."""
        next(iter(actions.values())).attach(call, receipt)


def _differentiable_attention(_theirs: Callable, *args: Any, **kwargs: Any) -> Tensor:
    """PyTorch's own attention in place of the user's: some backends (sage) have no gradient, or a slow one."""
    return host_attention.attention_pytorch(*args, **kwargs)


@contextmanager
def differentiable(model: torch.nn.Module, recompute: bool, model_options: dict[str, Any]) -> Iterator[None]:
    """Autograd passes through `model` inside and keeps little, with `recompute` less; all made once a run."""
    run: Run | None = model_options.get("transformer_options", {}).get(RUN)
    cache = {} if run is None else run.cache
    name = ("differentiable", id(model), recompute)
    if name not in cache:
        cache[name] = OrdinaryWeights(model), Checkpoints(model, recompute)
    weights, checkpoints = cache[name]
    with weights.in_place(), checkpoints.in_place(), replaced_by_torch():
        yield


@contextmanager
def repeatable(device: torch.device) -> Iterator[None]:
    """On a GPU, gradients inside are added up in a fixed order wherever a kernel offers one: same seed, same bits."""
    if device.type != "cuda":
        yield
        return
    before = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    torch.use_deterministic_algorithms(True, warn_only=True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before[0], warn_only=before[1])


def without_inference(value: Any) -> Any:
    """A conditioning whose inference tensors are copied, and whose ControlNet counts as constant."""
    if isinstance(value, Tensor):
        return value.clone() if value.is_inference() else value
    if isinstance(value, dict):
        return {key: _Constant(one) if key == "control" else without_inference(one) for key, one in value.items()}
    if isinstance(value, list):
        return [without_inference(one) for one in value]
    if hasattr(value, "_copy_with") and hasattr(value, "cond"):
        return value._copy_with(without_inference(value.cond))
    return value


class _Constant:
    """A ControlNet whose residuals do not depend on the latent: no gradient goes through it."""

    def __init__(self, control: Any) -> None:
        self._control = control

    def __getattr__(self, name: str) -> Any:
        return getattr(self._control, name)

    def get_control(self, x_noisy: Tensor, *args: Any) -> Any:
        """The residuals, as ordinary tensors."""
        with torch.no_grad():
            return without_inference(self._control.get_control(x_noisy.detach(), *args))
