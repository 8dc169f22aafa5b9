"""Step windows, mixings and word values of paired branches; where layers stand in known UNets."""

import numpy as np
import pytest
import torch

from comfyui_hrv.nodes.host.families.unet_layers import downsampling
from hrv_engine.attention.downsampling import LIMITS, decoder_from_second_block, from_layer, small_maps, without_finest
from hrv_engine.attention.values import mix_values
from hrv_engine.editing.mapping import TokenMapping
from hrv_engine.editing.methods import free_prompt_editing, masactrl, plug_and_play, prompt_to_prompt
from hrv_engine.editing.paired_edit import CrossEdit, PairedEdit, StepWindow, step_number
from hrv_engine.errors import HRVError
from hrv_engine.text.word_values import parse_word_values, parse_word_windows


@pytest.mark.parametrize(
    "fraction, total, steps", [(0.8, 50, 40), (0.9, 50, 45), (0.4, 50, 20), (0.7, 10, 7), (1, 3, 3)]
)
def test_a_fraction_is_that_many_steps(fraction, total, steps):
    assert step_number(fraction, total) == steps
    assert [StepWindow(0, fraction).holds(step, total) for step in range(total)].count(True) == steps


def edit(**changes) -> CrossEdit:
    """Three target columns that read source columns 0, 1 and 1; the last one is new."""
    matrix = np.array([[1, 0, 0], [0, 1, 0]], np.float32)
    mapping = TokenMapping(matrix, np.array([True, True, False]), ())
    settings = {"windows": np.tile([0.0, 0.5], (3, 1)), "equalizer": np.ones(3, np.float32), "heads": 2} | changes
    return CrossEdit(mapping, **settings)


def test_inside_the_window_aligned_columns_are_the_sources_and_new_ones_the_targets():
    mixing = edit().at(1, 4)
    assert mixing.source.tolist() == [[1, 0, 0], [0, 1, 0]]
    assert mixing.target.tolist() == [[0, 0], [0, 0], [1, 1]]
    assert edit().at(2, 4) is None


def test_the_equalizer_scales_the_sources_and_the_new_columns():
    mixing = edit(equalizer=np.array([1, -2, 3], np.float32)).at(0, 4)
    assert mixing.source.tolist() == [[1, 0, 0], [0, -2, 0]]
    assert mixing.target.tolist() == [[0, 0], [0, 0], [3, 3]]


def test_an_own_column_is_the_targets_times_r():
    mixing = edit(own=(1,), factors=np.array([0.5, 4], np.float32)).at(0, 4)
    assert mixing.source.tolist() == [[1, 0, 0], [0, 0, 0]]
    assert mixing.target.tolist() == [[0, 0], [0.5, 4], [1, 1]]


def test_a_column_outside_its_own_window_is_the_targets():
    mixing = edit(windows=np.array([[0.0, 1.0], [0.5, 1.0], [0.0, 0.0]])).at(0, 4)
    assert mixing.source.tolist() == [[1, 0, 0], [0, 0, 0]]
    assert mixing.target.tolist() == [[0, 0], [1, 1], [1, 1]]


def test_mixed_values_read_the_columns_of_an_explicitly_remapped_map():
    generator = torch.Generator().manual_seed(0)
    maps = torch.rand(2, 5, 4, generator=generator, dtype=torch.float64)
    mixing = torch.rand(4, 3, generator=generator, dtype=torch.float64)
    value = torch.rand(2, 3, 6, generator=generator, dtype=torch.float64)
    torch.testing.assert_close(maps @ mix_values(value, mixing), (maps @ mixing) @ value, rtol=0, atol=1e-12)


class Downsample(torch.nn.Module):
    pass


class Upsample(torch.nn.Module):
    pass


class Transformer(torch.nn.Module):
    def __init__(self, depth: int) -> None:
        super().__init__()
        self.transformer_blocks = [object()] * depth


class UNet:
    """The places of transformers and scalings in SD1.x (by level) or SDXL, without weights."""

    def __init__(self, depths: list[int], blocks: int) -> None:
        down, up = Downsample(), Upsample()
        self.input_blocks = [[object()]]
        for level, depth in enumerate(depths):
            self.input_blocks += [[object(), *self.transformer(depth)] for _ in range(blocks)]
            self.input_blocks += [[down]] if level < len(depths) - 1 else []
        self.middle_block = [object(), *self.transformer(depths[-1] or 1), object()]
        self.output_blocks = []
        for level, depth in reversed(list(enumerate(depths))):
            for number in range(blocks + 1):
                last = [up] if level and number == blocks else []
                self.output_blocks.append([object(), *self.transformer(depth), *last])

    @staticmethod
    def transformer(depth: int) -> list:
        return [Transformer(depth)] if depth else []


