"""Gradients of losses on attention maps through a real UNet in inference mode: right, cheap, and without a trace."""

from __future__ import annotations

import contextlib

import comfy.ldm.modules.attention as host_attention
import comfy.sampler_helpers
import comfy.samplers
import numpy as np
import pytest
import torch
from comfy.patcher_extension import WrappersMP

from comfyui_hrv.hrv_engine.attention.values import attention_map
from comfyui_hrv.hrv_engine.errors import HRVError
from comfyui_hrv.hrv_engine.guidance.descent import Schedule
from comfyui_hrv.hrv_engine.guidance.latent_guidance import Guidance
from comfyui_hrv.hrv_engine.guidance.losses import Binding, MaxActivation
from comfyui_hrv.hrv_engine.guidance.readings import Reading, mean_reading, relevance_reading
from comfyui_hrv.nodes.host import gradients
from comfyui_hrv.nodes.host.families.unet_layers import downsampling
from comfyui_hrv.nodes.host.gradients import READER, MapReader, loss_and_gradient
from comfyui_hrv.nodes.host.guidance import guided
from comfyui_hrv.nodes.host.ordinary_weights import OrdinaryWeights
from comfyui_hrv.nodes.host.unet import layout_of
from comfyui_hrv.nodes.prompt import HRVPrompt

from ..explicit import relative
from ..tiny import Trio, tiny_sdxl, tiny_trio

pytestmark = pytest.mark.usefixtures("inference_mode")
TEXT = "a cat and a dog"
SUBJECTS = ((2,), (5,))
SHARPNESS = 10.0  # random maps are flat


@pytest.fixture(scope="module", params=[tiny_trio, tiny_sdxl], ids=["sd15", "sdxl"])
def trio(request) -> Trio:
    with torch.inference_mode():
        return request.param()


def readings(trio: Trio) -> dict[str, Reading]:
    layout = layout_of(trio.model)
    rows = np.random.default_rng(0).random((2, layout.total)).astype(np.float32)
    return {
        "mean": mean_reading(layout, downsampling(trio.model.model.diffusion_model)),
        "relevance": relevance_reading(layout, list(rows)),
    }


class Stage:
    """A model ready for single UNet calls, as a guider has it inside a step."""

    def __init__(self, trio: Trio, images: int = 1, size: int = 16) -> None:
        self.model = guided(trio.model)
        guider = comfy.samplers.CFGGuider(self.model)
        guider.set_conds(HRVPrompt.execute(trio.clip, TEXT).args[0], trio.encode(""))
        self.x = torch.randn(images, 4, size, size, generator=torch.Generator().manual_seed(4)) * 3
        conds = {name: [one.copy() for one in several] for name, several in guider.original_conds.items()}
        self.inner, conds, _ = comfy.sampler_helpers.prepare_sampling(
            self.model, self.x.shape, conds, self.model.model_options
        )
        self.options = comfy.model_patcher.create_model_options_clone(self.model.model_options)
        comfy.sampler_helpers.prepare_model_patcher(self.model, conds, self.options)
        self.conds = comfy.samplers.process_conds(self.inner, self.x, conds, self.x.device, seed=1)
        self.model.pre_run()
        self.sigma = torch.full((images,), 3.0)

    def measure(self, guidance: Guidance, x: torch.Tensor | None = None, options: dict | None = None):
        cond, x = self.conds["positive"][0], self.x if x is None else x
        return loss_and_gradient(guidance, self.inner, cond, x, self.sigma[: len(x)], options or self.options)


def guidance(reading: Reading, loss=None, **settings) -> Guidance:
    loss = loss or MaxActivation(SUBJECTS, sharpness=SHARPNESS)
    return Guidance("test", loss, reading, Schedule(1), **settings)


@pytest.mark.parametrize("kind", ["mean", "relevance"])
@pytest.mark.parametrize("loss", ["excite", "bind"])
def test_gradients_equal_finite_differences(trio, kind, loss):
    chosen = {
        "excite": MaxActivation(SUBJECTS, rivals=(1, 2, 3, 4, 5)),
        "bind": Binding((((1,), (2,)), ((4,), (5,))), (1, 2, 3, 4, 5)),
    }
    asked, stage = guidance(readings(trio)[kind], chosen[loss]), Stage(trio)
    _, gradient = stage.measure(asked)
    direction = gradient / gradient.norm()
    slope = float((gradient * direction).sum()) / (1 + 3.0**2)  # of x itself, not of the scaled latent
    step = 5e-2
    ahead, back = (float(stage.measure(asked, stage.x + sign * step * direction)[0]) for sign in (1, -1))
    assert (ahead - back) / (2 * step) == pytest.approx(slope, rel=1e-2)
    other = torch.randn(gradient.shape, generator=torch.Generator().manual_seed(8))
    other = other / other.norm() + 0.3 * direction
    ahead, back = (float(stage.measure(asked, stage.x + sign * step * other)[0]) for sign in (1, -1))
    assert (ahead - back) / (2 * step) == pytest.approx(float((gradient * other).sum()) / 10, rel=2e-2)


