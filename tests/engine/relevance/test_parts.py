"""Parts of a build: which images were counted, and sums that do not depend on how the images were parted."""

from dataclasses import replace

import numpy as np
import pytest

from hrv_engine.benchmarks.prompts import PromptSet
from hrv_engine.errors import HRVError
from hrv_engine.relevance.logit_scale import LogitScale
from hrv_engine.relevance.parts import Part, chosen, counted, joined

PROMPTS = PromptSet("ten", tuple(f"prompt {number}" for number in range(10)))


def part(start: int, images: int, seed: int = 7) -> Part:
    return Part.of(PROMPTS, seed, start, images)


def test_a_part_keeps_the_digest_and_the_numbers_of_the_whole_set():
    assert part(4, 3).to_json() == {"prompts": "ten", "digest": PROMPTS.digest, "seed": 7, "start": 4, "images": 3}
    assert Part.from_json(part(4, 3).to_json()) == part(4, 3)
    assert str(part(4, 3)) == 'prompts "ten" 4 to 6, seed 7'


@pytest.mark.parametrize("start, count, numbers", [(0, 0, range(10)), (4, 0, range(4, 10)), (4, 3, range(4, 7))])
def test_a_part_is_chosen_by_its_first_image_and_length_and_0_goes_to_the_end(start, count, numbers):
    assert chosen(PROMPTS, start, count) == numbers


def test_a_part_that_is_too_long_ends_with_the_set():
    assert chosen(PROMPTS, 8, 4) == range(8, 10)


@pytest.mark.parametrize("start, count", [(10, 0), (-1, 2), (3, -1)])
def test_a_part_outside_the_set_is_refused_with_the_legal_numbers(start, count):
    with pytest.raises(HRVError, match=f"{count} images from image {start} .*0 to 9"):
        chosen(PROMPTS, start, count)


def test_images_are_counted_for_their_own_prompts_and_seed_only():
    others = replace(part(0, 9), digest="else")
    assert counted([part(2, 2), part(7, 1), part(0, 5, seed=8), others], PROMPTS, 7) == {2, 3, 7}


BIRDS = PromptSet("birds", ("a kite (bird of prey).", "a robin"))


@pytest.mark.parametrize("reading, said", [("plain", "characters"), ("weights", "weights")])
def test_a_part_of_prompts_with_parentheses_says_how_they_were_read(reading, said):
    bird = Part.of(BIRDS.read_as(reading), 7, 0, 2)
    assert bird.to_json()["reading"] == reading and Part.from_json(bird.to_json()) == bird
    assert str(bird) == f'prompts "birds" 0 to 1, seed 7, parentheses read as {said}'
    with pytest.raises(ValueError, match="aloud"):
        Part.from_json({**bird.to_json(), "reading": "aloud"})


def test_prompts_that_were_counted_in_the_other_reading_are_not_counted_again():
    plain, weighted = BIRDS, BIRDS.read_as("weights")
    assert counted([Part.of(plain, 7, 0, 1)], plain, 7) == {0}
    before = replace(Part.of(weighted, 7, 0, 1), reading=None)  # as in a file from before readings were told
    assert counted([before], weighted, 7) == {0} and counted([before], plain, 8) == set()
    for parts, prompts, said in (([before], plain, '"weights"'), ([Part.of(plain, 7, 0, 1)], weighted, '"plain"')):
        with pytest.raises(HRVError, match=f"Set reading of the prompt set to {said}"):
            counted(parts, prompts, 7)


def test_single_images_in_any_order_join_into_their_runs():
    parts = [part(number, 1) for number in (9, 2, 0, 3, 1, 7)]
    assert joined(parts) == (part(0, 4), part(7, 1), part(9, 1))


def test_parts_overlap_when_they_share_an_image_of_one_seed():
    assert part(0, 4).overlaps(part(3, 4)) and part(3, 1).overlaps(part(0, 9))
    assert not part(0, 4).overlaps(part(4, 4)) and not part(0, 4).overlaps(part(0, 4, seed=8))


def test_the_logit_scale_of_parts_adds_up_to_the_last_bit_in_any_order():
    sizes = np.random.default_rng(0).lognormal(1, 1, (500, 12)).astype(np.float32)
    whole = LogitScale.of(sizes)
    for order in ([0, 1, 2], [2, 0, 1]):
        parts = [LogitScale.of(rows) for rows in (sizes[:7], sizes[7:300], sizes[300:])]
        total = sum((parts[number] for number in order), LogitScale.none(12))
        assert total.count == whole.count
        assert np.array_equal(total.total, whole.total) and np.array_equal(total.squares, whole.squares)
    np.testing.assert_allclose(whole.mean, sizes.mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(whole.std, sizes.std(axis=0), rtol=1e-4)
