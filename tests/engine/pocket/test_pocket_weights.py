"""Weights in eight bits: within half a step of the channel's scale, and read like those in sixteen."""

from __future__ import annotations

import pytest
import torch
from safetensors.torch import save_file

from hrv_engine.pocket.weights import LARGEST, quantized, read_weights, restored, write_weights

WEIGHTS = {"conv.weight": torch.randn(6, 3, 3, 3) * torch.logspace(-3, 1, 6)[:, None, None, None]}
WEIGHTS |= {"linear.weight": torch.randn(5, 8), "linear.bias": torch.randn(5)}


@pytest.mark.parametrize("name", ["conv.weight", "linear.weight"])
def test_a_weight_comes_back_within_half_a_step_of_its_channel(name):
    weight = WEIGHTS[name]
    whole, scale = quantized(weight)
    assert whole.dtype == torch.int8 and whole.shape == weight.shape
    error = (restored(whole, scale) - weight).abs().flatten(1).amax(1)
    assert (error <= 0.5001 * scale).all()
    torch.testing.assert_close(scale, weight.abs().flatten(1).amax(1) / LARGEST)


def test_what_is_quantized_already_comes_back_as_it_is():
    once = restored(*quantized(WEIGHTS["conv.weight"]))
    torch.testing.assert_close(restored(*quantized(once)), once, rtol=1e-6, atol=0)


def test_a_channel_of_zeros_stays_zero():
    whole, scale = quantized(torch.zeros(2, 4))
    assert torch.equal(restored(whole, scale), torch.zeros(2, 4))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_a_file_gives_names_shapes_and_metadata_back(tmp_path, dtype):
    write_weights(tmp_path / "w.safetensors", WEIGHTS, {"pocket": "{}"})
    weights, metadata = read_weights(tmp_path / "w.safetensors", dtype)
    assert metadata == {"pocket": "{}"}
    assert {name: value.shape for name, value in weights.items()} == {k: v.shape for k, v in WEIGHTS.items()}
    assert {value.dtype for value in weights.values()} == {dtype}
    torch.testing.assert_close(weights["linear.bias"].float(), WEIGHTS["linear.bias"], rtol=1e-3, atol=1e-3)


def test_a_file_in_sixteen_bits_is_read_too(tmp_path):
    save_file({name: value.half() for name, value in WEIGHTS.items()}, str(tmp_path / "w.safetensors"))
    weights, metadata = read_weights(tmp_path / "w.safetensors")
    assert metadata == {}
    for name, value in WEIGHTS.items():
        assert torch.equal(weights[name], value.half().float())
