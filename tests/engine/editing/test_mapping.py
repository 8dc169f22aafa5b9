"""Token mappings of Prompt-to-Prompt: the published cases, unequal lengths, both tails, long prompts."""

import numpy as np
import pytest

from hrv_engine.editing.mapping import longest_common, map_tokens
from hrv_engine.errors import HRVError
from hrv_engine.text.alignment import Piece, TokenTable


def table(prompt: str, pieces: str | None = None, chunk: int = 75) -> TokenTable:
    """Pieces written as `skate|boarder dog`: | joins pieces, a space ends a word; `chunk` pieces a chunk."""
    words = [word.split("|") for word in (pieces or prompt).split()]
    spelt = [(piece, place == len(word) - 1) for word in words for place, piece in enumerate(word)]
    columns = (1 + number + (77 - chunk) * (number // chunk) for number in range(len(spelt)))
    return TokenTable(
        prompt, tuple(Piece(column, text.encode(), ends) for column, (text, ends) in zip(columns, spelt, strict=True))
    )


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
    found = mapped(BLUE, table("a rose-colored car", "a rose - colored car"))
    np.testing.assert_allclose(found.matrix[2, 2:5], 1 / 3)
    assert found.matrix[3, 5] == 1  # car
    assert found.matrix[4, 6] == 1 and found.matrix[74, 76] == 1  # end of text, padding
    np.testing.assert_allclose(found.matrix.sum(0)[[0, 1, 5, 6, 76]], 1)
    assert found.changed == (("rose-colored", (2, 3, 4)),)


def test_a_word_of_fewer_tokens_gathers_the_mass_of_all_and_padding_without_a_partner_keeps_its_own_map():
    found = mapped(table("a rose-colored car", "a rose - colored car"), BLUE)
    assert found.matrix[2:5, 2].tolist() == [1, 1, 1]
    assert found.matrix[5, 3] == 1 and found.matrix[76, 74] == 1
    assert not found.aligned[75:].any() and found.aligned[:75].all()
    assert found.matrix[:, 75:].sum() == 0


def test_the_index_tail_reads_columns_of_the_same_number_after_the_last_changed_word():
    source, target = BLUE, table("a rose-colored car", "a rose - colored car")
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


@pytest.mark.parametrize(
    "prompt, pieces, words",
    [
        ("a polka-dot shirt", "a polka - dot shirt", ["a", "polka-dot", "shirt"]),
        ("a (red:1.3) car", "a red car", ["a", "red", "car"]),
        ("A  Vase,\n big", "a vase , big", ["a", "vase,", "big"]),
        ("skateboard 1 dog", "skate|board 1 dog", ["skateboard", "1", "dog"]),
        ("((two)) (2:1.2) x", "two 2 x", ["two", "2", "x"]),
        ("a café", "a caf|é", ["a", "café"]),
        ("", "", []),
    ],
)
def test_words_are_what_stands_between_blanks(prompt, pieces, words):
    found = table(prompt, pieces).spaced() if pieces else table(prompt).spaced()
    assert [word for word, _ in found] == words


def test_the_vectors_of_an_embedding_are_one_word():
    vectors = tuple(Piece(column, b"\x00", True) for column in (2, 3, 4))
    pieces = (Piece(1, b"a", True), *vectors, Piece(5, b"car", True))
    assert [columns for _, columns in TokenTable("a embedding:red car", pieces).spaced()] == [(1,), (2, 3, 4), (5,)]
