"""The pocket world: reproducible images, grammatical captions, polysemy in the proportion documented."""

from __future__ import annotations

import random

import pytest
import torch

from hrv_engine.pocket.captions import AMBIGUITY, article, describe, draw_caption, vocabulary
from hrv_engine.pocket.diffusion import alphas_cumprod, to_images, to_latent
from hrv_engine.pocket.model import SHIPPED
from hrv_engine.pocket.render import render
from hrv_engine.pocket.scenes import COLORS, KINDS, POLYSEMOUS, SHAPES, Scene, Thing, kind_of
from hrv_engine.pocket.text import LENGTH, Vocabulary


def _captions(count: int = 4000, progress: float = 1.0):
    rng = random.Random(7)
    return [draw_caption(rng, progress) for _ in range(count)]


def test_the_same_scenes_and_seed_render_the_same_pixels():
    rng = random.Random(1)
    scenes = [draw_caption(rng).picture(rng) for _ in range(40)]
    assert torch.equal(render(scenes, 3), render(scenes, 3))
    assert not torch.equal(render(scenes, 3), render(scenes, 4))


def test_every_kind_renders_differently_and_within_range():
    images = render([Scene((Thing(kind, "blue"),)) for kind in KINDS], 0)
    assert images.shape == (len(KINDS), 3, 32, 32) and images.min() >= 0 and images.max() <= 1
    distance = (images[:, None] - images[None]).abs().mean((2, 3, 4)) + torch.eye(len(KINDS))
    assert distance.min() > 0.01


def test_every_caption_stays_within_the_shipped_vocabulary():
    shipped = Vocabulary.load(SHIPPED / "vocabulary.json")
    assert tuple(sorted(shipped.words)) == vocabulary()
    for caption in _captions():
        rows, end = shipped.encode(caption.text)
        assert len(rows) == LENGTH and 0 < end < 30


def test_articles_agree_with_the_word_after_them():
    for caption in _captions():
        words = caption.text.split()
        for first, second in zip(words, words[1:], strict=False):
            if first in ("a", "an"):
                assert f"{first} {second}" == article(second)


def test_an_ambiguous_caption_is_drawn_as_the_thing_in_the_documented_share():
    ambiguous = [caption for caption in _captions() if caption.ambiguous]
    assert len(ambiguous) > 200
    rng = random.Random(3)
    pictures = [(caption, caption.picture(rng)) for caption in ambiguous]
    things = sum(len(scene.things) == 2 for _, scene in pictures) / len(pictures)
    assert abs(things - AMBIGUITY) < 0.1
    for caption, scene in pictures:
        asked = caption.scene.things[0]
        if len(scene.things) == 2:
            assert scene.things[0].kind == kind_of(asked.color)
            assert scene.things[1].color not in POLYSEMOUS
        else:
            assert scene.things == (asked,)


def test_single_objects_stay_the_majority_of_the_final_mixture():
    captions = [caption for caption in _captions() if " " in caption.text and not caption.ambiguous]
    single = sum(len(caption.scene.things) == 1 and caption.scene.count == 1 for caption in captions)
    assert single / 4000 >= 0.5


def test_early_captions_are_plainer_than_late_ones():
    def words(progress: float) -> float:
        captions = _captions(1000, progress)
        return sum(len(caption.text.split()) for caption in captions) / len(captions)

    assert words(0.0) + 1 < words(1.0)


def test_a_scene_is_described_in_full():
    scene = Scene((Thing("star", "red", pattern="striped"),), scene="night", weather="snowy", size="small")
    assert describe(scene) == "a small striped red star at night on a snowy day"
    two = Scene((Thing("orange fruit"), Thing("square", "blue")), style="sketch")
    assert describe(two) == "a sketch of an orange and a blue square"


def test_polysemous_colors_are_things_as_well():
    assert {kind_of(word).split(" ")[1] for word in POLYSEMOUS} == {"fruit", "plant"}
    assert set(POLYSEMOUS) <= set(COLORS) and not set(SHAPES) & set(POLYSEMOUS)
    with pytest.raises(ValueError, match="'teapot' names no object.*circle"):
        kind_of("teapot")


def test_latents_are_the_pixels_rearranged():
    images = torch.randint(0, 256, (3, 3, 32, 32)).float() / 255
    assert to_latent(images).shape == (3, 48, 8, 8)
    torch.testing.assert_close(to_images(to_latent(images)), images, rtol=0, atol=1e-6)


def test_the_noise_schedule_is_stable_diffusions():
    alphas = alphas_cumprod()
    assert alphas[0].item() == pytest.approx(0.99915, abs=1e-5)
    assert alphas[-1].item() == pytest.approx(0.00466, abs=1e-5)
