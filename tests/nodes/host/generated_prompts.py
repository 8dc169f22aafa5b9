"""Generated prompts whose words are known, and random texts, against the tokenizer's own ids and its own decoding."""

from __future__ import annotations

import random
import unicodedata
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from comfyui_hrv.hrv_engine.errors import HRVError
from comfyui_hrv.hrv_engine.text.alignment import TokenTable
from comfyui_hrv.hrv_engine.text.spelling import EMBEDDING, normalised
from comfyui_hrv.nodes.host.tokens import token_table

PLAIN = """
vase lavender Skateboarder skyscraper rose-colored black-and-white T-shirt don't U.S. 1girl 1024 3.5 4k polka-dot
café naïve CRÈME ÜBER straße İstanbul ΣΟΦΟΣ Οδυσσεύς κόσμος МИР мир 猫 赤い目 青い髪 夏 고양이 हिन्दी ไทย עברית مرحبا
🐱 🐶🦊 👩‍🚀 👍🏽 ❤️ ½ Ⅳ ﬁne €100 antidisestablishmentarianism xqzwv
""".split()  # noqa: SIM905
PHRASES = ["red eyes", "3:4", "deep blue sea", "and/or", "R&B", "rock 'n' roll", "best quality"]
SPECIAL = ["<|endoftext|>", "<|startoftext|>"]
EMBEDDINGS = {"one": 3, "uno": 3, "single": 1, "Long_Name.v2": 9}  # name: vectors
APART = [
    " ",
    " ",
    " ",
    ", ",
    ",",
    ";",
    "/",
    ": ",
    " | ",
    "\n",
    "\t",
    "\u00a0",
    "\u3000",
    "、",
    "。",
    " — ",
    " - ",
    "... ",
    "!? ",
]
NASTY = [
    *"()()()\\\\::.,;'\"-_!?[]{}<>|&+*#@%^~`$/ \n\t01279abcXYZéßΣςσµ猫あ🐱\u200d\u0301\ufe0f\u200b\u00a0\x00\x1c\x85½"
]
NASTY += [
    "embedding:",
    "embedding:one",
    "embedding:uno,",
    " embedding:single",
    *SPECIAL,
    "\\(",
    "\\)",
    ":1.2)",
    "((",
    "'s",
    "’",
]


@dataclass(frozen=True)
class Generated:
    """A prompt, its words and phrases in order, and how a person may type each: with brackets, in capitals."""

    text: str
    words: tuple[str, ...]
    typed: tuple[str, ...]


def embeddings(folder: Path) -> str:
    """A folder with the embeddings that generated prompts name, for both encoders of SDXL."""
    for name, vectors in EMBEDDINGS.items():
        tensors = {"clip_l": torch.randn(vectors, 768), "clip_g": torch.randn(vectors, 1280)}
        save_file(tensors, folder / f"{name}.safetensors")
    return str(folder)


def generated(count: int, seed: int = 0) -> Iterator[Generated]:
    """Prompts of known words with weights, nested and escaped brackets, embeddings, special tokens; some are long."""
    rng = random.Random(seed)
    for _ in range(count):
        words, every, text = [], [], ""
        for _ in range(rng.choice((*range(1, 16), 90))):
            word, typed, spelt = _word(rng)
            if spelt.startswith(EMBEDDING) and text and not text[-1].isspace():
                text += " "  # core takes it for text otherwise
            words.append(word)
            every.append(typed)
            text += spelt + (" " if EMBEDDING in spelt and not spelt.endswith(")") else "") + rng.choice(APART)
        yield Generated(text, tuple(words), tuple(every))


def _word(rng: random.Random) -> tuple[str, str, str]:
    """A word, the same as somebody may type it, and as it is in the prompt."""
    kind = rng.random()
    word = rng.choice(PLAIN if kind < 0.75 else PHRASES)
    if kind > 0.97:
        word = rng.choice(SPECIAL)
    elif kind > 0.92:
        word = EMBEDDING + rng.choice(list(EMBEDDINGS)) + rng.choice(["", ".safetensors"])
    if not word.startswith((EMBEDDING, "<")) and rng.random() < 0.1:
        word = unicodedata.normalize("NFD", word)
    if word.startswith((EMBEDDING, "<")) or ":" in word:  # in brackets 3:4 is 3 with a weight
        ways = ["{}", "({}:1.2)"] if word.startswith(EMBEDDING) else ["{}"]
    else:
        ways = ["{}"] * 5 + ["({})", "({}:1.2)", "(({}:0.5))", "((({})))", "({}:-1)", r"\({}\)", r"(\({}\):1.3)"]
    way = rng.choice(ways)
    typed = rf"\({word}\)" if r"\(" in way else word
    if not word.startswith(EMBEDDING):
        typed = rng.choice([typed, typed.upper(), typed.replace("\\", ""), word])
    return word, typed, way.format(word)


