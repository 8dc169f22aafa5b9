"""Token mappings of Prompt-to-Prompt: the published cases, unequal lengths, both tails, long prompts."""

from dataclasses import replace

import numpy as np
import pytest

from hrv_engine.editing.mapping import longest_common, map_tokens
from hrv_engine.errors import HRVError
from hrv_engine.text.alignment import Piece, TokenTable
from hrv_engine.text.spelling import BLANK, NOTHING

from ..tables import table


def length(one: TokenTable) -> int:
    return 77 * (1 + max(one.columns, default=0) // 77)


def mapped(source: TokenTable, target: TokenTable, mode="auto", tail="aligned"):
    return map_tokens(source, target, (length(source), length(target)), mode, tail)


BLUE, RED = table("a blue car"), table("a red car")


@pytest.mark.parametrize("mode", ["replace", "refine"])
@pytest.mark.parametrize("tail", ["aligned", "index"])
def test_the_same_prompt_maps_to_itself(mode, tail):
    found = mapped(BLUE, BLUE, mode, tail)
    np.testing.assert_array_equal(found.matrix, np.eye(77))
    assert found.aligned.all() and found.changed == ()


def test_one_word_for_another_reads_the_same_column():
    found = mapped(BLUE, RED)
    np.testing.assert_array_equal(found.matrix, np.eye(77))
    assert found.changed == (("red", (2,)),)


def test_a_word_of_more_tokens_is_spread_and_every_later_word_is_shifted():
    found = mapped(BLUE, table("a rose-colored car", "a rose +- +colored car"))
    np.testing.assert_allclose(found.matrix[2, 2:5], 1 / 3)
    assert found.matrix[3, 5] == 1  # car
    assert found.matrix[4, 6] == 1 and found.matrix[74, 76] == 1  # end of text, padding
    np.testing.assert_allclose(found.matrix.sum(0)[[0, 1, 5, 6, 76]], 1)
    assert found.changed == (("rose-colored", (2, 3, 4)),)


def test_a_word_of_fewer_tokens_gathers_the_mass_of_all_and_padding_without_a_partner_keeps_its_own_map():
    found = mapped(table("a rose-colored car", "a rose +- +colored car"), BLUE)
    assert found.matrix[2:5, 2].tolist() == [1, 1, 1]
    assert found.matrix[5, 3] == 1 and found.matrix[76, 74] == 1
    assert not found.aligned[75:].any() and found.aligned[:75].all()
    assert found.matrix[:, 75:].sum() == 0


def test_the_index_tail_reads_columns_of_the_same_number_after_the_last_changed_word():
    source, target = BLUE, table("a rose-colored car", "a rose +- +colored car")
    found = mapped(source, target, tail="index")
    assert found.matrix[2, 2:5].tolist() == pytest.approx([1 / 3] * 3)
    np.testing.assert_array_equal(found.matrix[5:, 5:], np.eye(72))
    back = mapped(target, source, tail="index")
    assert back.matrix[3, 3] == 1 and back.matrix[5, 3] == 0
    assert back.matrix[:, 75:].sum() == 0 and back.aligned.all()


def test_words_added_are_new_and_the_others_find_theirs():
    found = mapped(table("a cat in a city"), table("a red cat in a big city"))
    reads = [int(np.argmax(column)) if column.any() else -1 for column in found.matrix.T[:9]]
    assert reads == [0, 1, -1, 2, 3, 4, -1, 5, 6]
    assert [index for index in range(75) if not found.aligned[index]] == [2, 6]
    assert [word for word, _ in found.changed] == ["red", "big"]


def test_neighbouring_changed_words_are_one_phrase():
    found = mapped(table("a cat here"), table("a very old cat here"))
    assert found.changed == (("very old", (2, 3)),)


def test_ties_leave_the_target_word_out_first():
    assert longest_common(list("ab"), list("ba")) == [1, -1]
    assert longest_common(list("abc"), list("abc")) == [0, 1, 2]
    assert longest_common([], list("ab")) == [-1, -1]
    assert longest_common(list("ab"), []) == []


def test_words_find_each_other_across_chunks():
    words = " ".join(f"w{number}" for number in range(80))
    found = mapped(table("a blue car"), table(f"{words} a blue car"), "refine")
    assert found.matrix.shape == (77, 154)
    columns = table(f"{words} a blue car").columns[-3:]
    assert [int(np.argmax(found.matrix[:, column])) for column in columns] == [1, 2, 3]
    assert found.matrix[:, 77].sum() == 0 and not found.aligned[77]  # the second begin-of-text has no partner


def test_replace_refuses_unequal_word_counts_and_names_refine():
    with pytest.raises(HRVError, match='"a blue car" has 3 words and "a big red car" has 4.*refine'):
        mapped(BLUE, table("a big red car"), "replace")


@pytest.mark.parametrize("change", [{"mode": "swap"}, {"tail": "cut"}])
def test_unknown_names_are_refused_with_the_legal_ones(change):
    with pytest.raises(HRVError, match=f'"{next(iter(change.values()))}".*Legal: a'):
        mapped(BLUE, RED, **change)


def test_the_vectors_of_an_embedding_are_one_word_and_unlike_those_of_another():
    def embedded(name: str) -> TokenTable:
        vectors = tuple(Piece(2 + n, name.encode(), n == 2, NOTHING if n else BLANK, n) for n in range(3))
        return TokenTable(f"a {name} car", (Piece(1, b"a", True), *vectors, Piece(5, b"car", True)))

    one, uno = embedded("embedding:one"), embedded("embedding:uno")
    for mode in ("replace", "refine"):
        assert mapped(one, uno, mode).changed == (("embedding:uno", (2, 3, 4)),)
        assert mapped(one, one, mode).changed == ()
    np.testing.assert_array_equal(mapped(one, uno, "replace").matrix, np.eye(77))
    assert not mapped(one, uno, "refine").aligned[2:5].any()


GLUED = "1 +girl +, +solo +, +blush +, +red eyes +, +hat"


def test_in_glued_tags_only_the_word_that_changes_is_changed():
    found = mapped(table("1girl,solo,blush,red eyes,hat", GLUED), table("", GLUED.replace("red", "green")))
    assert found.changed == (("green", (8,)),)
    np.testing.assert_array_equal(found.matrix, np.eye(77))


def test_a_comma_after_a_changed_word_is_not_changed_and_finds_the_comma_of_the_source():
    red, blue = table("red, shiny", "red +, shiny"), table("blue-green, shiny", "blue +- +green +, shiny")
    found = mapped(red, blue)
    assert found.changed == (("blue-green", (1, 2, 3)),)
    assert found.matrix[2, 4] == 1 and found.matrix[3, 5] == 1


def test_punctuation_that_the_source_has_not_keeps_its_own_map_and_counts_for_no_word():
    found = mapped(table("a car"), table("a car!, b", "a car +!,"), "auto")
    assert not found.aligned[3] and found.matrix[:, 3].sum() == 0
    assert found.matrix[2, 2] == 1 and found.matrix[3, 4] == 1  # the word, and end of text


def test_what_was_appended_to_both_reads_the_columns_of_the_same_number_after_each_prompt():
    source, target = (replace(one, length=77) for one in (BLUE, table("a rose-colored car", "a rose +- +colored car")))
    for mode in ("replace", "refine"):
        for tail in ("aligned", "index"):
            alone = map_tokens(source, target, (77, 77), mode, tail)
            found = map_tokens(source, target, (154, 154), mode, tail)
            np.testing.assert_array_equal(found.matrix[:77, :77], alone.matrix)
            np.testing.assert_array_equal(found.matrix[77:, 77:], np.eye(77))
            assert found.matrix[77:, :77].sum() == found.matrix[:77, 77:].sum() == 0
            assert found.aligned[77:].all()
