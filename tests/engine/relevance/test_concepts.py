"""ConceptSet: reading YAML, row order, and errors that name the fix."""

import time

import pytest

from comfyui_hrv.tests.engine.examples import concept_set, small_layout
from hrv_engine.errors import HRVError
from hrv_engine.relevance.concepts import Concept, ConceptSet
from hrv_engine.relevance.relevance import HeadVotes


def test_concepts_keep_the_order_of_the_file_and_not_of_the_alphabet():
    text = "name: mine\ndescription: d\nconcepts:\n  Zebra: [stripes, horse]\n  Animal: [cat]\n  Mid: [x, a, m]\n"
    concepts = ConceptSet.parse(text)
    assert concepts.name == "mine"
    assert concepts.names == ("Zebra", "Animal", "Mid")
    assert concepts.concepts[2] == Concept("Mid", ("x", "a", "m"))


def test_a_bare_mapping_is_a_concept_set_with_the_fallback_name():
    concepts = ConceptSet.parse("Color: [red, rose-colored]\nShape: [square]", fallback_name="custom")
    assert (concepts.name, concepts.names) == ("custom", ("Color", "Shape"))
    assert concepts.concepts[0].words == ("red", "rose-colored")


def test_a_file_without_a_name_takes_its_stem(tmp_path):
    path = tmp_path / "flavours.yaml"
    path.write_text("concepts: {Sweet: [sugar], Été: [été, 夏]}", encoding="utf-8")
    concepts = ConceptSet.load(path)
    assert concepts.name == "flavours"
    assert concepts.concepts[1] == Concept("Été", ("été", "夏"))


def test_json_keeps_names_words_and_order_and_the_digest_ignores_only_the_sets_name():
    concepts = concept_set("B", "A")
    assert ConceptSet.from_json(concepts.to_json()) == concepts
    assert ConceptSet("other name", concepts.concepts).digest == concepts.digest
    assert concept_set("A", "B").digest != concepts.digest
    assert ConceptSet("test", (Concept("B", ("B1",)), concepts.concepts[1])).digest != concepts.digest


def test_keep_reduces_to_the_named_concepts_in_their_original_order():
    kept = concept_set("Animals", "Color", "Shape").keep(["shape", " Animals "])
    assert kept.names == ("Animals", "Shape")


def test_a_row_is_found_whatever_the_capitals_and_spaces():
    concepts = concept_set("Animals", "Brand Logos")
    assert concepts.index(" brand LOGOS ") == 1


def test_an_unknown_concept_is_refused_with_the_nearest_names_and_the_legal_set():
    concepts = concept_set("Fruits and Vegetables", "Color", "Facial Expressions")
    with pytest.raises(HRVError) as error:
        concepts.index("Colour")
    assert '"Colour"' in str(error.value) and 'Nearest: "Color"' in str(error.value)
    assert "Fruits and Vegetables, Color, Facial Expressions" in str(error.value)
    with pytest.raises(HRVError, match='Nearest: "Facial Expressions"'):
        concepts.keep(["Color", "Facial Expressionism"])


def refused(text: str) -> str:
    with pytest.raises(HRVError) as error:
        ConceptSet.parse(text)
    return str(error.value)


@pytest.mark.parametrize(
    "text", ["Color: [red]\nColor: [blue]", "concepts:\n  A: [x]\n  A: [y]", "Color: [red]\nCOLOR: [blue]"]
)
def test_a_concept_named_twice_is_refused_instead_of_losing_one(text):
    message = refused(text)
    assert "twice" in message and "rename" in message


@pytest.mark.parametrize(
    "text, quoted",
    [
        ("", "None"),
        ("{}", "empty"),
        ("concepts: {}", "empty"),
        ("just words", "just words"),
        ("- red\n- blue", "['red', 'blue']"),
        ("concepts: [red, blue]", "['red', 'blue']"),
        ("Color: red", "'red'"),
        ("Color:", "None"),
        ("Color: []", '"Color" has an empty word list'),
        ("Color: [red, '  ']", '"Color" has an empty word list or an empty word'),
        ("Color: [red", "not valid YAML"),
        ("Color: {red: 1}", "{'red': 1}"),
        ("'Fruits, Vegetables': [apple]", '"Fruits, Vegetables"'),
        ("' ': [apple]", '" " cannot name'),
        ("? [a, b]\n: [c]", "where a name must be text"),
    ],
)
def test_what_is_not_a_list_of_words_by_concept_is_refused_and_quoted(text, quoted):
    assert quoted in refused(text)


@pytest.mark.parametrize(
    "text, read", [("Answer: [yes, no]", "True"), ("Counting: [1, 2]", "1"), ("Off: [x]", "False"), ("A: [~]", "None")]
)
def test_a_word_that_yaml_reads_as_something_else_is_refused_instead_of_becoming_another_word(text, read):
    message = refused(text)
    assert f"reads {read}" in message and "quotes" in message
    assert ConceptSet.parse("Counting: ['1', \"yes\"]").concepts[0].words == ("1", "yes")


def test_a_concept_beside_concepts_is_refused_instead_of_being_dropped():
    message = refused("name: mine\nconcepts:\n  Color: [red, green]\nFruit: [apple, banana]")
    assert "'Fruit' appears beside `concepts`" in message
    assert "Legal there: name, extends, concepts, description, source." in message and "Indent it" in message
    assert ConceptSet.parse("source: s\ndescription: d\nconcepts: {Color: [red]}").names == ("Color",)