def random_texts(count: int, seed: int = 0) -> Iterator[str]:
    """Texts of whatever the tokenizer, core's weight syntax or we could stumble over."""
    rng = random.Random(seed)
    for _ in range(count):
        yield "".join(rng.choice(NASTY) for _ in range(rng.choice((*range(1, 16), 20, 30, 150))))


def semantic(clip: Any, text: str, key: str = "l") -> dict[int, Any]:
    """Column -> token of everything that is neither special nor padding, as core's tokenizer says."""
    flat = [token for chunk in clip.tokenize(text, return_word_ids=True)[key] for token in chunk]
    return {column: token for column, (token, _, word) in enumerate(flat) if word}


def decoded(clip: Any, tokens: list[Any]) -> str:
    """The tokenizer's own decoding, without blanks; of vectors nothing."""
    ids = [int(token) for token in tokens if not isinstance(token, torch.Tensor)]
    return "".join(clip.tokenizer.clip_l.tokenizer.decode(ids).split())


def complaints(clip: Any, text: str, prompt: Generated | None = None) -> list[str]:
    """What is wrong with the table of a text: columns in no word or in two, words that their tokens do not spell.

    prompt: whose words are known; then also words not found, found too often, or at other tokens than theirs.
    """
    table, tokens = token_table(clip, text), semantic(clip, text)
    wrong = []
    if list(table.columns) != list(tokens):
        wrong.append(f"columns {table.columns} are not core's {list(tokens)}")
    owned = [column for _, columns in table.spans() for column in columns]
    if sorted(owned) != sorted(tokens):
        wrong.append(f"words own {owned}, not each of {list(tokens)} once")
    for word, columns in table.spans():
        spelt = decoded(clip, [tokens[column] for column in columns])
        if spelt != "".join(word.split()) and not (word.startswith(EMBEDDING) and not spelt):
            wrong.append(f'{columns} spell "{spelt}", not "{word}"')
    for word, places in ((word, table.columns_of(word)) for word in set(table.words())):
        own = {column for text, columns in table.spans() if text == word for column in columns}
        if not own.issubset(places):
            wrong.append(f'"{word}" is at {own}, but found at {places}')
    if "\0" in "".join(table.words()) and "\0" not in text:
        wrong.append("a NUL among the words")
    return wrong + (_misread(clip, prompt, table, tokens) if prompt else [])


def _misread(clip: Any, prompt: Generated, table: TokenTable, tokens: dict[int, Any]) -> list[str]:
    wrong = [f'"{typed}" is not found' for typed in prompt.typed if not table.find(typed)]
    for word, times in Counter(map(_same, prompt.words)).items():
        places = table.find(word)
        if len(places) != times:
            wrong.append(f'"{word}" is there {times} times, but found at {places}')
        if word.startswith(EMBEDDING):
            vectors = EMBEDDINGS[word.removeprefix(EMBEDDING).removesuffix(".safetensors")]
            wrong += [f"{word} has {vectors} vectors, not {place}" for place in places if len(place) != vectors]
            continue
        for spelt in (normalised(decoded(clip, [tokens[column] for column in place])) for place in places):
            if word not in spelt or word.isalnum() and word != spelt:
                wrong.append(f'"{word}" is found where "{spelt}" is')
    return wrong


def _same(word: str) -> str:
    return word if word.startswith(EMBEDDING) else normalised(word)


def sweep(clip: Any, count: int, seed: int = 0) -> list[str]:
    """Complaints about `count` prompts, half of known words and half random, each with its prompt."""
    known = ((prompt.text, prompt) for prompt in generated(count // 2, seed))
    unknown = ((text, None) for text in random_texts(count - count // 2, seed))
    wrong = []
    for text, prompt in (*known, *unknown):
        try:
            wrong += [f"{text!r}: {said}" for said in complaints(clip, text, prompt)]
        except HRVError as error:
            if "without a name" not in str(error):
                wrong.append(f"{text!r}: {error}")
    return wrong
