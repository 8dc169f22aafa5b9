"""Words that belong together by grammar: groups and noun phrases that spaCy finds (extra `spacy`)."""

from collections.abc import Sequence
from functools import lru_cache
from importlib import import_module
from typing import Any

from ..errors import HRVError
from .alignment import Columns, TokenTable, Word

MODEL = "en_core_web_sm"
MODIFIERS = frozenset(("amod", "nmod", "compound", "npadvmod", "advmod", "acomp"))
NOUNS = frozenset(("NOUN", "PROPN"))


@lru_cache(maxsize=2)
def load_parser(name: str = MODEL) -> Any:
    """A spaCy pipeline by name; raises HRVError that says how to install what is missing."""
    try:
        spacy = import_module("spacy")
    except ImportError as error:
        raise HRVError(
            "spaCy is not installed, so groups cannot be found by grammar. In ComfyUI's Python: `pip install spacy` and"
            f" `python -m spacy download {name}`. Or type the groups, or let the simple rules find them."
        ) from error
    try:
        return spacy.load(name)
    except OSError as error:
        raise HRVError(
            f'spaCy has no model "{name}". In ComfyUI\'s Python: `python -m spacy download {name}`. Or type the groups,'
            " or let the simple rules find them."
        ) from error


def dependency_groups(table: TokenTable, parse: Any) -> list[list[Word]]:
    """Modifiers and their noun, the noun last, for every noun that has modifiers (SynGen, section 3.1).

    parse: text -> spaCy document. Covers modifiers before a noun, "the car is red" and "a car that is red"; groups that
    share a word are one.
    """
    text, columns = table.spelling.text
    document = parse(text)
    merged: list[list[Any]] = []
    for noun in document:
        if noun.pos_ not in NOUNS or noun.dep_ in MODIFIERS:
            continue
        group = [*_modifiers(noun), *_predicates(noun), noun]
        shared = next((other for other in merged if {token.i for token in other} & {token.i for token in group}), None)
        if len(group) > 1 and shared is None:
            merged.append(group)
        elif shared is not None:
            shared[:0] = [token for token in group if token.i not in {other.i for other in shared}]
    return [[_word(token, columns) for token in group] for group in merged]


def noun_chunks(table: TokenTable, parse: Any) -> list[list[Word]]:
    """The base noun phrases of the prompt, articles included."""
    text, columns = table.spelling.text
    document = parse(text)
    return [[_word(token, columns) for token in chunk] for chunk in document.noun_chunks]


def _modifiers(token: Any) -> list[Any]:
    """Modifiers of a word, their own modifiers first, and others joined to them by a conjunction."""
    found: list[Any] = []
    for child in token.children:
        if child.dep_ in MODIFIERS:
            joined = [token for token in child.children if token.dep_ == "conj"]
            found += [*_modifiers(child), child, *joined]
    return found


def _predicates(noun: Any) -> list[Any]:
    """What is said of a noun by "is": "the car is red", "a car that is red"."""
    verbs = [noun.head] if noun.dep_ == "nsubj" and noun.head.pos_ in ("AUX", "VERB") else []
    verbs += [child for child in noun.children if child.dep_ == "relcl"]
    return [
        token
        for verb in verbs
        for said in verb.children
        if said.dep_ == "acomp"
        for token in [*_modifiers(said), said, *(more for more in said.children if more.dep_ == "conj")]
    ]


def _word(token: Any, columns: Sequence[Columns]) -> Word:
    """A token of the document, and the columns of its characters."""
    own = (column for part in columns[token.idx : token.idx + len(token.text)] for column in part)
    return token.text, tuple(dict.fromkeys(own))
