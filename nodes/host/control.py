"""Controls: what acts on attention during sampling. One installation, one plan a call, one place that knows rows."""

import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from comfy.patcher_extension import WrappersMP
from torch import Tensor

from ...hrv_engine.errors import HRVError
from .asked import check_carried_out, check_planned
from .calls import ModelCall, RowsApart
from .families import family_of
from .identity import (
    GROUP,
    IMAGES,
    ROWS,
    BatchPlan,
    image_numbers,
    is_its_own,
    numbered_images,
    owned,
    with_rows,
    without_images,
)
from .node_texts import NODES, made_by_node, show_texts
from .receipt import Receipt, neighbours
from .run import RUN, Kind, Run
from .schedule import is_part, whole_schedule

OURS = "hrv_"  # what all our keys in transformer_options begin with
CONTROLS, PLAN, CORE = "hrv_controls", "hrv_plan", "hrv_core"


@dataclass(frozen=True)
class Planned:
    """One conditioning of a model call: its plan number, the dict itself, the length of its context before padding."""

    number: int
    cond: dict
    tokens: int

    def annotation(self, kind: type[Kind]) -> Kind | None:
        """What HRV nodes wrote on it, if it is of this kind and speaks of this very context."""
        found = self.cond.get(kind.key)
        return found if isinstance(found, kind) and is_its_own(self.cond) else None

    @property
    def group(self) -> str | None:
        """The name of its list in the guider ("positive", "negative", ...), None outside a run."""
        return self.cond.get(GROUP)


@dataclass(frozen=True)
class StepPlan:
    """What controls know when they plan one call of the model: its conditionings, noise level and step.

    conditionings: those that are used at this noise level.
    """

    conditionings: tuple[Planned, ...]
    model: Any
    sigma: float
    x: Tensor
    options: dict[str, Any]
    run: Run

    @property
    def step(self) -> int:
        """The step of the run, from 0."""
        return self.run.step_of(self.sigma)

    @property
    def place(self) -> tuple[int, int]:
        """(step, steps) in the whole schedule, for windows in steps."""
        return self.run.place(self.sigma)

    def images_of(self, planned: Planned) -> list[int]:
        """The image number of every row that a conditioning gets in this call."""
        return image_numbers(planned.cond, int(self.x.shape[0]), self.run.images).cond.flatten().tolist()

    def annotated(self, kind: type[Kind]) -> Iterator[tuple[Planned, Kind]]:
        """The conditionings with an annotation of a kind."""
        for planned in self.conditionings:
            found = planned.annotation(kind)
            if found is not None:
                yield planned, found


class Control(ABC):
    """Something that acts on attention: a subclass says what is to happen, and makes it happen row by row.

    key: its name in a model; two controls with one key replace each other. name: how errors and receipts call it.
    """

    key = ""
    name = ""

    @abstractmethod
    def plan(self, step: StepPlan) -> dict[int, Any]:
        """What is to happen to the conditionings of a call, by plan number; {} for nothing."""

    @abstractmethod
    def act(self, call: ModelCall, actions: dict[int, Any], receipt: Receipt) -> None:
        """Add receivers (or patches) that carry out the planned actions on the rows of one model call."""


def install(model: Any, key: str, wrappers: dict[str, Callable]) -> Any:
    """A clone of MODEL with wrappers under a key; doing it twice is the same as once."""
    clone = model.clone()
    for kind, wrapper in wrappers.items():
        clone.remove_wrappers_with_key(kind, key)
        clone.add_wrapper_with_key(kind, key, wrapper)
    return clone


def controlled(model: Any, *controls: Control) -> Any:
    """A clone of MODEL on which controls act, besides those that are there."""
    wrappers: dict[str, Callable] = {
        WrappersMP.SAMPLER_SAMPLE: follow_run,
        WrappersMP.CALC_COND_BATCH: plan_call,
        WrappersMP.APPLY_MODEL: act_on_call,
    }
    there = model.get_wrappers(WrappersMP.SAMPLER_SAMPLE, CORE)
    clone = model.clone() if there else install(model, CORE, wrappers)  # it stays outside of what was added later
    clone.set_attachments(CORE, {})  # receipts of the last run, by key
    options = clone.model_options.setdefault("transformer_options", {})
    options[CONTROLS] = {**options.get(CONTROLS, {}), **{control.key: control for control in controls}}
    options[NODES] = made_by_node(options.get(NODES, {}), [control.key for control in controls])
    return clone


