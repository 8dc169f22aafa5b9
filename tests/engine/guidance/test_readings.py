"""Which layers a loss reads and at what resolution: derived from the latent's size, never listed."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional

from hrv_engine.attention.values import attention_map
from hrv_engine.guidance.readings import AddedMaps, bicubic, mean_reading, relevance_reading, resampled

from ..examples import sd1_layout, sdxl_layout, small_layout

SD1_LEVELS = {"input": (1, 1, 1, 1, 2, 2, 4, 4, 4), "output": (8, 8, 8, 4, 4, 4, 2, 2, 2, 1, 1, 1)}


def sd1_downsampling() -> dict:
    layout = sd1_layout()
    downsampling = {site.key: 8 for site in layout.sites if site.key[0] == "middle"}
    return downsampling | {b: SD1_LEVELS[b[0]][b[1]] for b in (site.key for site in layout.sites) if b[0] != "middle"}


def sdxl_downsampling() -> dict:
    fine = {("input", 4), ("input", 5), ("output", 3), ("output", 4), ("output", 5)}
    return {site.key: 2 if site.key[:2] in fine else 4 for site in sdxl_layout().sites}


def test_on_sd1_the_mean_reads_the_five_layers_of_16x16_at_512_pixels():
    reading = mean_reading(sd1_layout(), sd1_downsampling())
    assert [b[:2] for b in reading.sites] == [("input", 7), ("input", 8), *(("output", i) for i in (3, 4, 5))]
    assert reading.size(64, 64) == (16, 16)
    assert reading.size(96, 64) == (24, 16)
    assert np.count_nonzero(reading.weights) == 40 and reading.weights.sum() == pytest.approx(1)


def test_on_sdxl_the_mean_reads_the_quarter_size_layers_and_the_unet_may_stop_after_output_2():
    reading = mean_reading(sdxl_layout(), sdxl_downsampling())
    assert reading.size(128, 128) == (32, 32)
    assert reading.sites[-1] == ("output", 2, 9)
    assert len(reading.sites) == 60


def test_a_unet_that_never_comes_down_to_a_quarter_is_read_at_its_next_finer_layers():
    downsampling = {("input", 1, 0): 1, ("middle", 0, 0): 2, ("output", 2, 1): 1}
    reading = mean_reading(small_layout(), downsampling)
    assert reading.sites == [("middle", 0, 0)] and reading.size(8, 8) == (4, 4)


def test_with_relevance_all_heads_are_read_at_an_eighth_but_not_below_four_pixels():
    row = np.arange(128, dtype=np.float32)
    reading = relevance_reading(sd1_layout(), [row, np.ones(128, np.float32)])
    assert reading.weights.shape == (2, 128) and reading.weights[1].sum() == pytest.approx(1)
    assert len(reading.sites) == 16
    assert reading.size(64, 64) == (8, 8) and reading.size(128, 128) == (16, 16)
    assert reading.size(65, 65) == (9, 9) and reading.size(8, 8) == (4, 4) and reading.size(16, 32) == (4, 8)


def test_relevance_of_one_on_the_quarter_size_layers_is_the_plain_mean():
    mean = mean_reading(sd1_layout(), sd1_downsampling())
    ones = relevance_reading(sd1_layout(), [np.where(mean.weights[0] > 0, 128 / 40, 0)])
    assert np.allclose(ones.weights, mean.weights) and ones.sites == mean.sites


def test_layers_with_a_negligible_share_of_every_rows_relevance_are_left_out_and_the_share_is_told():
    layout = sd1_layout()
    rows = np.ones((2, 128), np.float32)
    rows[0, :8] = rows[1, 8:16] = rows[:, 120:] = 0.01  # only the last layer is negligible for both rows
    reading = relevance_reading(layout, list(rows), left_out=0.05)
    assert layout.sites[-1].key not in reading.sites and len(reading.sites) == 15
    share = 0.08 / rows.sum(axis=1)
    assert reading.left_out == pytest.approx(share.max(), rel=1e-5)
    assert np.allclose(reading.weights[:, :120], rows[:, :120] / 128 / (1 - share)[:, None])
    everything = relevance_reading(layout, list(rows))
    assert len(everything.sites) == 16 and everything.left_out == 0
    assert np.allclose(reading.weights.sum(axis=1), everything.weights.sum(axis=1))


@pytest.mark.parametrize("left_out", [0.0, 0.05, 0.5])
def test_never_more_than_the_share_asked_for_is_left_out_of_any_row(left_out):
    rows = np.random.default_rng(1).standard_normal((3, 128)).astype(np.float32) ** 3  # of both signs, by effect
    reading, layout = relevance_reading(sd1_layout(), list(rows), left_out), sd1_layout()
    gone = [layout.head_range(site.key) for site in layout.sites if site.key not in reading.sites]
    lost = sum(np.abs(rows[:, heads]).sum(axis=1) for heads in gone) / np.abs(rows).sum(axis=1)
    assert np.max(lost) == pytest.approx(reading.left_out, abs=1e-6) and reading.left_out <= left_out
    assert bool(gone) == (left_out > 0)


@pytest.mark.parametrize("side, kernel, deviation", [(64, 9, 1.7), (32, 5, 1.1), (16, 3, 0.8)])
def test_larger_maps_are_blurred_as_the_authors_do_and_then_shrunk_bicubically(side, kernel, deviation):
    maps = torch.rand(1, 2, side, side, generator=torch.Generator().manual_seed(side))
    offsets = torch.arange(kernel) - kernel // 2
    weights = torch.exp(-(offsets**2) / (2 * deviation**2))
    square = torch.outer(weights, weights) / weights.sum() ** 2
    padded = functional.pad(maps, [kernel // 2] * 4, mode="reflect")
    expected = functional.conv2d(padded, square.repeat(2, 1, 1, 1), groups=2)
    expected = functional.interpolate(expected, size=(8, 8), mode="bicubic", align_corners=False)
    assert torch.allclose(resampled(maps, (8, 8)), expected, atol=1e-5)


def test_maps_of_the_wanted_size_are_not_touched_and_smaller_ones_are_enlarged():
    maps = torch.rand(1, 1, 8, 8)
    assert resampled(maps, (8, 8)) is maps
    larger = resampled(maps, (16, 16))
    torch.testing.assert_close(larger, bicubic(maps, (16, 16)), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("size, new", [((8, 8), (16, 16)), ((5, 9), (10, 18)), ((1, 3), (2, 6)), ((9, 9), (8, 8))])
def test_resampling_as_a_product_equals_bicubic_interpolation_and_so_does_its_gradient(size, new):
    maps = torch.rand(2, 3, *size, generator=torch.Generator().manual_seed(0), dtype=torch.float64, requires_grad=True)
    weights = torch.rand(2, 3, *new, dtype=torch.float64)
    gradients = []
    for resample in (bicubic, resampled):
        found = resample(maps, new)
        torch.testing.assert_close(found, bicubic(maps, new))
        gradients.append(torch.autograd.grad((found * weights).sum(), maps)[0])
    torch.testing.assert_close(*gradients)


def test_added_maps_and_their_gradient_are_those_of_the_explicit_softmax():
    generator = torch.Generator().manual_seed(3)
    total, query, key = (torch.randn(*shape, generator=generator) for shape in ((2, 3, 30), (2, 6, 8), (2, 5, 8)))
    weights, slope = torch.rand(3, 4, generator=generator), torch.randn(2, 3, 30, generator=generator)
    found = []
    for add in (AddedMaps.apply, explicit_sum):
        inputs = total.clone().requires_grad_(), query.clone().requires_grad_()
        added = add(*inputs, key, weights)
        found.append((added.detach(), *torch.autograd.grad((added * slope).sum(), inputs)))
    for ours, theirs in zip(*found, strict=True):
        torch.testing.assert_close(ours, theirs)


def explicit_sum(total: torch.Tensor, query: torch.Tensor, key: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    maps = attention_map(query, key, weights.shape[1])
    return total + torch.einsum("bhpt,sh->sbpt", maps, weights).transpose(0, 1).flatten(2)


def test_added_maps_keep_no_map_for_the_gradient():
    kept = []
    query = torch.randn(1, 64, 8, requires_grad=True)
    with torch.autograd.graph.saved_tensors_hooks(lambda tensor: kept.append(tensor.numel()), lambda nothing: nothing):
        AddedMaps.apply(torch.zeros(1, 1, 64 * 77), query, torch.randn(1, 77, 8), torch.ones(1, 4))
    assert max(kept) <= 77 * 8
