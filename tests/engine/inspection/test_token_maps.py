"""Token maps without a model: indicator values, averages over heads, sizes, images."""

import numpy as np
import pytest
import torch

from comfyui_hrv.tests.engine.examples import small_layout
from hrv_engine.attention.downsampling import level_size
from hrv_engine.attention.heads import parse_heads
from hrv_engine.attention.values import attention_map, indicator_values, split_heads
from hrv_engine.errors import HRVError
from hrv_engine.figures.sheets import tiles
from hrv_engine.figures.token_map import overlaid
from hrv_engine.inspection.token_maps import TokenMaps, mean_weights, peaked, views
from hrv_engine.tables import as_csv


def maps(images=2, words=("star", "desert")) -> TokenMaps:
    generator = torch.Generator().manual_seed(0)
    layers = [torch.rand(images, len(words), heads, s, s, generator=generator) for heads, s in ((2, 8), (4, 4), (2, 8))]
    return TokenMaps("a star in the desert", tuple(words), small_layout(), tuple(layers))


def test_attention_over_indicator_values_gives_the_columns_of_the_map():
    query, key = torch.randn(2, 9, 12), torch.randn(2, 7, 12)
    groups = [[1], [2, 5], [0, 3, 4, 6]]
    weights = attention_map(query, key, 3)
    found = weights @ indicator_values(groups, split_heads(key, 3))
    for number, columns in enumerate(groups):
        torch.testing.assert_close(found[..., number], weights[..., columns].sum(-1))


@pytest.mark.parametrize(
    "pixels, latent, size",
    [(4096, (64, 64), (64, 64)), (6, (9, 5), (3, 2)), (4 * 3, (13, 9), (4, 3)), (96 * 64, (96, 64), (96, 64))],
)
def test_the_size_of_a_layer_follows_from_halving_the_latent_rounding_up(pixels, latent, size):
    assert level_size(pixels, *latent) == size


def test_a_layer_that_is_no_halving_of_the_latent_is_an_error():
    with pytest.raises(ValueError, match="no halving"):
        level_size(100, 64, 64)


def test_the_mean_over_one_layer_is_the_mean_of_its_heads_maps():
    recorded = maps()
    only_first = recorded.weighted(mean_weights(recorded.layout, slice(0, 2)))
    torch.testing.assert_close(only_first, recorded.layers[0].mean(2))


def test_weights_add_up_over_layers_of_different_sizes():
    recorded = maps()
    weights = np.arange(8, dtype=np.float32)
    parts = [np.where(np.arange(8) // 2 == part, weights, 0) for part in range(4)]
    torch.testing.assert_close(recorded.weighted(weights), sum(recorded.weighted(part) for part in parts))


def test_views_come_image_by_image_and_word_by_word_with_their_numbers():
    shown = views(maps(), ["desert"], {"all heads": mean_weights(small_layout(), slice(None))})
    assert [(view.image, view.word) for view in shown] == [(0, "desert"), (1, "desert")]
    row = shown[1].row()
    y, x = np.unravel_index(int(shown[1].map.argmax()), (8, 8))
    assert (row["peak_x"], row["peak_y"]) == ((x + 0.5) / 8, (y + 0.5) / 8)
    assert as_csv([one.row() for one in shown]).splitlines()[2].startswith("1,desert,all heads,")


def test_an_almost_constant_map_stays_dark_and_others_span_everything():
    flat, steep = torch.full((4, 4), 0.125), torch.linspace(0, 0.3, 16).view(4, 4)
    flat[0, 0] += 1e-4
    both = peaked(torch.stack([flat, steep]))
    assert both[0].max() < 0.05 and both[1].min() == 0 and both[1].max() == 1


def test_the_overlay_keeps_the_image_in_grey_where_it_is_transparent():
    picture = np.zeros((8, 8, 3), np.uint8)
    picture[2] = (90, 120, 150)
    seen = overlaid(picture, torch.rand(4, 4), (8, 8), 0.0)
    assert (seen[2] == 120).all() and (seen[3] == 0).all()
    alone = overlaid(None, torch.rand(4, 4), (8, 8), 0.3)
    assert alone.std() > 10


def test_tiles_keep_every_image_above_its_caption():
    pictures = np.stack([np.full((100, 100, 3), shade, np.uint8) for shade in (10, 60, 110)])
    drawn = tiles(pictures, ["one\n1 %", "two\n2 %", "three\n3 %"], columns=2)
    for shade, (row, column) in zip((10, 60, 110), ((0, 0), (0, 1), (1, 0)), strict=True):
        ys, xs = np.nonzero((drawn == shade).all(-1))
        assert np.ptp(ys) == np.ptp(xs) == 99
        assert (ys.min() > drawn.shape[0] / 2) == row and (xs.min() > drawn.shape[1] / 2) == column


@pytest.mark.parametrize(
    "text, heads", [("5", [5]), ("L2/h3, 0", [5, 0]), ("l2", [2, 3, 4, 5]), ("7,L3/h1", [7]), ("", [])]
)
def test_heads_are_read_as_indices_layer_and_head_or_whole_layers(text, heads):
    assert parse_heads(text, small_layout()) == heads


@pytest.mark.parametrize("text", ["8", "L4/h0", "L0", "L1/h2", "head 3", "-1", "9" * 5000, "L" + "9" * 5000])
def test_heads_that_do_not_exist_are_quoted_with_the_legal_forms(text):
    with pytest.raises(HRVError, match="There is no head .*0 to 7.*L1/h0"):
        parse_heads(text, small_layout())


def test_an_unrecorded_word_is_refused_with_those_that_were():
    with pytest.raises(HRVError, match='"dog".*Recorded: star, desert'):
        maps().word("dog")