def test_errors_of_a_file_name_the_file(tmp_path):
    with pytest.raises(HRVError, match="missing.yaml"):
        ConceptSet.load(tmp_path / "missing.yaml")
    (tmp_path / "twice.yaml").write_text("A: [x]\nA: [y]", encoding="utf-8")
    with pytest.raises(HRVError, match="twice.yaml.*twice"):
        ConceptSet.load(tmp_path / "twice.yaml")
    (tmp_path / "latin.yaml").write_bytes("Été: [été]".encode("latin-1"))
    with pytest.raises(HRVError, match="latin.yaml.*UTF-8"):
        ConceptSet.load(tmp_path / "latin.yaml")


def write(folder, **texts: str) -> None:
    for name, text in texts.items():
        (folder / f"{name}.yaml").write_text(text, encoding="utf-8")


def test_a_set_that_extends_another_has_its_concepts_first_and_its_own_after_them(tmp_path):
    write(
        tmp_path,
        base="name: other name\nconcepts: {Color: [red], Shape: [round]}",
        middle="extends: base\nconcepts: {Size: [big]}",
        top="name: mine\nextends: middle\nconcepts: {Age: [old]}",
    )
    concepts = ConceptSet.load(tmp_path / "top.yaml")
    assert (concepts.name, concepts.names) == ("mine", ("Color", "Shape", "Size", "Age"))
    assert concepts.concepts[:2] == ConceptSet.load(tmp_path / "base.yaml").concepts
    pasted = ConceptSet.parse("extends: middle\nAge: [old]", folder=tmp_path)
    assert (pasted.name, pasted.concepts) == ("custom", concepts.concepts)


@pytest.mark.parametrize("base", ["bases", "../base", "base.yaml", "[base]", "3", "~"])
def test_extending_what_is_not_in_the_folder_is_refused_with_what_is(tmp_path, base):
    write(tmp_path, base="Color: [red]", top=f"extends: {base}\nconcepts: {{Size: [big]}}")
    with pytest.raises(HRVError, match=r"top.yaml.*names no concept set.*legal: base, top"):
        ConceptSet.load(tmp_path / "top.yaml")


@pytest.mark.parametrize("last, circle", [("a", "a extends b extends c extends a"), ("c", "c extends c")])
def test_sets_that_extend_each_other_in_a_circle_are_refused(tmp_path, last, circle):
    texts = {"a": "b", "b": "c", "c": last}
    write(tmp_path, **{name: f"extends: {base}\nconcepts: {{{name}: [x]}}" for name, base in texts.items()})
    with pytest.raises(HRVError, match=circle):
        ConceptSet.load(tmp_path / "a.yaml")


def test_a_concept_of_the_extended_set_is_not_replaced_but_refused(tmp_path):
    write(tmp_path, base="Color: [red]", top="extends: base\nconcepts: {COLOR: [blue]}")
    with pytest.raises(HRVError, match="top.yaml.*COLOR.*twice"):
        ConceptSet.load(tmp_path / "top.yaml")


def test_text_without_a_folder_cannot_extend_anything():
    assert "extends: paper34" in refused("extends: paper34\nSize: [big]")


def test_one_concept_is_a_set_for_importing_but_nothing_to_vote_on():
    alone = ConceptSet.parse("Color: [red]")
    with pytest.raises(HRVError, match='one concept only, "Color".*two or more'):
        HeadVotes.none(alone, small_layout(), {})
    assert HeadVotes.none(concept_set("Color", "Size"), small_layout(), {}).counts.shape == (2, 8)


PAIRS = ("ab", "bc", "cd", "de", "ef", "fg")
REPEATS = (f"{key}: &{key} [{', '.join([f'*{before}'] * 10)}]\n" for before, key in PAIRS)
BOMB = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(REPEATS)


@pytest.mark.parametrize(
    "text",
    [
        BOMB,
        f"concepts:\n  {BOMB.replace(chr(10), chr(10) + '  ')}",
        "[" * 5000,
        "a: !!bool maybe",
        "a: [2026-99-99]",
        "a: [" + "9" * 5000 + "]",
        'a: ["x\\0y"]',
        '"a\\0": [b]',
        "a: [\ud83c]",
        "name: [" + "x, " * 1000 + "]\nconcepts: {a: [b, 1]}",
        "extends: [a]\nb: [c]",
        "extends: {a: b}\nb: [c]",
        "x" * 5_000_000,
        "a: [" + "b, " * 500_000 + "]",
    ],
    ids=range(14),
)
def test_what_would_take_long_or_print_much_is_refused_shortly_and_at_once(text):
    begun = time.monotonic()
    assert len(refused(text)) < 600
    assert time.monotonic() - begun < 5


def test_twenty_thousand_concepts_are_read_and_chosen_in_linear_time():
    def seconds(count: int) -> float:
        text = "\n".join(f"Concept {number}: [word {number}, other {number}]" for number in range(count))
        begun = time.monotonic()
        concepts = ConceptSet.parse(text)
        assert concepts.keep(concepts.names) == ConceptSet(concepts.name, concepts.concepts)
        assert len(concepts.concepts) == count and concepts.index(f"concept {count - 1}") == count - 1
        return time.monotonic() - begun

    assert seconds(20_000) < 10
    many = ConceptSet.parse("\n".join(f"Concept {number}: [a]" for number in range(20_000)))
    with pytest.raises(HRVError, match="and 19940 more") as error:
        many.index("Nothing")
    assert len(str(error.value)) < 2000
