"""Effects of heads in one sampler run: at some steps, how f moves with the factors of a word's value rows.

Two more conditionings ride along in the guider, the prompt with the word and without it; the sampler never uses the
second. A PREDICT_NOISE wrapper measures on the sampler's own latent, then lets it predict as always.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any

import comfy.model_management
import comfy.samplers
import numpy as np
import torch
from comfy.patcher_extension import WrappersMP
from torch import Tensor

from ...hrv_engine.attention.heads import HeadLayout
from ...hrv_engine.errors import HRVError
from ...hrv_engine.relevance.build_settings import FORWARD, EffectSettings
from ...hrv_engine.relevance.effect import NoEffect, integration_points, share, word_effect
from ...hrv_engine.relevance.effect_regression import SWITCH, Switchings
from ...hrv_engine.relevance.samples import Sample
from .calls import AttentionCall, ModelCall
from .control import Control, StepPlan, controlled, install
from .gradients import differentiable, gradient_options, gradient_scale, no_path, repeatable, without_inference
from .guidance import check_loaded, resident
from .identity import UNKNOWN, with_images
from .receipt import Receipt
from .run import RUN
from .steps import sigmas_of

KEY, FACTORS = "hrv_effect", "hrv_effect_factors"
POSITIVE, NEGATIVE, WITHOUT = "positive", "negative", "without"


@dataclass
class Factors:
    """r [images heads] of a prediction, and the columns of every image's word; tokens: of the context before padding.

    The images are those that the rows of its model calls say they are.
    """

    factors: Tensor
    columns: Sequence[Sequence[int]]
    tokens: int = 0

    def weights(self, call: ModelCall, length: int) -> Tensor:
        """W [rows length heads] of values of that length: r in the columns of the row's word, 1 elsewhere."""
        images = call.batch.images
        if UNKNOWN in images:
            raise HRVError(
                "Another node regroups the images of this batch and says no more which is which, but every image has"
                " a word of its own here. Set batch_size to 1, or take the node that splits the batch off the MODEL."
            )
        mask = torch.zeros(len(images), length, 1, device=self.factors.device)
        for row, image in enumerate(images):
            mask[row, call.family.token_columns(length, self.tokens, self.columns[image])] = 1
        return 1 + mask * (self.factors[list(images)][:, None] - 1)


class Turning(Control):
    """Turns heads in the model calls that carry factors in their options."""

    key, name = FACTORS, "HRV Build by Effect"

    def plan(self, step: StepPlan) -> dict[int, Factors]:
        """The factors, for the one conditioning of such a call."""
        found: Factors | None = step.options.get(FACTORS)
        if found is None:
            return {}
        found.tokens = step.conditionings[0].tokens
        return {planned.number: found for planned in step.conditionings}

    def act(self, call: ModelCall, actions: dict[int, Factors], receipt: Receipt) -> None:
        """Scale the values at every site."""
        factors = next(iter(actions.values()))
        made: dict[int, Tensor] = {}

        def scale(attention: AttentionCall) -> Tensor:
            length = attention.tokens
            if length not in made:
                made[length] = factors.weights(call, length)
            own = made[length][..., call.layout.head_range(attention.site.key)].to(attention.parts[2].device)
            return attention.scaled(attention.ready(own)).proceed()

        call.receive(receipt, scale, call.batch.size)


