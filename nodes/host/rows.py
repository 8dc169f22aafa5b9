"""Which rows of a UNet call belong to which prompt: plans keyed by (list, uuid), made before, looked up inside.

Never by position and never by uuid alone: conditionings come batched or apart, in any order, and area conditionings
are copied into the negative list with tag and uuid.
"""

from typing import Any, TypeVar

from .conditioning import KEY, Branches, Tag

POSITIVE, NEGATIVE = 0, 1  # the indices of the lists in `conds`, hence in cond_or_uncond
Plan = dict[tuple[int, str], Any]
Planned = TypeVar("Planned")


def tagged_positives(conds: list, model_options: dict) -> list[tuple[tuple[int, str], Tag, int]]:
    """(plan key, tag, context length before padding) of every positive that HRV Prompt encoded."""
    return _positives(conds, model_options, Tag)


def branch_positives(conds: list, model_options: dict) -> list[tuple[tuple[int, str], Branches, int]]:
    """The same of every positive that holds stacked prompts."""
    return _positives(conds, model_options, Branches)


def _positives(conds: list, model_options: dict, kind: type) -> list:
    found = []
    for cond in (conds[POSITIVE] or []) if conds else []:
        tag = cond.get(KEY)
        if isinstance(tag, kind):
            tokens = cond["cross_attn"].shape[1] // (2 if model_options.get("ppm_negpip") else 1)
            found.append(((POSITIVE, cond["uuid"]), tag, tokens))
    return found


def negatives(conds: list) -> list[tuple[int, str]]:
    """The plan keys of all negatives of a call."""
    return [(NEGATIVE, cond["uuid"]) for cond in (conds[NEGATIVE] or [])] if len(conds) > NEGATIVE else []


def step_of(options: dict, sigma: float) -> tuple[int, int]:
    """(step from 0, number of steps) of a noise level in the running schedule; in-between levels count as the next."""
    sigmas = options["transformer_options"]["sample_sigmas"]
    return min(int((sigmas > sigma * (1 + 1e-6)).sum()), len(sigmas) - 2), len(sigmas) - 1


def with_plan(model_options: dict, key: str, plan: Plan) -> dict:
    """A copy of model_options that carries the plan under `key` to the UNet calls of this step."""
    if not plan:
        return model_options
    options = {**model_options.get("transformer_options", {}), key: plan}
    return {**model_options, "transformer_options": options}


def planned_rows(options: dict, key: str, batch: int) -> list[tuple[slice, Any]]:
    """(rows, planned) of the chunks of a UNet call of `batch` rows that the plan under `key` speaks of."""
    plan: Plan = options.get(key) or {}
    if not plan:
        return []
    chunks = list(zip(options["cond_or_uncond"], options["uuids"], strict=True))
    size = batch // len(chunks)
    return [(slice(i * size, (i + 1) * size), plan[chunk]) for i, chunk in enumerate(chunks) if chunk in plan]


def columns_in(length: int, tokens: int, columns: tuple[int, ...]) -> list[int]:
    """The columns in a context of `length`: one shorter than its neighbours is repeated, so j is also j + T, j + 2T."""
    return [column + copy * tokens for copy in range(max(1, length // tokens)) for column in columns]


def in_window(model_sampling: Any, sigma: float, start: float, end: float) -> bool:
    """Whether a noise level lies in the window [start, end] of the sampling (0 to 1)."""
    return model_sampling.percent_to_sigma(end) <= sigma <= model_sampling.percent_to_sigma(start)
