"""The emoji world's words, captions and requests: grammatical, complete, and true to what is kept out of training."""

from __future__ import annotations

import random

import pytest

from hrv_engine.errors import HRVError
from hrv_engine.pocket.drawings import words
from hrv_engine.pocket.drawings.captions import AMBIGUITY, Caption, describe, draw_caption
from hrv_engine.pocket.drawings.held_out import (
    ONE_IN,
    held_out_misreadings,
    held_out_pairs,
    is_held_out,
    is_held_out_misreading,
    may_be_colored,
)
from hrv_engine.pocket.drawings.layout import SECOND_SENSE_SHARE, is_open, stage
from hrv_engine.pocket.drawings.scenes import Named, Request, Scene, Thing


def captions(count: int = 6000, progress: float = 1.0) -> list[Caption]:
    rng = random.Random(7)
    return [draw_caption(rng, progress) for _ in range(count)]


CAPTIONS = captions()


def test_every_drawing_has_a_word_and_every_noun_a_drawing():
    drawn = {words.drawing_of(noun) for noun in words.NOUNS}
    drawn |= {words.drawing_of(f"{expression} face") for expression in words.EXPRESSIONS}
    drawn |= set(words.SECOND_SENSE.values())
    assert drawn == set(words.DRAWINGS) and len(words.DRAWINGS) == len(set(words.DRAWINGS)) > 400
    assert set(words.SECOND_SENSE) | set(words.POLYSEMOUS_COLORS) <= set(words.NOUNS)


def test_a_noun_without_a_drawing_is_refused_with_the_nearest():
    with pytest.raises(HRVError, match='"dogg" names no drawing.*"dog"'):
        words.drawing_of("dogg")


@pytest.mark.parametrize("noun, expected", [("cherry", "cherries"), ("box", "boxes"), ("glasses", "glasses")])
def test_plurals(noun, expected):
    assert words.plural(noun) == expected


def test_captions_use_the_vocabulary_only_and_nearly_all_of_it():
    used = {word for caption in CAPTIONS for word in caption.text.split()}
    assert used <= set(words.vocabulary())
    plurals = {words.plural(noun.split()[-1]) for noun in words.NOUNS} - set(words.NOUNS)
    assert not set(words.vocabulary()) - used - plurals


def test_articles_agree_with_the_word_after_them():
    for caption in CAPTIONS:
        parts = caption.text.split()
        for first, second in zip(parts, parts[1:], strict=False):
            if first in ("a", "an"):
                assert f"{first} {second}" == words.article(second)


def test_a_request_is_described_in_full():
    thing = Named("apple", "red", pattern="striped")
    assert describe(Request((thing,), size="tiny", light="dim")) == "a tiny striped red apple in dim light"
    copies = Request((Named("happy face", material="wooden"),), count="three", place="night", style="sketch")
    assert describe(copies) == "a sketch picture of three wooden happy faces at night"
    two = Request((Named("orange"), Named("cat", "blue")), place="lake")
    assert describe(two) == "an orange and a blue cat at the lake"
    assert describe(Request((Named("owl"),), position="top", weather="snowy")) == "an owl at the top on a snowy day"


def test_the_first_named_of_two_things_is_on_the_left():
    left, right = stage(Request((Named("cat", "red"), Named("dog"))), random.Random(0)).things
    assert (left.drawing, left.paint, right.drawing, right.paint) == ("cat", "red", "dog", None)
    assert left.x < right.x


def test_an_ambiguous_caption_is_drawn_as_the_thing_in_the_documented_share():
    ambiguous = [caption for caption in CAPTIONS if caption.ambiguous]
    things = [len(caption.scene.things) == 2 for caption in ambiguous]
    assert len(things) > 200 and abs(sum(things) / len(things) - AMBIGUITY) < 0.1
    for caption in ambiguous:
        _, color, noun = caption.text.split(maxsplit=2)
        expected = (words.drawing_of(color), words.drawing_of(noun))
        if len(caption.scene.things) == 2:
            assert tuple(thing.drawing for thing in caption.scene.things) == expected
        else:
            assert caption.scene.things[0].drawing == expected[1] and caption.scene.things[0].paint == color


def test_a_noun_of_two_senses_is_either_alone_and_the_first_in_company():
    rng = random.Random(5)
    alone = [stage(Request((Named("mouse"),), style="sepia"), rng).things[0].drawing for _ in range(400)]
    assert abs(alone.count("computer mouse") / 400 - SECOND_SENSE_SHARE) < 0.08
    assert set(alone) == {"mouse", "computer mouse"}
    decided = (
        *(Request((Named("mouse", "red"),)), Request((Named("mouse"),), count="two")),
        *(Request((Named("mouse"),), place="forest"), Request((Named("mouse"), Named("cat")))),
    )
    for request in decided:
        assert not is_open(request)
        assert stage(request, rng).things[0].drawing == "mouse"


def test_what_is_kept_out_is_the_same_everywhere_and_about_one_in_sixteen():
    pairs, misreadings = held_out_pairs(), held_out_misreadings()
    assert pairs[:3] == (("dog", "lion"), ("dog", "koala"), ("dog", "flamingo"))
    assert misreadings[:3] == (("orange", "sheep"), ("orange", "sloth"), ("orange", "crab"))
    number = len(words.NOUNS)
    assert abs(len(pairs) / (number * (number - 1) / 2) * ONE_IN - 1) < 0.1
    assert len(misreadings) > 100
    assert all(is_held_out(second, first) for first, second in pairs)
    assert all(may_be_colored(noun, color) and is_held_out_misreading(color, noun) for color, noun in misreadings)


def test_no_training_caption_holds_a_pair_that_is_kept_out():
    pairs = {frozenset(map(words.drawing_of, pair)) for pair in held_out_pairs()}
    two = [caption for caption in CAPTIONS if " and " in caption.text]
    drawn = [frozenset(thing.drawing for thing in caption.scene.things) for caption in two]
    assert len(two) > 500 and not pairs.intersection(drawn)
    misreadings = set(held_out_misreadings())
    colored = [caption.text.split(maxsplit=2)[1:] for caption in CAPTIONS if caption.ambiguous]
    assert not [found for found in colored if tuple(found) in misreadings]


def test_early_captions_are_plainer_than_late_ones():
    def length(progress: float) -> float:
        return sum(len(caption.text.split()) for caption in captions(1000, progress)) / 1000

    assert length(0.0) + 0.8 < length(1.0)


def test_single_things_are_most_of_the_final_mixture():
    single = [caption for caption in CAPTIONS if len({thing.drawing for thing in caption.scene.things}) == 1]
    assert len(single) / len(CAPTIONS) > 0.7


def test_scenes_are_plain_data():
    assert Scene((Thing("cat"),)) == Scene((Thing("cat", None, None, 0.0, 0.0, 0.76),))
