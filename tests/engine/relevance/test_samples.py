"""Samples of concept words: sentences with and without them, numbered so that every cut of a build is fair."""

from __future__ import annotations

import pytest

from comfyui_hrv.hrv_engine.errors import HRVError
from comfyui_hrv.hrv_engine.paths import PRESETS
from comfyui_hrv.hrv_engine.relevance.build_settings import EffectSettings
from comfyui_hrv.hrv_engine.relevance.concepts import Concept, ConceptSet
from comfyui_hrv.hrv_engine.relevance.samples import SampleSet, Template, Templates

CONCEPTS = ConceptSet("two", (Concept("Color", ("red", "orange", "blue")), Concept("Animals", ("dog", "elk"))))


@pytest.mark.parametrize(
    "template, word, filled, empty",
    [
        ("a {} dog", "red", "a red dog", "a dog"),
        ("a {} dog", "orange", "an orange dog", "a dog"),
        ("an {} elk", "red", "a red elk", "an elk"),
        ("a dog [in the {}]", "forest", "a dog in the forest", "a dog"),
        ("a photo [of a {}]", "elk", "a photo of an elk", "a photo"),
        ("[a {} and] a chair", "dog", "a dog and a chair", "a chair"),
        ("a dog[, {}], in snow", "black", "a dog, black, in snow", "a dog, in snow"),
        ("{} dogs", "Two", "Two dogs", "dogs"),
        ("A {} dog", "odd", "An odd dog", "A dog"),
    ],
)
def test_a_template_is_filled_and_emptied_as_a_person_would(template, word, filled, empty):
    assert Template(template).filled(word) == filled
    assert Template(template).empty == empty


@pytest.mark.parametrize("text", ["a dog", "{} and {}", "a [dog] {}", "a {} [dog", "a ]{}[ dog", "[a] [{}]", ""])
def test_what_is_no_template_is_quoted_with_the_way_to_write_one(text):
    with pytest.raises(HRVError, match="is no template") as raised:
        Template(text)
    assert text in str(raised.value) and "[in the {}]" in str(raised.value)


def test_concepts_have_their_own_templates_or_those_for_all():
    templates = Templates.parse("# a comment\n\ncolor: a {} car\nColor: a {} hat\nALL: a photo [of a {}]\r\n")
    assert [template.text for template in templates.of("Color")] == ["a {} car", "a {} hat"]
    assert [template.text for template in templates.of("Animals")] == ["a photo [of a {}]"]


@pytest.mark.parametrize(
    "text, said",
    [
        ("a {} dog", "names no concept"),
        ("Colr: a {} dog", 'Nearest: "Color"'),
        ("  \n# nothing", "no template"),
        ("Color: a dog", "is no template"),
    ],
)
def test_a_line_that_cannot_be_read_is_quoted(text, said):
    with pytest.raises(HRVError, match=said):
        Templates.parse(text, legal=CONCEPTS.names)


def test_a_concept_without_templates_is_named_before_anything_is_built():
    with pytest.raises(HRVError, match='"Animals"'):
        SampleSet(CONCEPTS, Templates.parse("Color: a {} car"))


def test_every_round_has_every_word_once_in_the_next_template():
    samples = SampleSet(
        CONCEPTS, Templates.parse("Color: a {} car\nColor: a {} hat\nall: a photo [of a {}]"), 3
    ).samples
    assert [sample.row for sample in samples] == [0, 1, 2, 3, 4] * 3
    assert [sample.with_word for sample in samples[:3]] == ["a red car", "an orange hat", "a blue car"]
    assert [sample.with_word for sample in samples[5:8]] == ["a red hat", "an orange car", "a blue hat"]
    assert {sample.without for sample in samples} == {"a car", "a hat", "a photo"}


def test_more_rounds_go_on_where_fewer_ended():
    templates = Templates.parse("Color: a {} car\nall: a photo [of a {}]")
    one, two = SampleSet(CONCEPTS, templates, 1), SampleSet(CONCEPTS, templates, 2)
    assert one.digest == two.digest and one.prompts == two.prompts[: len(one.prompts)]
    assert SampleSet(CONCEPTS, Templates.parse("all: a {} car")).digest != one.digest
    assert SampleSet(CONCEPTS.keep(["Color"]), templates).digest != one.digest


def test_parentheses_are_characters():
    concepts = ConceptSet("odd", (Concept("Odd", ("dog (small)",)),))
    (sample,) = SampleSet(concepts, Templates.parse("all: a photo [of a {}]")).samples
    assert sample.with_word == r"a photo of a dog \(small\)" and sample.word == r"dog \(small\)"


@pytest.mark.parametrize("rounds", [0, -1, 10**6])
def test_a_number_of_samples_that_cannot_be_built_is_refused(rounds):
    with pytest.raises(HRVError, match=f"{rounds} samples of each of 5 words"):
        SampleSet(CONCEPTS, Templates.parse("all: a {} car"), rounds)


@pytest.mark.parametrize("name", ["paper34", "pocket"])
def test_the_presets_have_a_template_for_every_concept_and_leave_something_without_the_word(name):
    concepts = ConceptSet.load(PRESETS / "concepts" / f"{name}.yaml")
    templates = Templates.load(PRESETS / "templates" / f"{name}.txt")
    samples = SampleSet(concepts, templates, 4).samples
    assert len(samples) == 4 * sum(len(concept.words) for concept in concepts.concepts)
    assert set(templates.own) <= {concept.casefold() for concept in concepts.names}
    for sample in samples:
        assert sample.word in sample.with_word and sample.without and sample.word not in sample.without.split()


@pytest.mark.parametrize(
    "steps, timesteps, places",
    [
        (10, 3, [1, 3, 5]),
        (20, 3, [2, 6, 10]),
        (50, 3, [5, 15, 25]),
        (14, 1, [4]),
        (4, 2, [1]),
        (2, 3, [1]),
        (1, 3, [0]),
        (10, 100, [1, 2, 3, 4, 5]),
    ],
)
def test_effects_are_measured_evenly_in_the_first_part_but_not_at_pure_noise(steps, timesteps, places):
    assert EffectSettings(timesteps=timesteps).places(steps) == places