@pytest.mark.parametrize("kind", ["mean", "relevance"])
def test_one_small_step_lowers_the_loss_of_every_image(trio, kind):
    for loss in (MaxActivation(SUBJECTS, rivals=(1, 2, 3, 4, 5)), Binding((((1,), (2,)),), (1, 2, 3, 4, 5))):
        asked, stage = guidance(readings(trio)[kind], loss), Stage(trio, images=3)
        before, gradient = stage.measure(asked)
        step = 0.2 * gradient / gradient.flatten(1).norm(dim=1).view(-1, 1, 1, 1)
        assert (stage.measure(asked, stage.x - step)[0] < before).all()


def explicit_loss(stage: Stage, trio: Trio, x: torch.Tensor) -> torch.Tensor:
    """The original aggregation with every map kept and the whole UNet run; differentiable in x."""
    maps, pixels = [], (x.shape[-1] // 2) ** 2

    def keep(q, k, v, options):
        if q.shape[1] == pixels:
            maps.append(attention_map(q, k, options["n_heads"]))
        return host_attention.attention_pytorch(q, k, v, options["n_heads"])

    options = comfy.model_patcher.create_model_options_clone(stage.options)
    replace = {site.key: keep for site in layout_of(trio.model).sites}
    options["transformer_options"]["patches_replace"] = {"attn2": replace}
    cond = gradients.without_inference(stage.conds["positive"][0])
    comfy.samplers.calc_cond_batch(stage.inner, [[cond]], x, stage.sigma[: len(x)].clone(), options)
    mean = torch.cat(maps, dim=1).mean(dim=1)  # [images pixels tokens]
    side = x.shape[-1] // 2
    return MaxActivation(SUBJECTS, sharpness=SHARPNESS)(mean.transpose(1, 2).unflatten(-1, (side, side))[None])


def test_loss_and_gradient_are_those_of_the_original_aggregation_without_early_exit(trio):
    stage = Stage(trio, images=2)
    loss, gradient = stage.measure(guidance(readings(trio)["mean"]))
    with OrdinaryWeights(stage.inner).in_place():
        x = stage.x.clone().requires_grad_(True)
        expected = explicit_loss(stage, trio, x)
        (slope,) = torch.autograd.grad(expected.sum(), x)
    assert torch.allclose(loss, expected.detach(), atol=1e-6)
    assert relative(gradient, slope * (1 + 3.0**2)) <= 1e-4  # a move of the scaled latent


def test_relevance_of_one_on_the_same_layers_is_the_plain_mean(trio):
    mean = readings(trio)["mean"]
    ones = relevance_reading(mean.layout, [np.where(mean.weights[0] > 0, mean.layout.total * mean.weights[0], 0)] * 2)
    stage = Stage(trio, size=8)  # maps of 4x4 in both
    for a, b in zip(stage.measure(guidance(mean)), stage.measure(guidance(ones)), strict=True):
        assert relative(a, b) <= 1e-5


def test_the_unet_stops_after_the_last_layer_that_is_read_and_the_negative_is_not_run(trio):
    stage, calls = Stage(trio), []
    last = readings(trio)["mean"].sites[-1]

    def watch(executor, *args, **kwargs):
        calls.append((args[5]["cond_or_uncond"], args[0].shape[0]))
        return executor(*args, **kwargs)

    def seen(query, key, value, options):
        calls.append((*options["block"], options["block_index"]))
        return host_attention.attention_pytorch(query, key, value, options["n_heads"])

    options = comfy.model_patcher.create_model_options_clone(stage.options)
    wrappers = options["transformer_options"]["wrappers"].setdefault(WrappersMP.DIFFUSION_MODEL, {})
    wrappers["watch"] = [watch]
    sites = layout_of(trio.model).sites
    options["transformer_options"]["patches_replace"] = {"attn2": {site.key: seen for site in sites}}
    stage.measure(guidance(readings(trio)["mean"]), options=options)
    keys = [site.key for site in sites]
    assert calls[0] == ([0], 1)
    assert calls[1:] == keys[: keys.index(last)]  # in the last one the map is read, and nothing runs any more


@pytest.mark.parametrize("kind", ["mean", "relevance"])
def test_what_is_computed_again_gives_the_same_bits_and_keeps_less(trio, kind, monkeypatch):
    stage, kept, found = Stage(trio), {}, {}

    def count(economy: str):
        seen: dict[int, int] = {}
        loss = MaxActivation(SUBJECTS, sharpness=SHARPNESS)

        def after_the_forward_pass(maps: torch.Tensor) -> torch.Tensor:
            kept[economy] = sum(seen.values())
            return loss(maps)

        weights = {p.untyped_storage().data_ptr() for p in stage.inner.parameters()}

        def pack(tensor):
            storage = tensor.untyped_storage()
            if storage.data_ptr() not in weights:
                seen[storage.data_ptr()] = storage.nbytes()
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            asked = guidance(readings(trio)[kind], after_the_forward_pass, recompute=economy == "all")
            found[economy] = stage.measure(asked)

    count("gates")
    count("all")
    monkeypatch.setattr(gradients.Checkpoints, "in_place", lambda checkpoints: contextlib.nullcontext())
    count("nothing")
    for loss, gradient in found.values():
        assert torch.equal(loss, found["nothing"][0]) and torch.equal(gradient, found["nothing"][1])
    assert kept["gates"] < 0.95 * kept["nothing"] and kept["all"] < 0.6 * kept["nothing"]


def test_weights_are_untouched_and_still_inference_tensors_afterwards_even_after_a_failure(trio):
    stage = Stage(trio)
    before = {name: (id(p), p.clone()) for name, p in stage.inner.named_parameters()}

    def check():
        for name, parameter in stage.inner.named_parameters():
            assert id(parameter) == before[name][0] and parameter.is_inference()
            assert torch.equal(parameter, before[name][1])
        assert not [module for module in stage.inner.modules() if "forward" in module.__dict__]

    for recompute in (False, True):
        stage.measure(guidance(readings(trio)["mean"], recompute=recompute))
        check()

    def broken(maps):
        raise ValueError("on purpose")

    with pytest.raises(ValueError, match="on purpose"):
        stage.measure(guidance(readings(trio)["mean"], broken, recompute=True))
    check()


def test_an_error_inside_the_unet_is_not_swallowed_by_the_early_end(trio, monkeypatch):
    def fail(*_):
        raise ZeroDivisionError

    monkeypatch.setattr(MapReader, "__call__", fail)
    with pytest.raises(ZeroDivisionError):
        Stage(trio).measure(guidance(readings(trio)["mean"]))


def test_the_users_attention_backend_need_not_be_differentiable(trio):
    stage = Stage(trio)
    options = comfy.model_patcher.create_model_options_clone(stage.options)

    def sage(func, q, k, v, heads, **kwargs):
        raise AssertionError("has no gradient")

    options["transformer_options"]["optimized_attention_override"] = sage
    asked = guidance(readings(trio)["mean"])
    assert torch.equal(stage.measure(asked, options=options)[1], stage.measure(asked)[1])


def test_a_patch_with_weights_of_its_own_that_has_no_gradient_is_named_as_the_reason(trio):
    stage, own = Stage(trio), torch.ones(1)  # an inference tensor
    options = comfy.model_patcher.create_model_options_clone(stage.options)
    options["transformer_options"]["patches"] = {"attn1_output_patch": [lambda n, extra: n * own]}
    with pytest.raises(HRVError, match="no path for a gradient.*another node's patch"):
        stage.measure(guidance(readings(trio)["mean"]), options=options)


@pytest.mark.parametrize(
    "words",
    ["Trying to backward through pack.kernel.default but no autograd formula was registered", "the derivative for 'x'"],
)
def test_a_kernel_of_another_pack_that_has_no_gradient_is_named_as_the_reason(words):
    error = gradients.no_path(RuntimeError(words))
    assert isinstance(error, HRVError) and words in str(error) and "Take that patch" in str(error)
    other = RuntimeError("shapes cannot be multiplied")
    assert gradients.no_path(other) is other


@pytest.mark.parametrize("dtype, likeness", [(torch.bfloat16, 0.97), (torch.float16, 0.99)])
def test_half_precision_models_give_nearly_the_same_gradient(trio, dtype, likeness):
    exact = Stage(trio).measure(guidance(readings(trio)["mean"]))
    half = Stage(trio)
    weights = {name: p for name, p in half.inner.diffusion_model.state_dict().items()}
    try:
        half.inner.diffusion_model.to(dtype)
        half.inner.diffusion_model.dtype = dtype
        half.inner.manual_cast_dtype = None
        loss, gradient = half.measure(guidance(readings(trio)["mean"]))
    finally:
        half.inner.diffusion_model.to(torch.float32).dtype = torch.float32
        half.inner.diffusion_model.load_state_dict(weights)
    assert loss.dtype == torch.float32
    assert float(loss) == pytest.approx(float(exact[0]), abs=0.02)
    assert float(torch.cosine_similarity(gradient.flatten(), exact[1].flatten(), dim=0)) > likeness


def test_the_levels_found_in_the_unet_are_the_sizes_its_layers_have(trio):
    stage, sizes = Stage(trio), {}
    levels = downsampling(trio.model.model.diffusion_model)

    def note(q, k, v, options):
        sizes[(*options["block"], options["block_index"])] = q.shape[1]
        return host_attention.optimized_attention(q, k, v, options["n_heads"])

    options = comfy.model_patcher.create_model_options_clone(stage.options)
    options["transformer_options"]["patches_replace"] = {"attn2": {block: note for block in levels}}
    comfy.samplers.calc_cond_batch(stage.inner, [stage.conds["positive"]], stage.x, stage.sigma, options)
    assert {block: (16 // level) ** 2 for block, level in levels.items()} == sizes


def test_reader_options_do_not_leak_into_the_options_of_the_run(trio):
    stage = Stage(trio)
    stage.measure(guidance(readings(trio)["mean"]))
    assert READER not in stage.options["transformer_options"]
    assert "optimized_attention_override" not in stage.options["transformer_options"]
