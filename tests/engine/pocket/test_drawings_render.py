"""The emoji world's renderer: the same images as the renderer that the shipped model was trained with."""

from __future__ import annotations

import random
from dataclasses import fields
from pathlib import Path

import numpy as np
import torch

from hrv_engine.pocket.drawings.backgrounds import VARIANTS, backgrounds
from hrv_engine.pocket.drawings.bank import SHEETS, SIDE, bank
from hrv_engine.pocket.drawings.captions import draw_caption
from hrv_engine.pocket.drawings.effects import LIGHT, WEATHER
from hrv_engine.pocket.drawings.paints import PAINTS, rgb
from hrv_engine.pocket.drawings.parameters import MOST, Parameters, parameters
from hrv_engine.pocket.drawings.render import Renderer
from hrv_engine.pocket.drawings.scenes import Scene, Thing
from hrv_engine.pocket.drawings.styles import FILTERS
from hrv_engine.pocket.drawings.words import DRAWINGS, LIGHTS, MATERIALS, PLACES, STYLES, WEATHERS

# 87 images of the renderer of the model's training, one for each word that changes an image: their parameters,
# every eighth pixel from row 3, column 5, and their mean.
RECORDED = np.load(Path(__file__).with_name("drawings_renders.npz"))


def recorded_parameters() -> Parameters:
    arrays = (RECORDED[field.name] for field in fields(Parameters))
    return Parameters(*(torch.from_numpy(a.astype(a.dtype if a.dtype == np.float32 else np.int64)) for a in arrays))


def one(scene: Scene, seed: int = 0) -> torch.Tensor:
    return Renderer()(parameters([scene], random.Random(seed)))[0]


def test_images_are_those_of_the_renderer_that_the_model_learned_from():
    images = Renderer()(recorded_parameters())
    assert images.shape == (87, 3, SIDE, SIDE)
    torch.testing.assert_close(images[:, :, 3::8, 5::8].numpy(), RECORDED["pixels"], rtol=0, atol=1e-5)
    torch.testing.assert_close(images.mean((1, 2, 3)).numpy(), RECORDED["mean"], rtol=0, atol=1e-5)


def test_the_recorded_images_have_every_word_that_changes_an_image():
    given = recorded_parameters()
    for values, names in (
        *((given.place, PLACES), (given.weather, WEATHERS), (given.light, LIGHTS), (given.style, STYLES)),
        *((given.paint - 1, PAINTS), (given.material - 1, MATERIALS)),
    ):
        assert set(range(len(names))) <= set(values.flatten().tolist())


def test_the_bank_holds_every_drawing_in_three_hands_with_a_transparent_border():
    drawings = bank()
    assert drawings.shape == (len(DRAWINGS), len(SHEETS), 4, SIDE, SIDE) and drawings.dtype == torch.uint8
    covered = (drawings[:, :, 3] > 0).flatten(2).sum(2)
    assert covered.min() > 100
    assert drawings[:, :, 3, 0].max() == 0 and drawings[:, :, 3, :, -1].max() == 0


def test_no_two_drawings_are_alike():
    pixels = (bank()[:, 0].float() / 255).flatten(1)
    distance = torch.cdist(pixels, pixels) + 1e3 * torch.eye(len(pixels))
    assert distance.min() > 3


def test_the_same_scenes_and_seed_render_the_same_pixels():
    rng = random.Random(1)
    scenes = [draw_caption(rng).scene for _ in range(30)]
    renderer = Renderer()
    first, again, other = (renderer(parameters(scenes, random.Random(seed))) for seed in (3, 3, 4))
    assert torch.equal(first, again) and not torch.equal(first, other)


def test_an_image_does_not_depend_on_those_beside_it():
    rng = random.Random(2)
    given = parameters([draw_caption(rng).scene for _ in range(40)], rng)
    renderer = Renderer()
    together = renderer(given)
    alone = Parameters(*(getattr(given, field.name)[7:8] for field in fields(Parameters)))
    torch.testing.assert_close(renderer(alone), together[7:8], rtol=0, atol=1e-6)


def test_every_effect_and_style_has_its_word():
    assert tuple(effect.__name__ for effect in WEATHER) == WEATHERS
    assert tuple(effect.__name__ for effect in LIGHT) == LIGHTS
    assert set(STYLES) - set(FILTERS) == {"flat", "cartoon"}
    assert backgrounds().shape == (len(PLACES), VARIANTS, 3, SIDE, SIDE)


def test_a_painted_thing_takes_the_colour_of_its_word():
    middle = one(Scene((Thing("red heart", "blue"),)))[:, 24:40, 24:40].mean((1, 2))
    assert torch.dist(middle, torch.tensor(rgb("2462e6"))) < 0.25


def test_the_later_of_two_things_is_in_front():
    square, circle = Thing("red square", "blue"), Thing("red circle", "green", size=0.5)
    assert one(Scene((square, circle)))[:, 32, 32].argmax() == 1
    assert one(Scene((circle, square)))[:, 32, 32].argmax() == 2


def test_empty_places_of_the_parameters_draw_nothing():
    given = parameters([Scene(place="snow"), Scene()], random.Random(0))
    assert given.drawing.shape == (2, MOST) and (given.drawing == -1).all()
    images = Renderer()(given)
    torch.testing.assert_close(images[0], backgrounds()[list(PLACES).index("snow"), given.variant[0]])
    assert images[1].std() < 0.05
