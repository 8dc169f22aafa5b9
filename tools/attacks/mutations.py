"""Damage to bytes, texts and JSON values."""

from __future__ import annotations

import copy
import random
from typing import Any

ODD_TEXTS = [
    "", " ", "\x00", "\ud83c", "\u202e", "\x1b[31m", "a" * 300, "夏", "é", "e\u0301", "'", '"', "\\", "\n", "\t", "..",
    "/", "../../etc/passwd", "%s%n", "{}", "{x}", "${HOME}", "`id`", "<b>", "NaN", "null", "yes", "2026-99-99", "1e999",
    "0x", "!!python/object:os.system", "*a", "&a", "<<", "[" * 50, "İ", "ß", "ﬁ", "🏳️\u200d🌈", "CON", "-1", "1_000",
]  # fmt: skip
ODD_VALUES: list[Any] = [
    None, True, False, 0, -1, 1, 2, 7, 2**31, 2**63, -(2**63), 10**30, 0.5, -0.0, 1e308, float("inf"), float("nan"),
    [], {}, [[]], [None], {"a": 1}, [1, 2, 3], "votes", "I8", "BF16", "F8_E4M3", "I32", "F64",
]  # fmt: skip


def odd_value(chance: random.Random) -> Any:
    """A value that hardly belongs where it is put."""
    return copy.deepcopy(chance.choice([*ODD_VALUES, *ODD_TEXTS]))


def places(value: Any, at: tuple = ()) -> list[tuple]:
    """The paths of everything inside a JSON value, the value itself first."""
    found = [at]
    entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in entries:
        found += places(inner, (*at, key))
    return found


def damaged(value: Any, chance: random.Random, times: int = 1) -> Any:
    """A copy of a JSON value with entries replaced, removed, doubled or nudged."""
    value = copy.deepcopy(value)
    for _ in range(times):
        path = chance.choice(places(value))
        if not path:
            if chance.random() < 0.1:
                value = odd_value(chance)
            continue
        parent = value
        for key in path[:-1]:
            parent = parent[key]
        key, kind = path[-1], chance.random()
        if kind < 0.5:
            parent[key] = odd_value(chance)
        elif kind < 0.65:
            del parent[key]
        elif kind < 0.75 and isinstance(parent, list):
            parent.insert(chance.randrange(len(parent) + 1), copy.deepcopy(parent[key]))
        elif kind < 0.85 and isinstance(parent, dict):
            parent[chance.choice(ODD_TEXTS)] = copy.deepcopy(parent[key])
        elif type(parent[key]) is int:
            parent[key] += chance.choice([-1, 1, 8, -8])
        elif isinstance(parent[key], str):
            parent[key] = damaged_text(parent[key], chance)
    return value


def damaged_bytes(payload: bytes, chance: random.Random) -> bytes:
    """Bytes flipped, cut, filled with noise, doubled or exchanged."""
    data = bytearray(payload)
    for _ in range(chance.choice([1, 1, 1, 2, 5])):
        at, kind = chance.randrange(len(data) + 1) if data else 0, chance.random()
        if kind < 0.35 and data:
            data[min(at, len(data) - 1)] ^= 1 << chance.randrange(8)
        elif kind < 0.5:
            del data[at:]
        elif kind < 0.6:
            del data[at : at + chance.choice([1, 2, 8, 100])]
        elif kind < 0.75:
            data[at:at] = chance.randbytes(chance.choice([1, 2, 8, 100]))
        elif kind < 0.85:
            data[at : at + 8] = chance.choice([b"\x00", b"\xff", b"9", b"["]) * 8
        else:
            data += data[at:]
    return bytes(data)


def damaged_text(text: str, chance: random.Random) -> str:
    """A text with odd pieces put in, letters exchanged, or parts removed and doubled."""
    for _ in range(chance.choice([1, 1, 2, 4])):
        at, kind = chance.randrange(len(text) + 1), chance.random()
        if kind < 0.5:
            text = text[:at] + chance.choice(ODD_TEXTS) + text[at:]
        elif kind < 0.65:
            text = text[:at] + text[at + chance.choice([1, 2, 10, 40]) :]
        elif kind < 0.8:
            text = text[:at] + chance.choice("[]{}:,-#&*!|>'\"%@`\\()\n \t") + text[at + chance.choice([0, 1]) :]
        elif kind < 0.9:
            text = text[:at] + text[at : at + 40] + text[at:]
        else:
            text = text[:at] + chance.choice("[]{}(9- ") * chance.choice([100, 1000, 5000]) + text[at:]
    return text