@dataclass
class Measurement:
    """What is measured in one run of a batch, and what was: `effects` and `errors` float64 [samples heads].

    columns: of each sample's word in its prompt; steps: at which to measure; key: of the random switchings; copying:
    whether a gradient keeps copies of what it needs, for models that write into it.
    """

    settings: EffectSettings
    layout: HeadLayout
    samples: Sequence[Sample]
    columns: Sequence[Sequence[int]]
    steps: Sequence[int]
    key: tuple[int, ...]
    effects: list[np.ndarray] = field(default_factory=list)
    errors: list[np.ndarray] = field(default_factory=list)
    copying: bool = False

    def predict(
        self, executor: Any, x: Tensor, timestep: Tensor, model_options: dict[str, Any], seed: Any = None
    ) -> Any:
        """PREDICT_NOISE wrapper: measure when a step asks for it; the last prediction is not needed any more."""
        step = model_options["transformer_options"][RUN].step_of(float(timestep.max()))
        place = len(self.effects)
        if place < len(self.steps) and step == self.steps[place]:
            self._measure(executor.class_obj, x, timestep, model_options)
        if len(self.effects) == len(self.steps):
            return torch.zeros_like(x)
        return executor(x, timestep, model_options, seed)

    def _measure(self, guider: Any, x: Tensor, sigma: Tensor, model_options: dict[str, Any]) -> None:
        inner, conds = guider.inner_model, guider.conds
        (without,) = predictions(inner, [conds[WITHOUT]], x, sigma, model_options)
        measure = self._switched if self.settings.estimate == FORWARD else self._derived
        try:
            measure(inner, conds[POSITIVE], without, x, sigma, model_options)
        except NoEffect as error:
            raise self._no_effect(error, float(sigma.max())) from error

    def _no_effect(self, error: NoEffect, sigma: float) -> HRVError:
        sample = self.samples[error.image]
        return HRVError(
            f'The prediction {error.what} "{sample.word}" of the concept "{sample.concept}" at noise level {sigma:.3g},'
            " so no head can be found by its effect there. The prompts compared are"
            f' "{sample.with_word}" and "{sample.without}". Choose another word, one that this text encoder knows, or'
            " another template."
        )

    def _derived(
        self, inner: Any, positive: list, without: Tensor, x: Tensor, sigma: Tensor, options: dict[str, Any]
    ) -> None:
        """Gradients of f at the integration points, every image its own."""
        total: Tensor | None = None
        points, difference = integration_points(self.settings.integration), None
        if points != [1.0]:
            (with_word,) = predictions(inner, [positive], x, sigma, options)
            difference = word_effect(with_word, without, inner.get_dtype_inference())
        scale = gradient_scale(inner)
        check_loaded(inner)
        for point in points:
            comfy.model_management.throw_exception_if_processing_interrupted()
            gradient = self._gradient(inner, positive, without, x, sigma, options, point, difference, scale)
            total = gradient if total is None else total + gradient
        assert total is not None
        self.effects.append((total.double() / (scale * len(points))).cpu().numpy())

    def _gradient(
        self, inner: Any, positive: list, without: Tensor, x: Tensor, sigma: Tensor, options: dict[str, Any],
        point: float, difference: Tensor | None, scale: float,
    ) -> Tensor:  # fmt: skip
        """df/dr at r = `point` times `scale`, float32 [images heads]; `difference` None: d of this very prediction."""
        conds = [[without_inference(cond) for cond in positive]]
        with differentiable(inner, self.settings.save_memory, options), repeatable(x.device):
            factors = torch.full((x.shape[0], self.layout.total), point, device=x.device, requires_grad=True)
            given = gradient_options(options, {FACTORS: Factors(factors, self.columns)})
            try:
                with copies_kept() if self.copying else nullcontext():
                    (out,) = comfy.samplers.calc_cond_batch(inner, conds, x.clone(), sigma.clone(), given)
                if difference is None:
                    d = word_effect(out.detach(), without, inner.get_dtype_inference())
                else:
                    d = difference.clone()
                return torch.autograd.grad(share(out, d).sum() * scale, factors)[0]
            except RuntimeError as error:
                if "inplace operation" not in str(error) or self.copying:
                    raise _no_gradient(error) from error
        self.copying = True  # this model adds to tensors that a gradient needs
        return self._gradient(inner, positive, without, x, sigma, options, point, difference, scale)

    def _switched(
        self, inner: Any, positive: list, without: Tensor, x: Tensor, sigma: Tensor, options: dict[str, Any]
    ) -> None:
        """Estimates of one image from random switchings of its heads."""
        (with_word,) = predictions(inner, [positive], x, sigma, options)
        difference = word_effect(with_word, without, inner.get_dtype_inference())
        switchings = Switchings.of(self.layout.total, self.settings.pairs, (*self.key, len(self.effects)))
        slopes: list[float] = []
        for signs in np.array_split(switchings.signs, -(-len(switchings.signs) // self.settings.batch_size)):
            comfy.model_management.throw_exception_if_processing_interrupted()
            sides, numbered = [], [with_images(cond, len(signs)) for cond in positive]
            for side in (SWITCH, -SWITCH):
                factors = Factors(1 + side * torch.from_numpy(signs).to(x.device), list(self.columns) * len(signs))
                given = {**options, "transformer_options": {**options["transformer_options"], FACTORS: factors}}
                rows = x.expand(len(signs), *x.shape[1:])
                (out,) = predictions(inner, [numbered], rows, sigma.expand(len(signs)), given)
                sides.append(share(out, difference.expand_as(out)))
            slopes += ((sides[0] - sides[1]) / (2 * SWITCH)).tolist()
        effects, errors = switchings.estimate(np.array(slopes))
        self.effects.append(effects[None])
        self.errors.append(errors[None])


@contextmanager
def copies_kept() -> Iterator[None]:
    """Inside, autograd keeps copies of all but weights, so that operations in place do no harm; it takes more memory.

    Of tensors that need no gradient too: what they are multiplied with may, and they may be written into.
    """
    with torch.autograd.graph.saved_tensors_hooks(_copied, lambda kept: kept):
        yield


def _copied(tensor: Tensor) -> Tensor:
    weight = isinstance(tensor, torch.nn.Parameter) or isinstance(tensor._base, torch.nn.Parameter)
    return tensor if weight else tensor.detach().clone()


def predictions(inner: Any, conds: list[list], x: Tensor, sigma: Tensor, options: dict[str, Any]) -> list[Tensor]:
    """Denoised predictions of several conditionings for one latent, without a gradient."""
    with torch.no_grad():
        return comfy.samplers.calc_cond_batch(inner, conds, x, sigma, options)


def _no_gradient(error: RuntimeError) -> Exception:
    known = no_path(error)
    if isinstance(error, torch.OutOfMemoryError):
        return HRVError(
            "There is not enough memory for the gradient. Switch save_memory on, lower batch_size or the image's size,"
            f' or choose the estimate "{FORWARD}", which needs no gradient.'
        )
    if known is error:
        return error
    return HRVError(f'{known} Or choose the estimate "{FORWARD}", which needs no gradient.')


def measurable(model: Any, settings: EffectSettings) -> Any:
    """The MODEL as runs are to measure on: able to turn heads, and wholly loaded where a gradient needs it."""
    return controlled(model if settings.estimate == FORWARD else resident(model), Turning())


def measure(
    model: Any, conds: dict[str, list], measurement: Measurement, noise: Tensor, seed: int, callback: Callable
) -> tuple[np.ndarray, np.ndarray | None]:
    """Sample from `noise` as far as steps are measured; effects and squared errors float64 [samples heads].

    model: from `measurable`; conds: CONDITIONING of POSITIVE, NEGATIVE and WITHOUT, a row a sample. Both are means over
    the measured steps; errors are None for gradients.
    """
    settings = measurement.settings
    wrappers: dict[str, Callable] = {WrappersMP.PREDICT_NOISE: measurement.predict}
    if settings.estimate != FORWARD:
        wrappers[WrappersMP.PREPARE_SAMPLING] = _load_fully
    model = install(model, KEY, wrappers)
    guider = comfy.samplers.CFGGuider(model)
    guider.inner_set_conds(conds)
    guider.set_cfg(settings.cfg)
    sigmas = sigmas_of(model, settings)[: measurement.steps[-1] + 2]
    sampler = comfy.samplers.sampler_object(settings.sampler_name)
    with torch.inference_mode() if not torch.is_inference_mode_enabled() else nullcontext():
        guider.sample(noise, noise * 0, sampler, sigmas, callback=callback, disable_pbar=True, seed=seed)
    count = len(measurement.steps)
    if len(measurement.effects) < count:
        raise HRVError(
            "No model call of this run showed the sampler's latent at the steps to be measured: another node on this"
            " MODEL answers in its place (a cache, a guider or a model call of its own). Take it off while building."
        )
    errors = sum(measurement.errors) / count**2 if measurement.errors else None
    return sum(measurement.effects) / count, errors  # type: ignore[return-value]


def _load_fully(executor: Any, model: Any, noise_shape: Any, conds: dict, **options: Any) -> Any:
    """PREPARE_SAMPLING wrapper: weights that a gradient passes through must all be on the device."""
    return executor(model, noise_shape, conds, **{**options, "force_full_load": True})