SD15, SDXL = downsampling(UNet([1, 1, 1, 0], 2)), downsampling(UNet([0, 2, 10], 2))


def places(blocks) -> set:
    return {block[:2] for block in blocks}


def test_the_levels_of_sd15_and_sdxl_are_the_published_ones():
    assert len(SD15) == 16 and len(SDXL) == 70
    assert [SD15[key] for key in [("input", 1, 0), ("input", 4, 0), ("input", 8, 0), ("middle", 0, 0)]] == [1, 2, 4, 8]
    assert [SD15["output", number, 0] for number in range(3, 12)] == [4, 4, 4, 2, 2, 2, 1, 1, 1]
    assert {SDXL[key] for key in SDXL if key[:2] in {("input", 7), ("middle", 0), ("output", 2)}} == {4}


def test_prompt_to_prompt_takes_16x16_and_below_on_sd15_and_32x32_on_sdxl():
    small = {("input", 7), ("input", 8), ("middle", 0)}
    assert places(small_maps(SD15, "auto")) == small | {("output", number) for number in (3, 4, 5)}
    assert places(small_maps(SDXL, "auto")) == small | {("output", number) for number in (0, 1, 2)}
    assert small_maps(SD15, "1/4") == small_maps(SD15, "auto") and len(small_maps(SD15, "all")) == 16


def test_free_prompt_editing_takes_eleven_of_sixteen_layers():
    assert len(without_finest(SD15)) == 11
    assert without_finest(SD15) == small_maps(SD15, "1/2")


def test_plug_and_play_and_masactrl_stand_where_they_were_published():
    place, blocks = decoder_from_second_block(SD15)
    assert place == ("output", 4) and places(blocks) == {("output", number) for number in range(4, 12)}
    assert decoder_from_second_block(SDXL)[0] == ("output", 1)
    assert from_layer(SD15, -1) == from_layer(SD15, 10)
    assert from_layer(SDXL, -1) == from_layer(SDXL, 64)


@pytest.mark.parametrize(
    "call", [lambda: small_maps(SDXL, "1/8"), lambda: from_layer(SD15, 16), lambda: small_maps(SD15, "2")]
)
def test_places_that_do_not_exist_are_refused(call):
    with pytest.raises(HRVError, match=r"1/2, 1/4|0 to 15|Legal: auto"):
        call()


def test_the_methods_have_their_published_windows_and_halves():
    (self_,) = prompt_to_prompt([None], 0.4, SD15, "auto").injections
    assert self_.window == StepWindow(0, 0.4) and self_.take == ("query", "key") and not self_.unconditional
    (self_,) = free_prompt_editing(2, 0.8, SD15, "auto").injections
    assert len(self_.sites) == 11 and not self_.unconditional
    pnp = plug_and_play(1, 0.5, 0.8, SD15)
    assert pnp.injections[0].unconditional and pnp.features[0].block == ("output", 4)
    (self_,) = masactrl(1, 0.08, -1, SD15).injections
    assert self_.take == ("key", "value") and self_.unconditional and not self_.window.holds(3, 50)
    assert self_.window.holds(4, 50) and PairedEdit((None, None)).size == 3
    assert set(LIMITS) >= {"auto", "all"}


def test_word_values_and_windows_are_read_and_refused():
    assert parse_word_values("red: 2, night sky:-1\n") == {"red": 2.0, "night sky": -1.0}
    assert parse_word_windows("car: 0.4; blue: 0.1-0.6") == {"car": (0.0, 0.4), "blue": (0.1, 0.6)}
    assert parse_word_values("  ") == {} and parse_word_windows("") == {}


@pytest.mark.parametrize("text", ["red", "red: two", ": 2", "red: 11", "red: nan"])
def test_a_word_without_a_legal_number_is_quoted(text):
    with pytest.raises(HRVError, match=f'"{text.strip()}" is no word with a number'):
        parse_word_values(text)


@pytest.mark.parametrize(
    "read, text", [(parse_word_values, "car: 2, car: -1"), (parse_word_windows, "night car: 0.4; Night  Car: 0.9")]
)
def test_a_word_with_two_values_is_refused_instead_of_keeping_the_last(read, text):
    with pytest.raises(HRVError, match=f'(?i)car" appears twice in "{text}".*one value'):
        read(text)


@pytest.mark.parametrize("text", ["car", "car: 0.6-0.1", "car: 1.5", "car: 0.1.2", "car: -0.2"])
def test_a_word_without_a_legal_window_is_quoted(text):
    with pytest.raises(HRVError, match="is no word with a window"):
        parse_word_windows(text)
