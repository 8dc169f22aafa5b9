"""TokenTable: words and phrases of a prompt as context columns, whatever the pieces."""

import random

import pytest

from hrv_engine.errors import HRVError
from hrv_engine.text.alignment import Piece, TokenTable
from hrv_engine.text.spelling import BLANK, NOTHING, normalised

from ..tables import table

SKATE = table("a Skateboarder on a board", "a skate|boarder on a board")


def test_a_word_is_all_its_pieces():
    assert SKATE.find("skateboarder") == [(2, 3)]
    assert SKATE.columns_of("board") == (6,)
    assert SKATE.columns == (1, 2, 3, 4, 5, 6)
    assert SKATE.words() == ["a", "skateboarder", "on", "a", "board"]
    assert SKATE.spans()[1] == ("skateboarder", (2, 3)) and SKATE.words_at({3, 5}) == ["skateboarder", "a"]


@pytest.mark.parametrize("inside", ["board", "boarder", "skate", "er"])
def test_a_word_inside_another_word_is_not_found(inside):
    whole = table("a skateboarder", "a skate|board|er")
    assert whole.find(inside) == []
    assert whole.find("skateboarder") == [(2, 3, 4)]


def test_capitals_and_spaces_do_not_matter():
    for phrase in ("SKATEBOARDER", "  skateboarder ", "Skateboarder\n"):
        assert SKATE.find(phrase) == [(2, 3)]


def test_a_phrase_with_spaces_and_punctuation_is_found_as_a_run_of_words():
    vase = table("a rose-colored vase, in a big vase", "a rose +- +colored vase +, in a big vase")
    assert vase.columns_of("rose-colored vase") == (2, 3, 4, 5)
    assert vase.columns_of("rose - colored") == (2, 3, 4)
    assert vase.columns_of("big   vase") == (9, 10)
    assert vase.find("big rose") == []


def test_all_occurrences_or_the_nth():
    vases = table("a vase, a vase and a vase", "a vase +, a vase and a vase")
    assert vases.find("vase") == [(2,), (5,), (8,)]
    assert vases.columns_of("a vase") == (1, 2, 4, 5, 7, 8)
    assert vases.columns_of("a vase", 2) == (4, 5)
    assert vases.columns_anywhere("a vase") == vases.columns_of("a vase") and vases.columns_anywhere("a cup") == ()


def test_overlapping_occurrences_name_each_column_once():
    very = table("very very very big", "very very very big")
    assert very.columns_of("very very") == (1, 2, 3)
    assert very.columns_of("very very", 2) == (2, 3)


@pytest.mark.parametrize("occurrence, said", [(4, "occurs 3 times"), (-1, "occurs 3 times")])
def test_an_occurrence_that_is_not_there_is_refused_with_the_count(occurrence, said):
    vases = table("a vase, a vase and a vase", "a vase +, a vase and a vase")
    with pytest.raises(HRVError) as error:
        vases.columns_of("vase", occurrence)
    assert said in str(error.value) and "1 to 3, or 0 for all" in str(error.value)
    with pytest.raises(HRVError, match="occurs once"):
        SKATE.columns_of("board", 2)


def test_a_missing_word_quotes_the_prompt_and_the_nearest_words():
    with pytest.raises(HRVError) as error:
        SKATE.columns_of("skateborder")
    message = str(error.value)
    assert '"skateborder" is not in the prompt "a Skateboarder on a board"' in message
    assert 'Nearest words there: "skateboarder"' in message


def test_a_missing_word_of_an_empty_prompt_says_so():
    with pytest.raises(HRVError, match="the prompt is empty"):
        TokenTable("", ()).columns_of("vase")


@pytest.mark.parametrize("phrase", ["", "   ", "\n\t", "\u00a0"])
def test_a_word_of_spaces_has_no_tokens(phrase):
    with pytest.raises(HRVError, match='has no tokens.*"a Skateboarder on a board"'):
        SKATE.columns_of(phrase)


def test_letters_split_over_pieces_in_the_middle_of_their_bytes_are_found():
    word = "naïve".encode()
    pieces = (Piece(1, b"a", True), Piece(2, word[:3], False), Piece(3, word[3:], True), Piece(4, "夏".encode(), True))
    naive = TokenTable("a naïve 夏", pieces)
    assert naive.find("nai\u0308ve") == [(2, 3)]  # decomposed as some keyboards and file systems write it
    assert naive.find("NAÏVE") == [(2, 3)]
    assert naive.find("夏") == [(4,)]
    assert naive.words() == ["a", "naïve", "夏"]


@pytest.mark.parametrize("phrase", ["\ud83c", "skate\ude00boarder", "\udc80"])
def test_half_a_character_is_a_word_that_is_not_there(phrase):
    with pytest.raises(HRVError, match=r"\\ud.* is not in the prompt"):
        SKATE.columns_of(phrase)
    assert TokenTable(phrase, SKATE.pieces).spans()


def test_a_phrase_is_compared_composed_in_lower_case_and_without_spaces():
    assert normalised(" Cafe\u0301  Olé ") == "caféolé"


def test_a_word_in_a_later_chunk_has_the_columns_of_that_chunk():
    pieces = " ".join(["filler"] * 100 + ["lav|ender"] + ["filler"] * 60 + ["lav|ender"])
    long = table("a long prompt", pieces)
    assert long.columns_of("lavender", 1) == (1 + 100 + 2, 1 + 101 + 2)
    assert long.columns_of("lavender", 2) == (1 + 162 + 4, 1 + 163 + 4)


TAGS = table("1girl,solo,red eyes", "1 +girl +, +solo +, +red eyes")


