"""Live bytes: views are free, what is gone is not counted, meta tensors count as real ones do."""

from __future__ import annotations

import pytest
import torch

from comfyui_hrv.tests.benchmarks.live_bytes import LiveBytes, fused_attention


def test_the_peak_is_of_what_lives_at_one_moment_and_views_are_free():
    with LiveBytes() as counted:
        first = torch.zeros(1000)
        second = first[10:20].view(2, 5).t() + 1
        assert counted.held == 4000 + 40
        del first, second
        torch.zeros(500)
    assert (counted.held, counted.peak) == (0, 4040)


@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_what_autograd_keeps_is_counted_until_the_gradient_is_taken(device):
    x = torch.zeros(100, device=device, requires_grad=True)
    with LiveBytes() as counted:
        y = x.exp().sin()  # keeps the output of exp, which is the input of sin
        assert counted.held == 800
        (gradient,) = torch.autograd.grad(y, x, torch.ones(100, device=device))
        del y
        assert counted.held == gradient.nbytes


def test_a_number_read_from_a_meta_tensor_is_one_and_others_follow_it_there():
    with LiveBytes():
        x = torch.zeros(3, device="meta") + torch.ones(3)
        assert x.is_meta and float(x.sum()) == 1 and bool(x.isfinite().all())


def test_fused_attention_on_meta_tensors_keeps_no_map():
    query, key, value = (torch.zeros(1, 2, 64, 8, device="meta", dtype=torch.float16) for _ in range(3))
    query.requires_grad_()
    with fused_attention(), LiveBytes() as counted:
        output = torch.nn.functional.scaled_dot_product_attention(query, key, value)
    assert counted.peak < output.nbytes * 3 < 2 * 64 * 64 * 2
