"""Every run has a receipt: what was done is counted, and what could not be done is an error that says why."""

from __future__ import annotations

import sys
import types
from typing import Any

import comfy.samplers
import pytest
import torch
from comfy_execution.utils import CurrentNodeContext
from comfy_extras.nodes_easycache import EasyCacheNode, LazyCacheNode

import nodes
from comfyui_hrv.hrv_engine.errors import HRVError
from comfyui_hrv.nodes.guidance.structured_diffusion import RULES, HRVStructuredDiffusion
from comfyui_hrv.nodes.host.control import CORE, receipts_of
from comfyui_hrv.nodes.prompt import HRVPrompt
from comfyui_hrv.nodes.steering.adjust import HRVConceptAdjust
from comfyui_hrv.nodes.steering.shared import steer, word_columns

from ..neighbours.drawing import adjusted, edited, guided, prompt, windowed
from ..neighbours.neighbours import OwnGuider, own_calc_cond_batch, skipped

pytestmark = pytest.mark.usefixtures("inference_mode")
LAYERS = 10  # of the tiny model


def lines(model: Any) -> list[str]:
    return receipts_of(model) or []


def test_a_receipt_counts_layers_steps_rows_and_attention_calls(trio, hrv):
    assert len(hrv.layout.sites) == LAYERS
    model, steered = adjusted(trio.model, prompt(trio), hrv)
    trio.sample(model, steered, trio.encode(""), batch=3)
    assert lines(model) == ["HRV steering: 10 of 10 layers, 2 of 2 steps, 60 rows in 20 attention calls"]
    trio.sample(model, trio.encode("x") + steered + steered, trio.encode(""), steps=3)
    assert lines(model) == ["HRV steering: 10 of 10 layers, 3 of 3 steps, 60 rows in 30 attention calls"]


def test_a_receipt_of_windows_counts_every_window(trio, hrv):
    model, steered = adjusted(trio.model, prompt(trio), hrv)
    model = windowed(model, 2)
    trio.sample(model, steered, trio.encode(""), batch=5)
    assert lines(model) == ["HRV steering: 10 of 10 layers, 2 of 2 steps, 100 rows in 60 attention calls"]


def test_a_window_of_the_sampling_counts_its_own_steps(trio, hrv):
    settings = ("lavender", "Color", "Plants", 2.0, 1.0, 1.0, 0, 0.0, 0.0, 0.3)
    model, steered = HRVConceptAdjust.execute(trio.model, prompt(trio), hrv, *settings).args
    trio.sample(model, steered, trio.encode(""), steps=5)
    assert lines(model) == ["HRV steering: 10 of 10 layers, 2 of 5 steps, 20 rows in 20 attention calls"]


def test_a_run_without_anything_asked_says_so(trio, hrv):
    model, _ = adjusted(trio.model, prompt(trio), hrv)
    trio.sample(model, prompt(trio), trio.encode(""))
    assert lines(model) == ["HRV steering: nothing to do in this run, no prompt asked for it"]


def test_a_receipt_counts_only_the_layers_with_a_head_to_rescale(trio, hrv):
    factors = torch.ones(hrv.layout.total)
    factors[hrv.layout.head_range(hrv.layout.sites[3].key)] = 2.0
    made = steer(trio.model, prompt(trio), word_columns("lavender"), factors.numpy(), 1.0, 0.0, 1.0)
    trio.sample(*made.args, trio.encode(""))
    assert lines(made.args[0]) == ["HRV steering: 1 of 1 layers, 2 of 2 steps, 2 rows in 2 attention calls"]


def test_structured_diffusion_and_steering_have_a_receipt_each(trio, hrv):
    model, positive = adjusted(trio.model, prompt(trio), hrv)
    model, positive = HRVStructuredDiffusion.execute(model, positive, trio.clip, "lavender color", RULES).args
    trio.sample(model, positive, trio.encode(""))
    counted = "10 of 10 layers, 2 of 2 steps, 20 rows in 20 attention calls"
    assert lines(model) == [f"HRV steering: {counted}", f"HRV Structured Diffusion: {counted}"]


@pytest.mark.parametrize("cache, said", [(EasyCacheNode, ", 4 steps without the model (a cache)"), (LazyCacheNode, "")])
def test_steps_that_a_cache_leaves_out_are_counted(trio, hrv, cache, said):
    model, steered = adjusted(trio.model, prompt(trio), hrv)
    cached = cache.execute(model, 1e6, 0.0, 1.0, False).args[0]
    trio.sample(cached, steered, trio.encode(""), steps=6)
    text = f"HRV steering: 10 of 10 layers, 2 of 6 steps, 20 rows in 20 attention calls{said}"
    assert lines(cached) == [text]


# Asked and not done


@pytest.mark.parametrize("blocks", [1, LAYERS])
def test_blocks_exchanged_for_ones_without_attention_are_an_error_that_counts_and_names_them(trio, hrv, blocks):
    model, steered = adjusted(trio.model, prompt(trio), hrv)
    names = [
        name for name, module in trio.model.model.named_modules() if type(module).__name__ == "BasicTransformerBlock"
    ]
    for name in names[:blocks]:
        model.add_object_patch(f"{name}.forward", skipped)
    done = "did not act at all" if blocks == LAYERS else "acted at 9 of 10 layers"
    with pytest.raises(HRVError, match=f"HRV steering was asked to act in 2 steps and {done}.*skipped"):
        trio.sample(model, steered, trio.encode(""))
    assert len(lines(model)) == 1  # it is on the model after an error too
    untagged = trio.encode("x")
    trio.sample(model, untagged, trio.encode(""))


