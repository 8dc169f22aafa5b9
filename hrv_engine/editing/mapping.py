"""Which source token a target token is paired with: Prompt-to-Prompt's replacement and refinement mappings.

Columns are those of each prompt's own context, every 77-token chunk included (Hertz et al., arXiv 2208.01626).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..errors import HRVError
from ..text.alignment import CHUNK, Columns, TokenTable, Word

MODES = ("auto", "replace", "refine")
TAILS = ("aligned", "index")


@dataclass(frozen=True)
class TokenMapping:
    """M_s matrix: the source's map read at the target's columns.

    matrix: float32 [source tokens, target tokens]; aligned: bool [target tokens], False where the target has nothing
    in the source and keeps its own map; changed: the target's words that differ, as (text, columns), neighbours joined.
    """

    matrix: np.ndarray
    aligned: np.ndarray
    changed: tuple[Word, ...]


def map_tokens(
    source: TokenTable, target: TokenTable, lengths: tuple[int, int], mode: str = "auto", tail: str = "aligned"
) -> TokenMapping:
    """The mapping of two prompts whose contexts are `lengths` = (source, target) columns long.

    mode: replace (word for word), refine (words added or left out), auto (replace if the word counts agree);
    tail: what the end-of-text and padding columns read: those of the source (aligned), or the columns of the same
    number, as in the authors' code after the last replaced word (index). Raises HRVError for prompts that replace
    cannot pair, and for unknown names.
    """
    for name, value, legal in (("mode", mode, MODES), ("tail", tail, TAILS)):
        if value not in legal:
            raise HRVError(f'The {name} "{value}" is unknown. Legal: {", ".join(legal)}.')
    counts = len(source.spoken()), len(target.spoken())
    if mode == "auto":
        mode = "replace" if counts[0] == counts[1] else "refine"
    if mode == "replace" and counts[0] != counts[1]:
        raise HRVError(
            f'Replace pairs words one to one, but "{source.prompt}" has {counts[0]} words and "{target.prompt}" has'
            f" {counts[1]}. Use the mode refine, or auto, which chooses it here."
        )
    own = min(source.length or lengths[0], lengths[0]), min(target.length or lengths[1], lengths[1])
    return _extended((_refinement if mode == "refine" else _replacement)(source, target, own, tail), own, lengths)


def _extended(mapping: TokenMapping, own: tuple[int, int], lengths: tuple[int, int]) -> TokenMapping:
    """With columns that were appended to both contexts, the nth of the target's reading the nth of the source's."""
    matrix: np.ndarray = np.zeros(lengths, np.float32)
    matrix[: own[0], : own[1]] = mapping.matrix
    aligned: np.ndarray = np.zeros(lengths[1], bool)
    aligned[: own[1]] = mapping.aligned
    appended = np.arange(min(lengths[0] - own[0], lengths[1] - own[1]))
    matrix[own[0] + appended, own[1] + appended] = 1
    aligned[own[1] + appended] = True
    return replace(mapping, matrix=matrix, aligned=aligned)


def _replacement(source: TokenTable, target: TokenTable, lengths: tuple[int, int], tail: str) -> TokenMapping:
    """Words in pairs: equal numbers of tokens one to one, else every source token spread evenly over the target's.

    Punctuation between two words is paired with that at the same place, token by token.
    """
    matrix: np.ndarray = np.zeros(lengths, np.float32)
    pairs = list(zip(source.spoken(), target.spoken(), strict=True))
    changed = [(other, columns) for (word, _), (other, columns) in pairs if word != other]
    for (_, read), (_, own) in pairs:
        if len(read) == len(own):
            matrix[read, own] = 1
        else:
            matrix[np.ix_(read, own)] = 1 / len(own)
    aligned = _specials(matrix, source, target)
    for read, own in zip(_punctuation(source), _punctuation(target), strict=True):
        _pair_in_order(matrix, aligned, read, own)
    if tail == "index" and changed:
        rest = range(changed[-1][1][-1] + 1, lengths[1])
        _by_index(matrix, aligned, rest, len(source.pieces) - len(target.pieces))
    return TokenMapping(matrix, aligned, _joined(changed, target))


def _pair_in_order(matrix: np.ndarray, aligned: np.ndarray, read: Sequence[int], own: Sequence[int]) -> None:
    """The nth column of the target's `own` reads the nth of the source's `read`; further ones have nothing to read."""
    paired = min(len(read), len(own))
    matrix[list(read[:paired]), list(own[:paired])] = 1
    aligned[list(own[paired:])] = False


def _punctuation(table: TokenTable) -> list[Columns]:
    """The columns of the punctuation before the first spoken word, after it, after the second, and so on."""
    places: list[Columns] = [()]
    spoken = {columns for _, columns in table.spoken()}
    for _, columns in table.spans():
        if columns in spoken:
            places.append(())
        else:
            places[-1] += columns
    return places


def _refinement(source: TokenTable, target: TokenTable, lengths: tuple[int, int], tail: str) -> TokenMapping:
    """The longest common run of tokens; the target's other tokens are new."""
    matrix: np.ndarray = np.zeros(lengths, np.float32)
    partners = longest_common(
        [(piece.text, piece.ends_word, piece.vector) for piece in source.pieces],
        [(piece.text, piece.ends_word, piece.vector) for piece in target.pieces],
    )
    new = {piece.column for piece, partner in zip(target.pieces, partners, strict=True) if partner < 0}
    for piece, partner in zip(target.pieces, partners, strict=True):
        if partner >= 0:
            matrix[source.pieces[partner].column, piece.column] = 1
    aligned = _specials(matrix, source, target)
    aligned[list(new)] = False
    if tail == "index":
        first = target.columns[-1] + 2 if target.pieces else 2  # past the end-of-text token, which is aligned
        _by_index(matrix, aligned, range(first, lengths[1]), 0)
    changed = _joined([(word, span) for word, span in target.spoken() if new & set(span)], target)
    return TokenMapping(matrix, aligned, changed)


