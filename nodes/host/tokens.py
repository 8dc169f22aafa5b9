"""ComfyUI's tokenizer -> TokenTable: which context column holds which piece of which word."""

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import torch

from ...hrv_engine.errors import HRVError
from ...hrv_engine.text.alignment import Piece, TokenTable

ENCODERS = ("l", "g", "h")  # CLIP-L (SD1.x, SDXL), CLIP-G (SDXL), CLIP-H (SD2.x)
WORD_END = "</w>"


def token_table(clip: Any, text: str) -> TokenTable:
    """The semantic tokens of `text` as CLIPTextEncode would place them in the context (column = 77 chunk + index).

    Raises HRVError for a text encoder without CLIP's tokenizer, or when two encoders place the words differently.
    """
    tokens = clip.tokenize(text, return_word_ids=True)
    tables = {
        key: TokenTable(text, tuple(_pieces(_tokenizer(clip, key), tokens[key]))) for key in ENCODERS if key in tokens
    }
    if not tables or set(tokens) - set(ENCODERS):
        raise HRVError(
            f"This text encoder ({', '.join(tokens)}) is not the CLIP of an SD1.x, SD2.x or SDXL checkpoint, so words"
            " have no cross-attention columns. Connect the CLIP output of such a checkpoint."
        )
    first, *others = tables.values()
    if any(other.pieces != first.pieces for other in others):
        raise HRVError(
            f'The two text encoders split "{text}" differently (an embedding made for one of them only?), so its words'
            " stand in different columns. Take the embedding out, or use one made for SDXL."
        )
    return first


def semantic_columns(clip: Any, text: str) -> tuple[int, ...]:
    """The context columns of all semantic tokens of `text`."""
    return token_table(clip, text).columns


def _tokenizer(clip: Any, key: str) -> Any:
    return getattr(clip.tokenizer, f"clip_{key}")


def _pieces(tokenizer: Any, chunks: list[list[tuple]]) -> Iterator[Piece]:
    column = 0
    for chunk in chunks:
        for token, _weight, word in chunk:
            if word != 0:
                yield _piece(tokenizer, column, token)
            column += 1


def _piece(tokenizer: Any, column: int, token: Any) -> Piece:
    if isinstance(token, (torch.Tensor, dict)):
        return Piece(column, b"\x00", True)  # a textual-inversion vector: a token without a spelling
    text = tokenizer.inv_vocab[int(token)]
    return Piece(column, bytes(_byte_of()[char] for char in text.removesuffix(WORD_END)), text.endswith(WORD_END))


@lru_cache(maxsize=1)
def _byte_of() -> dict[str, int]:
    """The alphabet of byte-level BPE: printable bytes stand for themselves, the others for U+0100 onwards."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    hidden = [byte for byte in range(256) if byte not in printable]
    return {chr(byte): byte for byte in printable} | {chr(0x100 + place): byte for place, byte in enumerate(hidden)}