def test_structured_diffusion_in_blocks_without_attention_is_an_error(trio):
    model, positive = HRVStructuredDiffusion.execute(trio.model, prompt(trio), trio.clip, "lavender color", RULES).args
    for name, module in trio.model.model.named_modules():
        if type(module).__name__ == "BasicTransformerBlock":
            model.add_object_patch(f"{name}.forward", skipped)
    with pytest.raises(HRVError, match="HRV Structured Diffusion was asked to act in 2 steps and did not act at all"):
        trio.sample(model, positive, trio.encode(""))


def test_a_model_call_of_its_own_is_an_error_that_names_it(trio, hrv):
    model, steered = adjusted(trio.model, prompt(trio), hrv)
    model.model_options["sampler_calc_cond_batch_function"] = own_calc_cond_batch
    with pytest.raises(HRVError, match="no model call of this run came by.*own_calc_cond_batch"):
        trio.sample(model, steered, trio.encode(""))
    untagged = trio.encode("x")
    plain = trio.model.clone()
    plain.model_options["sampler_calc_cond_batch_function"] = own_calc_cond_batch
    ours = trio.sample(model, untagged, trio.encode(""))
    assert torch.equal(ours, trio.sample(plain, untagged, trio.encode("")))


def test_a_guider_that_calls_the_model_by_itself_is_an_error_that_names_it(trio, hrv):
    model, steered = adjusted(trio.model, prompt(trio), hrv)
    guider = OwnGuider(model)
    guider.set_conds(steered, trio.encode(""))
    with pytest.raises(HRVError, match="no model call of this run came by.*OwnGuider"):
        guided(guider)
    model, positive, latent = edited(trio)
    guider = OwnGuider(model)
    guider.set_conds(positive, trio.encode(""))
    with pytest.raises(HRVError, match="OwnGuider"):
        guided(guider, latent=latent)


# Where a receipt is shown


class Server:
    """Stands in for the host's server."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, str]] = []

    def send_progress_text(self, text: str, node_id: str) -> None:
        self.sent.append((node_id, text))


def test_the_nodes_that_made_a_model_show_its_receipt_after_every_run(trio, hrv, monkeypatch):
    with CurrentNodeContext("a prompt", "5"):
        model, positive = adjusted(trio.model, prompt(trio), hrv)
    with CurrentNodeContext("a prompt", "7"):
        model, positive = adjusted(model, positive, hrv)
    with CurrentNodeContext("a prompt", "9:2"):
        model, positive = HRVStructuredDiffusion.execute(model, positive, trio.clip, "lavender color", RULES).args
    trio.sample(model, positive, trio.encode(""))  # no server: nothing to show it on
    server = Server()
    module = types.SimpleNamespace(PromptServer=types.SimpleNamespace(instance=server))
    monkeypatch.setitem(sys.modules, "server", module)
    trio.sample(model, positive, trio.encode(""), batch=2)
    counted = "10 of 10 layers, 2 of 2 steps, 40 rows in 20 attention calls"
    steering = f"HRV steering: {counted}"
    assert server.sent == [("5", steering), ("7", steering), ("9:2", f"HRV Structured Diffusion: {counted}")]
    trio.sample(trio.model, prompt(trio), trio.encode(""))
    assert len(server.sent) == 3


def test_receipts_belong_to_the_model_that_was_sampled_and_to_its_last_run(trio, hrv):
    first, steered = adjusted(trio.model, prompt(trio), hrv)
    second, twice = adjusted(first, steered, hrv)
    assert receipts_of(trio.model) is None and receipts_of(second) is None
    trio.sample(second, twice, trio.encode(""), batch=2)
    assert receipts_of(first) is None and "40 rows" in lines(second)[0]
    trio.sample(second, twice, trio.encode(""))
    assert "20 rows" in lines(second)[0] and len(lines(second)) == 1
    after = second.clone()  # a LoRA behind the node, say
    trio.sample(after, twice, trio.encode(""), batch=3)
    assert "60 rows" in lines(second)[0] and "60 rows" in lines(after)[0]
    assert second.get_attachment(CORE) is not None


def test_a_receipt_stays_after_a_run_that_was_cancelled(trio, hrv):
    model, steered = adjusted(trio.model, prompt(trio), hrv)

    def stop(*_: Any) -> None:
        raise RuntimeError("cancelled")

    latent = nodes.EmptyLatentImage().generate(64, 64, 1)[0]["samples"]
    sampler = comfy.samplers.KSampler(model, 4, model.load_device, "euler", "normal", model_options=model.model_options)
    with pytest.raises(RuntimeError, match="cancelled"):
        sampler.sample(
            torch.randn_like(latent), steered, trio.encode(""), 5.0, latent, callback=stop, disable_pbar=True
        )
    assert lines(model) == ["HRV steering: 10 of 10 layers, 1 of 4 steps, 10 rows in 10 attention calls"]


def test_prompts_of_the_text_encode_node_leave_no_receipt_on_a_plain_model(trio):
    trio.sample(trio.model, HRVPrompt.execute(trio.clip, "x").args[0], trio.encode(""))
    assert receipts_of(trio.model) is None
