"""Weights in a prompt: which stretch has which, and which columns are a stretch's own."""

from dataclasses import replace

import pytest

from hrv_engine.errors import HRVError
from hrv_engine.text.alignment import TokenTable
from hrv_engine.text.weighted import DEEPEST, Stretch, WeightedText

from ..tables import table


def weights(text: str) -> list[tuple[str, float]]:
    return [(stretch.text, stretch.weight) for stretch in WeightedText.parse(text).stretches]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a red vase", [("a red vase", 1)]),
        ("a (red:1.5) vase", [("a ", 1), ("red", 1.5), (" vase", 1)]),
        ("(red)", [("red", 1.1)]),
        ("((red))", [("red", 1.1 * 1.1)]),
        ("((red) vase:0.5)", [("red", 0.5 * 1.1), (" vase", 0.5)]),
        ("((red:2) vase)", [("red", 2), (" vase", 1.1)]),
        ("(red:-1)(blue:0)", [("red", -1), ("blue", 0)]),
        (r"\(red\)", [("(red)", 1)]),
        (r"(\(red\):1.3)", [("(red)", 1.3)]),
        ("a (red", [("a ", 1), ("(red", 1)]),
        ("a (big (red:2)", [("a ", 1), ("big ", 2), ("(red", 2)]),
        ("[red]", [("[red]", 1)]),
        ("(16:9 photo:1.1)", [("16:9 photo", 1.1)]),
        ("(ratio 16:9)", [("ratio 16", 9)]),
        ("(:1.5)", [(":1.5", 1.1)]),
        ("()", []),
    ],
)
def test_brackets_are_read_as_the_host_reads_them(text, expected):
    assert weights(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("(red:1.5 Color)", Stretch("red", 1.5, "Color")),
        ("(red:-1 Fruits and Vegetables)", Stretch("red", -1, "Fruits and Vegetables")),
        ("(red:1.5 Color, Style)", Stretch("red", 1.5, "Color, Style")),
        ("(red:1.5@0-0.4)", Stretch("red", 1.5, "", (0, 0.4))),
        ("(red: 2 @ 0.2 - 1 Color)", Stretch("red", 2, "Color", (0.2, 1))),
        ("((red):2 Color)", Stretch("red", 2.2, "Color")),
        ("((red:3):2 Color)", Stretch("red", 3)),
    ],
)
def test_a_bracket_may_name_a_concept_and_a_part_of_the_sampling(text, expected):
    (stretch,) = WeightedText.parse(text).stretches
    assert (stretch.text, stretch.concept, stretch.window) == (expected.text, expected.concept, expected.window)
    assert stretch.weight == pytest.approx(expected.weight)


@pytest.mark.parametrize(
    ("text", "quoted"),
    [
        ("a (red:nan) vase", "(red:nan)"),
        ("a (red:inf) vase", "(red:inf)"),
        ("a (red:1000) vase", '"(red:1000)"'),
        ("a (red:1e999) vase", '"(red:1e999)"'),
        ("a (red: +1000.50 Color) vase", '"(red: +1000.50 Color)"'),
        ("a (red:-Infinity) vase", '"(red:-Infinity)"'),
        ("(" * 49 + "red" + ")" * 49, '"(red:106.719)"'),
        ("a (red:2@0.5-0.2) vase", "@0.5-0.2"),
        ("a (red:2@0-1.5) vase", "@0-1.5"),
        ("a (red:2@0.1.2-1) vase", "@0.1.2-1"),
        ("(" * (DEEPEST + 1) + "a" + ")" * (DEEPEST + 1), "deep"),
    ],
)
def test_what_cannot_be_meant_is_refused_and_quoted(text, quoted):
    with pytest.raises(HRVError) as error:
        WeightedText.parse(text)
    assert quoted in str(error.value)


def test_the_text_without_weights_keeps_escaped_brackets():
    prompt = WeightedText.parse(r"a (red:2) vase \(glass\), (big")
    assert prompt.plain == "a red vase (glass), (big"
    assert prompt.to_encode == r"a red vase \(glass\), \(big"
    assert weights(prompt.to_encode) == [(prompt.plain, 1)]


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("a(embedding:one:1.2), red", "a embedding:one , red"),
        ("(embedding:one:1.2). Red", "embedding:one . Red"),
        ("(embedding:one:1.2) red", "embedding:one red"),
        ("embedding:one, red", "embedding:one, red"),
    ],
)
def test_an_embedding_stays_apart_from_what_only_a_bracket_parted_it_from(text, plain):
    assert WeightedText.parse(text).plain == plain


def test_the_same_word_may_appear_twice_with_different_weights():
    prompt = WeightedText.parse("a (rose:2) on a (rose:-1)")
    assert prompt.columns(table("a rose on a rose", "a rose on a rose")) == [(1,), (2,), (3, 4), (5,)]


def test_a_token_of_two_stretches_belongs_to_the_one_with_most_of_it():
    whole = table("two roses", "two roses")
    assert WeightedText.parse("two (rose:2)s").columns(whole) == [(1,), (2,), ()]
    assert WeightedText.parse("two ro(ses:2)").columns(whole) == [(1,), (2,)]


def test_a_word_of_several_tokens_has_all_of_them():
    prompt = WeightedText.parse("a (Skateboarder:2), (ÉTÉ:3)")
    read = table("a skateboarder, été", "a skate|board|er +, été")
    assert prompt.columns(read) == [(1,), (2, 3, 4), (5,), (6,)]


def test_characters_that_a_tokenizer_changes_or_drops_move_no_other_word():
    prompt = WeightedText.parse("½ \x00 (ﬁne:2) 👩\u200d🚀 (vase:3)")
    read = table("1⁄2 fine ? vase", "1/2 fine ? vase")
    columns = prompt.columns(read)
    assert columns[1] == (2,) and columns[3] == (4,)


def test_a_word_of_two_text_encoders_has_columns_in_both():
    clip, t5 = table("a skateboarder", "a skate|boarder"), table("a skateboarder", "a ska|te|board|er")
    moved = TokenTable(t5.prompt, tuple(replace(piece, column=piece.column + 77) for piece in t5.pieces))
    both = replace(clip, others=(moved,))
    assert WeightedText.parse("a (skateboarder:2)").columns(both) == [(1, 78), (2, 3, 79, 80, 81, 82)]
