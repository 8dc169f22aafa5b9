"""Aliases of inference weights: made once, on the same storage, put back, and made again for exchanged weights."""

from __future__ import annotations

import comfy.model_management
import pytest
import torch

from comfyui_hrv.nodes.host.ordinary_weights import OrdinaryWeights


@pytest.fixture
def layer():
    with torch.inference_mode():
        return torch.nn.Linear(2, 2)


def test_a_gradient_passes_and_the_hosts_own_weights_come_back(layer):
    weights, before = OrdinaryWeights(layer), layer.weight
    with torch.inference_mode(), weights.in_place():
        x = torch.ones(1, 2, requires_grad=True)
        assert comfy.model_management.in_training
        assert layer.weight.untyped_storage().data_ptr() == before.untyped_storage().data_ptr()
        (gradient,) = torch.autograd.grad(layer(x).sum(), x)
    torch.testing.assert_close(gradient, before.sum(dim=0, keepdim=True))
    assert layer.weight is before and not comfy.model_management.in_training


def test_aliases_are_made_once_and_again_when_a_weight_was_exchanged(layer):
    weights, used = OrdinaryWeights(layer), []
    for _ in range(2):
        with weights.in_place():
            used.append(layer.weight)
    assert used[0] is used[1]
    with torch.inference_mode():
        layer.weight = torch.nn.Parameter(torch.ones(2, 2), requires_grad=False)
    with weights.in_place():
        assert layer.weight.equal(torch.ones(2, 2)) and not layer.weight.is_inference()


def test_an_error_inside_puts_them_back_too(layer):
    before = layer.weight
    with pytest.raises(ZeroDivisionError), OrdinaryWeights(layer).in_place():
        raise ZeroDivisionError
    assert layer.weight is before and not comfy.model_management.in_training