def receipts_of(model: Any) -> list[str] | None:
    """What controls did in the last run of a MODEL, a line each; None for a model without controls or without a run."""
    kept = model.get_attachment(CORE)
    return [receipt.text for receipt in kept.values()] if kept else None


def controls_of(options: dict[str, Any]) -> dict[str, Control]:
    """The controls in transformer_options, by key."""
    return options.get(CONTROLS) or {}


def follow_run(
    executor: Any, guider: Any, sigmas: Tensor, extra_args: dict, callback: Any, noise: Tensor, *more: Any, **named: Any
) -> Any:
    """SAMPLER_SAMPLE wrapper: number the images, keep receipts, and check them when the run is over."""
    options = extra_args["model_options"].setdefault("transformer_options", {})
    run = Run(sigmas, int(noise.shape[0]), owned(guider.conds))
    sampler = getattr(executor.class_obj, "sampler_function", executor.class_obj)
    patches = getattr(getattr(guider, "model_patcher", None), "object_patches", {})
    parts = [patch for name, patch in patches.items() if name.startswith("diffusion_model")]
    if is_part(run.sigmas, noise):
        run.whole = partial(whole_schedule, guider.inner_model.model_sampling, run.sigmas)
    run.by_call = getattr(sampler, "steps_are_calls", False)
    run.beside = neighbours(extra_args["model_options"], guider, sampler, *parts)
    options[RUN] = run
    check_carried_out(run, {key: control.name for key, control in controls_of(options).items()})
    for key, control in controls_of(options).items():
        run.receipt(key, control.name)
    with numbered_images(guider, run.images), _receipts(guider, run):
        samples = executor(guider, sigmas, extra_args, callback, noise, *more, **named)
    check_planned(run)
    for receipt in run.receipts.values():
        receipt.check(run.beside)
    show_texts(options, {key: receipt.text for key, receipt in run.receipts.items()})
    return samples


@contextmanager
def _receipts(guider: Any, run: Run) -> Iterator[None]:
    """Leave the receipts of the run on the model, for the report, and let go of what was made for it, weights too."""
    record = getattr(guider, "model_patcher", None)
    kept = record.get_attachment(CORE) if record is not None else None
    try:
        yield
    finally:
        if isinstance(kept, dict):
            kept.clear()
            kept.update(run.receipts)
        run.cache.clear()


def plan_call(executor: Any, model: Any, conds: list, x_in: Tensor, timestep: Tensor, model_options: dict) -> Any:
    """CALC_COND_BATCH wrapper: ask every control what is to happen; if anything, let every row say whose it is."""
    options = model_options.get("transformer_options", {})
    batch = int(x_in.shape[0])
    run: Run = options.get(RUN) or Run.outside(timestep, batch)
    run.planned += 1
    numbered = [
        [Planned(number, cond, _tokens(cond, model_options)) for number, cond in _numbered(conds, place)]
        for place in range(len(conds))
    ]
    sigma = float(timestep if timestep.numel() == 1 else timestep.max())
    every = tuple(planned for group in numbered for planned in group if _used_at(planned.cond, sigma))
    step = StepPlan(every, model, sigma, x_in, options, run)
    actions = {}
    for key, control in controls_of(options).items():
        if found := control.plan(step):
            actions[key] = found
            run.receipt(key, control.name).ask(step.step)
    if actions:
        options = {**options, PLAN: (step.step, actions)}
        model_options = {**model_options, "transformer_options": options}
    given = [
        None
        if group is None
        else [
            with_rows(p.cond, p.number, batch, run.images) if actions else without_images(p.cond)
            for p in numbered[place]
        ]
        for place, group in enumerate(conds)
    ]
    return executor(model, given, x_in, timestep, model_options)


def _numbered(conds: list, place: int) -> Iterable[tuple[int, dict]]:
    before = sum(len(group or ()) for group in conds[:place])
    return enumerate(conds[place] or (), start=before)


def _used_at(cond: dict, sigma: float) -> bool:
    """Whether the host uses a conditioning at a noise level, by its range."""
    return cond.get("timestep_end", sigma) <= sigma <= cond.get("timestep_start", sigma)


