"""On a compiled model HRV nodes act as on an eager one, run by run, whatever was compiled before."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from comfy_api.torch_helpers import set_torch_compile_wrapper
from comfy_extras.nodes_torch_compile import skip_torch_compile_dict

from comfyui_hrv.nodes.guidance.attend_excite import HRVAttendExcite
from comfyui_hrv.nodes.guidance.structured_diffusion import RULES, HRVStructuredDiffusion
from comfyui_hrv.nodes.host.control import receipts_of
from comfyui_hrv.nodes.see.token_maps import HRVTokenMaps
from comfyui_hrv.nodes.steering.adjust import HRVConceptAdjust
from comfyui_hrv.tests import skips

from ..explicit import relative
from ..tiny import UNET, Trio, tiny_trio
from .drawing import edited, images, prompt

pytestmark = pytest.mark.usefixtures("inference_mode")
PROMPT = "a red car"
SMALL = {"channel_mult": [1], "num_res_blocks": [1], "transformer_depth": [1], "transformer_depth_output": [1, 1]}
EXCITE = {
    "words": "red, car", "preset": "original", "concepts": "", "rivals": "words of the prompt", "sharpness": 30.0,
    "thresholds": "0:.9", "max_refinements": 1, "smoothing": True, "steps_to_alter": 2, "step_size": 300.0,
    "save_memory": False,
}  # fmt: skip


@pytest.fixture(scope="module")
def trio() -> Trio:
    """A UNet of one level: compiling takes seconds."""
    with torch.inference_mode():
        return tiny_trio(config=UNET | SMALL)


@pytest.fixture(autouse=True, scope="module")
def nothing_compiled() -> Iterator[None]:
    """Graphs are shared by the tests of this file, which take seconds to make, and by no others."""
    torch._dynamo.reset()
    yield
    torch._dynamo.reset()


def compiled(model: Any, backend: str = "eager", keys: list[str] | None = None) -> Any:
    """MODEL as core's TorchCompileModel makes it."""
    clone = model.clone(disable_dynamic=True)
    options = {"guard_filter_fn": skip_torch_compile_dict}
    set_torch_compile_wrapper(clone, backend=backend, options=options, keys=keys or ["diffusion_model"])
    return clone


def block_keys(trio: Trio) -> list[str]:
    """Every transformer block by name; the host's UNet asks its larger parts for their class."""
    parts = trio.model.model.named_modules()
    return [name for name, module in parts if type(module).__name__ == "BasicTransformerBlock"]


def adjusted(model: Any, positive: list, hrv: Any, word: str) -> tuple[Any, list]:
    settings = (word, "Color", "Plants", 2.0, 1.0, 1.0, 0, 0.0, 0.0, 1.0)
    return HRVConceptAdjust.execute(model, positive, hrv, *settings).args


def draw(trio: Trio, model: Any, positive: list, **settings) -> torch.Tensor:
    return trio.sample(model, positive, trio.encode(""), **settings)


def test_a_model_steered_before_it_ever_ran_plainly(trio, hrv):
    torch._dynamo.reset()
    positive = prompt(trio, PROMPT)
    expected = [draw(trio, *adjusted(trio.model, positive, hrv, "red")), draw(trio, trio.model, positive)]
    model, marked = adjusted(compiled(trio.model), positive, hrv, "red")
    assert torch.equal(draw(trio, model, marked), expected[0])
    assert torch.equal(draw(trio, model, positive), expected[1])
    assert torch.equal(draw(trio, model, marked), expected[0])
    plain = compiled(trio.model)  # without the node, and with the graph that was made for its plain runs
    assert torch.equal(draw(trio, plain, positive), expected[1])


@pytest.mark.parametrize("whole", [True, False], ids=["whole", "block by block"])
@pytest.mark.parametrize("order", ["compiled first", "compiled last"])
def test_plain_red_plain_car_and_red_again_are_their_eager_runs_bit_for_bit(trio, hrv, order, whole):
    keys = None if whole else block_keys(trio)
    positive = prompt(trio, PROMPT)
    steered = {word: adjusted(trio.model, positive, hrv, word) for word in ("red", "car")}
    expected = {word: draw(trio, *made) for word, made in steered.items()}
    expected["plain"] = draw(trio, trio.model, positive)
    base = compiled(trio.model, keys=keys)
    runs: dict[str, Callable[[], Any]] = {"plain": lambda: (base, positive)}
    for word, (model, marked) in steered.items():
        if order == "compiled first":
            made = adjusted(base, positive, hrv, word)
        else:
            made = compiled(model, keys=keys), marked
        runs[word] = lambda made=made: made
    for name in ("plain", "red", "plain", "car", "red", "plain"):
        assert torch.equal(draw(trio, *runs[name]()), expected[name]), name
    assert "4 of 4 layers, 2 of 2 steps" in receipts_of(runs["red"]()[0])[0]


