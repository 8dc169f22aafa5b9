"""HeadVotes: votes add, in any order, and only when they were counted the same way."""

from dataclasses import replace
from itertools import permutations

import numpy as np
import pytest

from comfyui_hrv.tests.engine.examples import PART, RECIPE, ballot, concept_set, random_counts, small_layout
from hrv_engine.attention.heads import HeadLayout
from hrv_engine.errors import HRVError
from hrv_engine.relevance import files
from hrv_engine.relevance.relevance import HeadVotes


def saved(path, votes: HeadVotes) -> bytes:
    files.save(path, votes.relevance())
    return path.read_bytes()


def test_counts_and_images_add_up():
    total = ballot(random_counts(1)) + ballot(random_counts(2), start=4, images=3)
    assert (total.counts == random_counts(1) + random_counts(2)).all()
    assert total.images == 7


def test_the_sum_of_parts_is_the_same_file_in_every_order_of_adding(tmp_path):
    # neighbours, a gap, another seed, other prompts; and another name for the same concepts
    a, b = ballot(random_counts(1), start=0, images=4), ballot(random_counts(2), start=4, images=4)
    c = ballot(random_counts(3), start=20, images=1, concepts=concept_set("Color", "Shape", "Size", name="also test"))
    d = ballot(random_counts(4), parts=(replace(PART, seed=9),))
    e = ballot(random_counts(5), parts=(replace(PART, prompts="others", digest="d2"),))
    files_written = set()
    for order in permutations((a, b, c, d, e)):
        total = order[0]
        for each in order[1:]:
            total = total + each
        files_written.add(saved(tmp_path / "sum.safetensors", total))
    files_written.add(saved(tmp_path / "sum.safetensors", (a + d) + ((e + c) + b)))
    assert len(files_written) == 1


def test_an_empty_ballot_is_neutral():
    votes = ballot(random_counts(1))
    nothing = HeadVotes.none(votes.concepts, votes.layout, RECIPE)
    assert nothing.images == 0
    for total in (votes + nothing, nothing + votes):
        assert (total.counts == votes.counts).all() and total.parts == votes.parts


def test_neighbouring_parts_become_one_and_gaps_stay():
    total = ballot(random_counts(1), start=8) + ballot(random_counts(1), start=4) + ballot(random_counts(1), start=16)
    assert [(part.start, part.images) for part in total.parts] == [(4, 8), (16, 4)]


@pytest.mark.parametrize("start, images", [(0, 4), (3, 1), (2, 9), (1, 2)])
def test_images_that_both_counted_are_refused_and_named(start, images):
    mine = ballot(random_counts(1), start=0, images=4)
    with pytest.raises(HRVError) as error:
        mine + ballot(random_counts(2), start=start, images=images)
    assert str(replace(PART, start=start, images=images)) in str(error.value)
    assert "another seed" in str(error.value)


def test_a_part_is_described_by_its_first_and_last_image():
    assert str(replace(PART, start=4, images=3)) == 'prompts "quick" 4 to 6, seed 0'


@pytest.mark.parametrize(
    "setting, value",
    [
        ("steps", 50),
        ("cfg", 1.0),
        ("sampler_name", "euler"),
        ("sampling", "per head"),
        ("bos_key", False),
        ("new_option", 3),
    ],
)
def test_votes_of_other_settings_are_refused_and_the_setting_is_named_with_both_values(setting, value):
    with pytest.raises(HRVError) as error:
        ballot(random_counts(1)) + ballot(random_counts(2), start=4, recipe={**RECIPE, setting: value})
    message = str(error.value)
    assert f"{setting} is {RECIPE.get(setting, 'off')!r}" in message and repr(value) in message


def test_votes_over_other_concepts_words_or_heads_are_refused():
    votes = ballot(random_counts(1))
    renamed = concept_set("Color", "Shape", "Volume")
    fewer_words = replace(
        renamed, concepts=(*votes.concepts.concepts[:2], replace(votes.concepts.concepts[2], words=("x",)))
    )
    for concepts in (renamed, fewer_words):
        with pytest.raises(HRVError, match="concepts differ"):
            votes + ballot(random_counts(2), start=4, concepts=concepts)
    other = HeadLayout(small_layout().sites[::-1])
    with pytest.raises(HRVError, match="head layouts differ"):
        votes + ballot(random_counts(2), start=4, layout=other)


def test_votes_per_step_add_step_by_step_and_do_not_mix_with_builds_without():
    steps = [np.stack([random_counts(seed), random_counts(seed + 1)]) for seed in (1, 5)]
    one, other = (ballot(each.sum(axis=0), start=4 * place, per_step=each) for place, each in enumerate(steps))
    assert ((one + other).per_step == steps[0] + steps[1]).all()
    with pytest.raises(HRVError, match="2 single steps.*no"):
        one + ballot(random_counts(2), start=4)
    with pytest.raises(HRVError, match="2 single steps.*1"):
        one + ballot(random_counts(2), start=4, per_step=steps[0][:1])


@pytest.mark.parametrize(
    "counts", [np.ones((3, 9), np.int64), np.ones((2, 8), np.int64), np.ones((3, 8)), np.ones(8, np.int64)]
)
def test_votes_must_be_integers_for_every_concept_and_head(counts):
    with pytest.raises(HRVError, match=r"\(3, 8\)"):
        HeadVotes(counts, concept_set("Color", "Shape", "Size"), small_layout())


def test_votes_per_step_must_cover_every_concept_and_head():
    with pytest.raises(HRVError, match=r"steps, \*\(3, 8\)"):
        ballot(random_counts(1), per_step=np.ones((4, 3, 7), np.int64))