def _tokens(cond: dict, model_options: dict) -> int:
    context = cond.get("cross_attn")
    return 0 if context is None else int(context.shape[1]) // (2 if model_options.get("ppm_negpip") else 1)


def act_on_call(
    executor: Any, x: Tensor, t: Tensor, c_concat: Any = None, c_crossattn: Any = None, control: Any = None,
    transformer_options: dict | None = None, **named: Any,
) -> Any:  # fmt: skip
    """APPLY_MODEL wrapper: take the identity out of the data and carry out the plan on the rows it names."""
    options = {} if transformer_options is None else transformer_options
    identity = named.pop(ROWS, None)
    named.pop(IMAGES, None)
    if not options.get(PLAN):
        return executor(x, t, c_concat, c_crossattn, control, _without_ours(options), **named)
    run: Run = options.get(RUN) or Run.outside(t, int(x.shape[0]))
    if identity is None or identity.shape[0] != x.shape[0]:
        _refuse_lost_identity(run, None if identity is None else identity.shape[0], x.shape[0])
    batch, inputs = BatchPlan.of(identity), (x, t, c_concat, c_crossattn, control, options, named)
    try:
        return _acted(executor, run, batch, *inputs)
    except RowsApart:
        if batch.size == 1:
            raise
    return torch.cat([_acted(executor, run, *_row(number, batch, inputs)) for number in range(batch.size)])


def _acted(
    executor: Any, run: Run, batch: BatchPlan, x: Tensor, t: Tensor, c_concat: Any, c_crossattn: Any, control: Any,
    options: dict, named: dict,
) -> Tensor:  # fmt: skip
    """One call of the model with the plan carried out."""
    step, actions = options[PLAN]
    module = executor.class_obj.diffusion_model
    module = getattr(module, "_orig_mod", module)  # of a compiled one
    family = family_of(module)
    layout = run.layout_of(family, module)
    call = ModelCall(x, batch, family, layout, module, dict(options), step, run, c_crossattn, named)
    for key, found in actions.items():
        present = {number: action for number, action in found.items() if call.batch.rows(number)}
        if present:
            acting = controls_of(options)[key]
            acting.act(call, present, run.receipt(key, acting.name))
    if not call.acted:
        return executor(x, t, c_concat, c_crossattn, control, _without_ours(options), **named)
    if call.words is not None:
        c_crossattn, named = call.family.with_words(call, c_crossattn, named)
    with eager(), family.around(call) as options:
        return executor(x, t, c_concat, c_crossattn, control, _without_ours(options), **named)


def _row(number: int, batch: BatchPlan, inputs: Any) -> Any:
    """One row of a batch and of the inputs of its call, for models that compute their rows one by one."""
    *tensors, options, named = inputs

    def row(value: Any) -> Any:
        if isinstance(value, Tensor):
            return value[number : number + 1] if value.ndim and value.shape[0] == batch.size else value
        if isinstance(value, dict):
            return {key: row(part) for key, part in value.items()}
        return [row(part) for part in value] if isinstance(value, list) else value

    options = dict(options)
    for key in ("cond_or_uncond", "uuids"):  # of the host, an entry for so many rows
        if entries := options.get(key):
            place = number * len(entries) // batch.size
            options[key] = entries[place : place + 1]
    alone = BatchPlan(batch.plans[number : number + 1], batch.images[number : number + 1])
    return alone, *map(row, tensors), options, row(named)


def _without_ours(options: dict) -> dict:
    """Options as the model gets them: what is ours differs in every run, and a compiled model would notice."""
    return {key: value for key, value in options.items() if not key.startswith(OURS)}


def eager() -> AbstractContextManager:
    """Inside, compiled modules run their Python: a compiled graph takes no notice of what is in transformer_options."""
    if "torch._dynamo" not in sys.modules:  # nothing was ever compiled in this process
        return nullcontext()
    return torch.compiler.set_stance("force_eager")


def _refuse_lost_identity(run: Run, rows: int | None, asked: int) -> None:
    who = ", ".join(run.beside) or "a model function wrapper"
    what = "were dropped" if rows is None else f"are {rows} for a call of {asked} rows"
    raise HRVError(
        "Another node rebuilds the model call and leaves out what tells each row which prompt and image it is (the"
        f" numbers {what}), so HRV nodes cannot know whom to act on. Patches there: {who}. Take that node off this"
        " MODEL, or take the HRV node away."
    )