def test_a_mask_in_the_options_of_compiled_blocks_of_the_host_is_no_ground_for_refusal(trio, hrv):
    positive = prompt(trio, PROMPT)
    model, marked = adjusted(compiled(trio.model, keys=block_keys(trio)), positive, hrv, "red")
    model.model_options["transformer_options"]["some_mask"] = torch.ones(1, 8, 8)
    assert torch.equal(draw(trio, model, marked), draw(trio, *adjusted(trio.model, positive, hrv, "red")))


def test_a_window_lets_the_other_steps_run_compiled(trio, hrv):
    """Steps outside the window run the graph: were it never used, nothing would be compiled at all."""
    calls: list[int] = []

    def counting(graph, _):
        def run(*args):
            calls.append(1)
            return graph(*args)

        return run

    positive = prompt(trio, PROMPT)
    settings = ("red", "Color", "Plants", 2.0, 1.0, 1.0, 0, 0.0, 0.0, 0.3)
    eager = HRVConceptAdjust.execute(trio.model, positive, hrv, *settings).args
    ours = HRVConceptAdjust.execute(compiled(trio.model, counting), positive, hrv, *settings).args
    assert torch.equal(draw(trio, *ours, steps=5), draw(trio, *eager, steps=5))
    part = len(calls)
    draw(trio, ours[0], positive, steps=5)
    whole = len(calls) - part
    assert part * 5 == whole * 3  # two of five steps are steered


@pytest.mark.parametrize("order", ["compiled first", "compiled last"])
def test_other_nodes_on_a_compiled_model_are_their_eager_runs(trio, hrv, order):
    def structured(model: Any) -> tuple[Any, list]:
        return HRVStructuredDiffusion.execute(model, prompt(trio, PROMPT), trio.clip, "red car", RULES).args

    def excited(model: Any) -> tuple[Any, list]:
        return HRVAttendExcite.execute(model, prompt(trio, PROMPT), **EXCITE).args

    base = compiled(trio.model)
    draw(trio, base, prompt(trio, PROMPT))
    for make in (structured, excited, lambda model: edited(trio, model)):
        ours = make(base) if order == "compiled first" else make(trio.model)
        model = ours[0] if order == "compiled first" else compiled(ours[0])
        eager, theirs, *rest = make(trio.model)
        latent = {"latent": rest[0]} if rest else {}
        expected = draw(trio, eager, theirs, **latent)
        assert torch.equal(draw(trio, model, ours[1], **latent), expected)
        assert relative(draw(trio, trio.model, ours[1], **latent), expected) > 1e-5


def test_token_maps_on_a_compiled_model_are_those_of_the_eager_one(trio):
    def recorded(model: Any) -> Any:
        settings = ("car", False, 1, 2, 5.0, "euler", "normal", 1.0, 0.0, 1.0)
        return HRVTokenMaps.execute(model, prompt(trio, PROMPT), trio.encode(""), images(2), *settings).args

    base = compiled(trio.model)
    latent, maps = recorded(base)
    expected_latent, expected = recorded(trio.model)
    assert torch.equal(latent["samples"], expected_latent["samples"])
    for ours, theirs in zip(maps.layers, expected.layers, strict=True):
        assert torch.equal(ours, theirs)


@pytest.mark.skipif(shutil.which("g++") is None, reason=skips.NO_COMPILER)
def test_with_inductor_a_plain_run_is_within_its_rounding_and_a_steered_one_exact(trio, hrv):
    """Of one block: the whole model takes minutes."""
    positive = prompt(trio, PROMPT)
    plain, red = draw(trio, trio.model, positive), draw(trio, *adjusted(trio.model, positive, hrv, "red"))
    base = compiled(trio.model, "inductor", block_keys(trio)[:1])
    model, marked = adjusted(base, positive, hrv, "red")
    rounded = draw(trio, base, positive)
    assert relative(rounded, plain) <= 1e-4
    assert torch.equal(draw(trio, model, marked), red)
    assert torch.equal(draw(trio, model, positive), rounded)
    assert torch.equal(draw(trio, model, marked), red)
