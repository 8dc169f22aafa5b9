"""ComfyUI's tokenizer -> TokenTable: which context column holds which piece of which word."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import torch

from ...hrv_engine.errors import HRVError
from ...hrv_engine.text.alignment import Piece, TokenTable
from ...hrv_engine.text.spelling import check_characters
from .byte_alphabet import byte_of
from .context_trace import context_columns
from .heard_text import Group, groups
from .language_tokens import part_of, pieces

ENCODERS = ("l", "g", "h")  # CLIP-L (SD1.x, SDXL), CLIP-G (SDXL), CLIP-H (SD2.x)
WORD_END = "</w>"


def token_table(clip: Any, text: str) -> TokenTable:
    """The semantic tokens of `text` as CLIPTextEncode would place them in the context (column = 77 chunk + index).

    Raises HRVError for a text encoder it cannot follow, for text it cannot read, or when two encoders of one context
    place the words differently.
    """
    check_characters(text, "The prompt")
    try:
        tokens = clip.tokenize(text, return_word_ids=True)
    except (IndexError, RecursionError) as error:
        raise HRVError(
            f'The prompt "{text[:200]}" cannot be read: it has "embedding:" without a name, or brackets inside brackets'
            " more than a hundred deep. Take these out."
        ) from error
    if set(tokens) - set(ENCODERS):
        return language_table(clip, text, tokens)
    tables = {key: _table(clip, key, text, tokens[key]) for key in tokens}
    first, *others = tables.values()
    if any(other.pieces != first.pieces for other in others):
        raise HRVError(
            f'The two text encoders split "{text}" differently (an embedding made for one of them only?), so its words'
            " stand in different columns. Take the embedding out, or use one made for SDXL."
        )
    return first


def language_table(clip: Any, text: str, tokens: dict[str, list[list[tuple]]]) -> TokenTable:
    """The same for text encoders with a language model among them, alone or beside CLIP.

    A word of two encoders of one context (SD3: CLIP and T5) has columns in both.
    """
    length, columns = _columns(clip, tokens)
    asked = getattr(clip, "tokenizer_options", {})
    options = {"tokenizer_options": asked} if asked else {}
    tables = []
    for key, own in columns.items():
        if key in ENCODERS:
            found = tuple(_moved(_table(clip, key, text, tokens[key]).pieces, own))
        else:
            found = tuple(pieces(clip.tokenizer, part_of(clip.tokenizer, key), key, text, own, options))
        tables.append(TokenTable(text, found, length))
    first, *others = tables
    return replace(first, others=tuple(others))


def _columns(clip: Any, tokens: dict[str, list[list[tuple]]]) -> tuple[int, dict[str, dict[int, int]]]:
    errors = (AttributeError, IndexError, KeyError, RuntimeError, StopIteration, TypeError, ValueError)
    encoder = getattr(clip, "cond_stage_model", None)
    try:
        length, columns = context_columns(encoder, tokens)
    except errors as error:
        raise HRVError(
            f"HRV nodes cannot follow how this text encoder ({type(encoder).__name__} of {', '.join(tokens)}) makes a"
            f" context of tokens ({type(error).__name__}: {error}), so the words of a prompt cannot be found. Use"
            " ComfyUI's own loader for it."
        ) from error
    if not columns:
        raise HRVError(
            f"No column of what this text encoder ({', '.join(tokens)}) gives is that of a token, so the words of a"
            " prompt cannot be found in it."
        )
    return length, columns


def _moved(found: tuple[Piece, ...], columns: dict[int, int]) -> Iterator[Piece]:
    return (replace(piece, column=columns[piece.column]) for piece in found if piece.column in columns)


def has_begin(clip: Any, text: str) -> bool:
    """Whether the first column of the context of `text` is a begin-of-text token: language models may have none."""
    tokens = clip.tokenize(text, return_word_ids=True)
    if not set(tokens) - set(ENCODERS):
        return True
    for key, own in _columns(clip, tokens)[1].items():
        first = next((number for number, column in own.items() if column == 0), None)
        if first is not None:
            start = getattr(part_of(clip.tokenizer, key), "start_token", None)
            return start is not None and [token for chunk in tokens[key] for token, *_ in chunk][first] == start
    return False


def semantic_columns(clip: Any, text: str) -> tuple[int, ...]:
    """The context columns of all semantic tokens of `text`."""
    return token_table(clip, text).columns


def _table(clip: Any, key: str, text: str, chunks: list[list[tuple]]) -> TokenTable:
    tokenizer = getattr(clip.tokenizer, f"clip_{key}")
    heard, same = groups(tokenizer, text, getattr(clip, "tokenizer_options", {}))
    if _ids(same) != _ids(chunks):
        raise HRVError(
            f'Another node reads "{text}" in a way of its own on this CLIP, so words cannot be told from weights and'
            " embeddings. Connect the CLIP without that node, or encode there and use HRV Tag Conditioning."
        )
    width = _width(clip, key, tokenizer)
    return TokenTable(text, tuple(_pieces(tokenizer, chunks, heard, width)), sum(map(len, chunks)))


def _ids(chunks: list[list[tuple]]) -> list[list[Any]]:
    return [[None if _is_vector(token) else int(token) for token, *_ in chunk] for chunk in chunks]


def _width(clip: Any, key: str, tokenizer: Any) -> int:
    """The length of the vectors that the text encoder takes; it leaves out embeddings of another length."""
    model = getattr(getattr(clip, "cond_stage_model", None), f"clip_{key}", None)
    if model is None:
        return tokenizer.embedding_size
    return model.transformer.get_input_embeddings().weight.shape[-1]


def _pieces(tokenizer: Any, chunks: list[list[tuple]], heard: list[Group], width: int) -> Iterator[Piece]:
    """The semantic tokens in reading order; word ids count the groups from 1, 0 is for special tokens and padding."""
    seen, start = [0] * len(heard), 0
    for chunk in chunks:
        column = start
        for token, _weight, word in chunk:
            if _is_vector(token) and token.shape[-1] != width:
                continue  # core leaves it out, and pads the end of the chunk instead
            if word:
                yield _piece(tokenizer, column, token, heard[word - 1], seen[word - 1])
                seen[word - 1] += 1
            column += 1
        start += len(chunk)


def _piece(tokenizer: Any, column: int, token: Any, group: Group, place: int) -> Piece:
    if group.name is not None:
        last = place == len(group.before) - 1
        return Piece(column, group.name.encode(), last, group.before[place], place)
    text = tokenizer.inv_vocab[int(token)]
    ends_word = text.endswith(WORD_END) or int(token) in (tokenizer.start_token, tokenizer.end_token)
    spelt = bytes(byte_of()[char] for char in text.removesuffix(WORD_END))
    return Piece(column, spelt, ends_word, group.before[place])


def _is_vector(token: Any) -> bool:
    return isinstance(token, torch.Tensor)
