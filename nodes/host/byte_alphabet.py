"""The alphabet of byte-level BPE: printable bytes stand for themselves, the others for U+0100 onwards."""

from functools import lru_cache


@lru_cache(maxsize=1)
def byte_of() -> dict[str, int]:
    """The byte that each character of a vocabulary stands for."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    hidden = [byte for byte in range(256) if byte not in printable]
    return {chr(byte): byte for byte in printable} | {chr(0x100 + place): byte for place, byte in enumerate(hidden)}
