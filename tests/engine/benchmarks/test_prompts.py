"""PromptSet: lists and templates, and how their parentheses are read."""

import hashlib
import json

import pytest

from hrv_engine.benchmarks.prompts import PLAIN, READINGS, WEIGHTS, PromptSet
from hrv_engine.errors import HRVError


def written(tmp_path, text: str):
    path = tmp_path / "set.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_listed_prompts_come_first_and_a_template_is_filled_with_each_word(tmp_path):
    path = written(tmp_path, 'name: mine\nprompts: [a dog]\ntemplate: "a photo of a {}."\nwords: [cat, "{curly}"]\n')
    assert PromptSet.load(path) == PromptSet("mine", ("a dog", "a photo of a cat.", "a photo of a {curly}."))


def test_a_set_without_a_name_takes_its_files_stem(tmp_path):
    assert PromptSet.load(written(tmp_path, "prompts: [a dog]")).name == "set"


def test_lines_become_prompts_and_blank_ones_do_not_count():
    assert PromptSet.of_lines("  a dog \n\n\ta cat\n").prompts == ("a dog", "a cat")


def test_first_keeps_the_beginning_and_zero_keeps_all():
    prompts = PromptSet("p", ("a", "b", "c"))
    assert prompts.first(2).prompts == ("a", "b")
    assert prompts.first(0) is prompts
    assert prompts.first(9).prompts == ("a", "b", "c")


def test_the_digest_depends_on_the_prompts_and_their_order_but_not_on_the_name():
    assert PromptSet("x", ("a", "b")).digest == PromptSet("y", ("a", "b")).digest
    assert len({PromptSet("x", each).digest for each in (("a", "b"), ("b", "a"), ("a b",), ("a",))}) == 4


@pytest.mark.parametrize(
    "text, quoted",
    [
        ("words: [a, b]", "prompts: [...]"),
        ("- a dog", "prompts: [...]"),
        ("prompts: [", "set.yaml"),
        ("prompts:", "empty"),
        ("prompts: a dog", "a dog"),
        ("prompts: [a dog, yes]", "True"),
        ("template: a photo\nwords: [dog]", "a photo"),
        ('template: "a {}"\nwords: dog', "dog"),
        ('template: "a {}"', "empty"),
    ],
)
def test_a_file_that_is_no_prompt_set_is_refused_with_the_fix(tmp_path, text, quoted):
    with pytest.raises(HRVError) as error:
        PromptSet.load(written(tmp_path, text))
    assert quoted in str(error.value)


def test_a_missing_or_undecodable_file_is_named(tmp_path):
    with pytest.raises(HRVError, match="missing.yaml"):
        PromptSet.load(tmp_path / "missing.yaml")
    (tmp_path / "latin.yaml").write_bytes("prompts: [été]".encode("latin-1"))
    with pytest.raises(HRVError, match="latin.yaml"):
        PromptSet.load(tmp_path / "latin.yaml")


def test_no_prompt_at_all_is_refused():
    with pytest.raises(HRVError, match="at least one prompt"):
        PromptSet.of_lines("\n \n", name="custom")


def test_a_text_file_holds_one_prompt_a_line_whatever_its_line_ends(tmp_path):
    path = tmp_path / "authors.txt"
    path.write_bytes("\ufeffa kite (bird of prey).\r\n\r\na\x85dog\rüber\n".encode())
    assert PromptSet.load(path) == PromptSet("authors", ("a kite (bird of prey).", "a\x85dog", "über"))


BIRD = PromptSet("birds", ("a kite (bird of prey).", "a robin", r"a \(jay\)"))


def test_read_plainly_parentheses_are_escaped_for_comfyui_and_read_as_weights_they_are_not():
    assert BIRD.reading == PLAIN
    assert BIRD.texts == (r"a kite \(bird of prey\).", "a robin", r"a \\(jay\\)")
    assert BIRD.read_as(WEIGHTS).texts == BIRD.prompts
    assert BIRD.read_as(WEIGHTS).first(1) == PromptSet("birds", BIRD.prompts[:1], WEIGHTS)


def test_sets_without_parentheses_are_the_same_in_both_readings_and_keep_the_hash_of_their_lines():
    plain = PromptSet("p", ("a dog", "a red cat"))
    expected = hashlib.sha256(json.dumps(plain.prompts).encode()).hexdigest()[:16]
    assert [plain.read_as(reading).digest for reading in READINGS] == [expected, expected]
    assert plain.texts == plain.prompts and plain.told_reading is None


def test_sets_with_parentheses_have_a_hash_for_each_reading_that_of_weights_as_it_always_was():
    expected = hashlib.sha256(json.dumps(BIRD.prompts).encode()).hexdigest()[:16]
    assert BIRD.read_as(WEIGHTS).digest == expected != BIRD.digest
    assert [BIRD.read_as(reading).told_reading for reading in READINGS] == list(READINGS)


def test_an_unknown_reading_is_refused_with_the_legal_ones():
    with pytest.raises(HRVError, match='"aloud" of prompts is unknown. Legal: plain, weights'):
        BIRD.read_as("aloud")


def test_half_a_character_is_refused_before_a_build_begins():
    with pytest.raises(HRVError, match="half a character"):
        PromptSet.of_lines("a dog\na \ud83c cat")
