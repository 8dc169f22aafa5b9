"""PromptSet: lists and templates."""

import pytest

from hrv_engine.benchmarks.prompts import PromptSet
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
