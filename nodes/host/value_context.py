"""Values of some words from another encoding: keys of the prompt as it is, values as its tag says."""

from typing import Any

from comfy.patcher_extension import WrappersMP
from torch import Tensor

from ...hrv_engine.errors import HRVError
from .rows import branch_positives, columns_in, planned_rows, tagged_positives, with_plan
from .unet_call import UNetCall, with_options

KEY = "hrv_values"


def with_own_values(model: Any) -> Any:
    """A clone of MODEL that makes prompts' values as their tags say; doing it twice changes nothing."""
    clone = model.clone()
    wrappers = {WrappersMP.CALC_COND_BATCH: plan_values, WrappersMP.DIFFUSION_MODEL: with_options(lend_values)}
    for kind, wrapper in wrappers.items():
        clone.remove_wrappers_with_key(kind, KEY)
        clone.add_wrapper_with_key(kind, KEY, wrapper)
    return clone


def plan_values(executor: Any, model: Any, conds: list, x_in: Tensor, timestep: Tensor, model_options: dict) -> Any:
    """CALC_COND_BATCH wrapper: note which positives carry values of their own."""
    if any(row and row.values for _, tag, _ in branch_positives(conds, model_options) for row in tag.rows):
        raise HRVError(
            "A prompt of HRV Structured Diffusion is stacked with others in an edit, which reads values of its own. Use"
            " one of the two nodes."
        )
    found = tagged_positives(conds, model_options)
    plan = {key: (tag.values, tokens) for key, tag, tokens in found if tag.values is not None}
    return executor(model, conds, x_in, timestep, with_plan(model_options, KEY, plan))


def lend_values(call: UNetCall) -> dict[str, Any]:
    """Options of a UNet call under which planned rows of the value context are exchanged, before projection."""
    rows = planned_rows(call.options, KEY, call.x.shape[0])
    if not rows:
        return call.options
    whole = call.context.clone()
    for place, (values, tokens) in rows:
        columns = columns_in(whole.shape[1], tokens, values.columns)
        whole[place, columns] = values.rows.to(whole).repeat(len(columns) // len(values.columns), 1)

    def lend(n: Tensor, keys: Tensor, values: Tensor, extra_options: dict) -> tuple[Tensor, Tensor, Tensor]:
        return n, keys, whole if values is call.context else values

    patches = dict(call.options.get("patches", {}))
    patches["attn2_patch"] = [lend, *patches.get("attn2_patch", [])]
    return {**call.options, "patches": patches}