def _specials(matrix: np.ndarray, source: TokenTable, target: TokenTable) -> np.ndarray:
    """Pair begin-of-text with begin-of-text and the nth token after a chunk's text with the nth; aligned [target]."""
    aligned: np.ndarray = np.ones(matrix.shape[1], bool)
    for start in range(0, matrix.shape[1], CHUNK):
        read, own = _outside(source, start, matrix.shape[0]), _outside(target, start, matrix.shape[1])
        _pair_in_order(matrix, aligned, read, own)
    return aligned


def _outside(table: TokenTable, start: int, length: int) -> list[int]:
    """The columns of the chunk at `start` that hold no text: the first, and those after its text."""
    if start >= length:
        return []
    last = max((column for column in table.columns if start <= column < start + CHUNK), default=start)
    return [start, *range(last + 1, min(start + CHUNK, length))]


def _by_index(matrix: np.ndarray, aligned: np.ndarray, columns: range, shortened: int) -> None:
    """Column j reads column j; the last ones of a target that is shorter by `shortened` tokens read nothing."""
    for column in columns:
        matrix[:, column] = 0
        exists = column < matrix.shape[0]
        aligned[column] = exists
        if exists and column < matrix.shape[1] - max(0, shortened):
            matrix[column, column] = 1


def _joined(words: list[Word], table: TokenTable) -> tuple[Word, ...]:
    """Neighbouring words as one phrase."""
    order = {column: number for number, column in enumerate(table.columns)}
    joined: list[Word] = []
    for word, span in words:
        if joined and order[joined[-1][1][-1]] + 1 == order[span[0]]:
            joined[-1] = (f"{joined[-1][0]} {word}", joined[-1][1] + span)
        else:
            joined.append((word, span))
    return tuple(joined)


def longest_common(source: list, target: list) -> list[int]:
    """For every target item the source item of a longest common subsequence, or -1 (Needleman-Wunsch, gap 0, +1, -1).

    Ties leave the target's item out first, then the source's, and pair last.
    """
    score: np.ndarray = np.zeros((len(source) + 1, len(target) + 1), int)
    for i, item in enumerate(source, 1):
        for j, other in enumerate(target, 1):
            score[i, j] = max(score[i, j - 1], score[i - 1, j], score[i - 1, j - 1] + (1 if item == other else -1))
    partners, i, j = [-1] * len(target), len(source), len(target)
    while i and j:
        if score[i, j] == score[i, j - 1]:
            j -= 1
        elif score[i, j] == score[i - 1, j]:
            i -= 1
        else:
            i, j = i - 1, j - 1
            partners[j] = i
    return partners
