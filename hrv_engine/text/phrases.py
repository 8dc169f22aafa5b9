"""Words that belong together: nouns and their modifiers, as typed by the user or found by simple rules.

The rules know no grammar, only closed word classes: a prompt is cut at articles, numbers, prepositions, conjunctions,
auxiliary verbs and punctuation; what remains between two cuts is a noun phrase whose last word is the noun.
"""

from ..errors import HRVError
from .alignment import Columns, TokenTable, Word
from .lists import listed

CUTS = """
a an the this that these those my your his her its our their some any each every no another both
one two three four five six seven eight nine ten very there it he she they who which where as like than while during
and or but with without in on at of to from by for near beside beneath behind under over above below between through
into onto inside outside around across along against next front top amid among is are was were be been being has have
having wearing holding riding sitting standing lying eating playing running walking flying looking made
""".split()  # noqa: SIM905
ARTICLES = ["a", "an", "the"]
MEDIA = ["photo", "photograph", "picture", "image", "painting", "drawing", "sketch", "illustration", "rendering"]


def noun_phrases(table: TokenTable) -> list[list[Word]]:
    """The noun phrases that the rules find, words in reading order, the noun last; "a photo of" is none."""
    phrases: list[list[Word]] = []
    phrase: list[Word] = []
    for word, columns in [*table.spans(), ("", ())]:
        if word and word not in CUTS and any(letter.isalpha() for letter in word):
            phrase.append((word, columns))
            continue
        if phrase and not (word == "of" and phrase[-1][0] in MEDIA):
            phrases.append(phrase)
        phrase = []
    return phrases


def with_article(table: TokenTable, phrase: list[Word]) -> list[Word]:
    """A phrase with the article right before it, if there is one."""
    words = table.spans()
    place = words.index(phrase[0])
    return [words[place - 1], *phrase] if place and words[place - 1][0] in ARTICLES else phrase


def nouns(table: TokenTable) -> list[Word]:
    """The last words of the noun phrases; raises HRVError when the rules find none."""
    last_words = [phrase[-1] for phrase in noun_phrases(table)]
    if not last_words:
        raise HRVError(f'No noun was found in the prompt "{table.prompt}". Type the words yourself.')
    return last_words


def subject(table: TokenTable, word: str) -> Columns:
    """The columns of a word that is to be seen; raises HRVError if it is absent or too empty to be drawn."""
    if " " not in word and word.lower() in CUTS:
        raise HRVError(
            f'"{word}" names nothing that could be seen: it only joins other words. Choose a noun of the prompt'
            f' "{table.prompt}", e.g. {_examples(table)}.'
        )
    return table.columns_of(word)


def _examples(table: TokenTable) -> str:
    return ", ".join(f'"{phrase[-1][0]}"' for phrase in noun_phrases(table)[:4]) or "one that you add"


def parse_groups(text: str, table: TokenTable) -> list[list[Word]]:
    """Groups from "red car; blue bench": the noun last; raises HRVError for a syntax it cannot read, or absent words.

    Words that are neighbours in the prompt are taken there; otherwise, or with commas ("red, car"), each is looked up.
    """
    groups = []
    for part in listed(text, ";"):
        words = listed(part) if "," in part else part.split()
        together = table.find(" ".join(words)) if "," not in part else []
        near = {column for occurrence in together for column in occurrence}
        groups.append([(word, _within(near, table, word) or table.columns_of(word)) for word in words])
        _check_group(part, groups)
    return groups


def _within(columns: set[int], table: TokenTable, word: str) -> Columns:
    """The columns of a word's occurrences that are inside `columns`."""
    return tuple(column for place in table.find(word) if columns.issuperset(place) for column in place)


def _check_group(part: str, groups: list[list[Word]]) -> None:
    *before, group = groups
    taken = [column for _, columns in group for column in columns]
    if len(set(taken)) < len(taken) or any(set(taken) & set(columns) for other in before for _, columns in other):
        raise HRVError(
            f'The group "{part}" uses a word twice, or one of another group. Write each group once, modifiers first and'
            ' then their noun, groups separated by semicolons: "red car; blue bench". A word that the prompt repeats'
            ' belongs to a group only together with its neighbours, as in "red car; red bench".'
        )