def test_punctuation_ends_a_word():
    assert TAGS.spans() == [("1girl", (1, 2)), (",", (3,)), ("solo", (4,)), (",", (5,)), ("red", (6,)), ("eyes", (7,))]
    assert [word for word, _ in TAGS.spoken()] == ["1girl", "solo", "red", "eyes"]
    assert TAGS.find("red eyes") == [(6, 7)] and TAGS.find("solo") == [(4,)]


@pytest.mark.parametrize("mark", [",", ";", ":", "/", '"', "[", ")", "!", "、", "。", "「", "・", "_", "&", "…"])
def test_a_word_is_apart_from_whatever_punctuation_touches_it(mark):
    glued = table(f"red{mark}shiny", f"red +{mark} +shiny")
    assert glued.spoken() == [("red", (1,)), ("shiny", (3,))]
    assert glued.find("red") == [(1,)] and glued.find("shiny") == [(3,)]
    assert glued.find(f"red{mark}shiny") == [(1, 2, 3)]
    assert table(f"red {mark} blue", f"red {mark} blue").spoken()[1] == (mark, (2,))  # between blanks


@pytest.mark.parametrize("word", ["rose +- +colored", "don +'t", "u +. +s", "3 +. +5", "rock +' +n +' +roll"])
def test_hyphens_apostrophes_and_periods_inside_a_word_belong_to_it(word):
    spelt = word.replace(" +", "")
    glued = table(f"a {spelt}, big", f"a {word} +, big")
    columns = tuple(range(2, 2 + len(word.split())))
    assert glued.spoken()[1] == (spelt, columns)
    assert glued.find(spelt) == [columns]


def test_a_phrase_may_end_inside_a_token_of_punctuation_which_it_then_takes():
    flag = table('the "U.S.", a flag', 'the +" +u +. +s +.", a flag')
    assert flag.find("U.S.") == [(3, 4, 5, 6)]
    assert flag.find('"U.S."') == [(2, 3, 4, 5, 6)]
    assert flag.find("U.S") == [(3, 4, 5)]


def test_a_part_of_a_word_is_found_only_where_no_whole_word_is():
    roses = table("a rose and a rose-colored 1girl", "a rose and a rose +- +colored 1 +girl")
    assert roses.find("rose") == [(2,)]
    assert roses.find("colored") == [(7,)] and roses.find("girl") == [(9,)]
    assert table("1024 px 4k", "1 +0 +2 +4 px 4 +k").find("4") == [(6,)]  # not the digit of a number
    assert table("the cat's tail, a cat", "the cat +'s tail +, a cat").find("cat") == [(2,), (7,)]


def test_the_brackets_of_weights_end_a_word():
    best = table("(masterpiece)(best quality), x", "masterpiece (best quality (, x")
    assert best.spoken() == [("masterpiece", (1,)), ("best", (2,)), ("quality", (3,)), ("x", (5,))]
    rose = table("(rose:1.2)-colored", "rose (- +colored")
    assert rose.spoken() == [("rose", (1,)), ("colored", (3,))] and rose.find("rose-colored") == [(1, 2, 3)]


def test_greek_capitals_are_found_whether_the_tokenizer_ends_words_in_sigma_or_not():
    for sigma in "σς":
        sofos = table("ΣΟΦΟΣ", f"σ|οφο{sigma}")
        for phrase in ("ΣΟΦΟΣ", "σοφος", "Σοφοσ"):
            assert sofos.find(phrase) == [(1, 2)]


def test_escaped_brackets_are_found_as_typed_and_plainly():
    spelt = ((b"a", BLANK), (b"(", BLANK), (b"lavender", NOTHING), (b"),", NOTHING), (b"big", BLANK))
    vase = TokenTable(
        r"a \(lavender\), big", tuple(Piece(i, text, True, gap) for i, (text, gap) in enumerate(spelt, 1))
    )
    assert vase.find("lavender") == [(3,)]
    assert vase.find(r"\(lavender\)") == vase.find("(lavender)") == [(2, 3, 4)]


def test_skin_tones_joined_emoji_and_marks_are_not_torn_apart():
    people = table("👩🏽‍🚀🐶 हिन्दी", "👩🏽‍🚀🐶 ह +ि +न +् +द +ी")
    assert [word for word, _ in people.spoken()] == ["👩🏽‍🚀🐶", "हिन्दी"]
    assert people.find("👩🏽‍🚀") == people.find("🐶") == [(1,)]
    assert people.find("👩") == people.find("🚀") == people.find("न") == []


def test_columns_that_were_appended_are_named_when_a_word_is_missing():
    with pytest.raises(HRVError, match="77 further columns were appended.*HRV Tag Conditioning"):
        TokenTable("a cat", SKATE.pieces, 77, unknown=77).columns_of("dog")


def test_any_run_of_words_is_found_where_it_stands_and_nowhere_else():
    """Against a search over words alone, on random prompts of a few words that are prefixes of one another."""
    rng = random.Random(0)
    vocabulary = ["a", "ab", "b", "aba", "ba|b", "a|b", "c"]
    for _ in range(300):
        words = [rng.choice(vocabulary) for _ in range(rng.randint(1, 9))]
        prompt = table(" ".join(words), " ".join(words))
        start = rng.randrange(len(words))
        wanted = words[start : start + rng.randint(1, 3)]
        edges = [0]
        for word in words:
            edges.append(edges[-1] + word.count("|") + 1)
        plain = [word.replace("|", "") for word in words]
        expected = [
            tuple(1 + column for column in range(edges[i], edges[j]))
            for i in range(len(words))
            for j in range(i + 1, len(words) + 1)
            if "".join(plain[i:j]) == "".join(wanted).replace("|", "")
        ]
        assert prompt.find(" ".join(wanted).replace("|", "")) == expected
