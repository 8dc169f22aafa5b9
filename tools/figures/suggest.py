"""How well concepts are named from the pocket model's text encoder, alone and with the help of its heads."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...hrv_engine.suggestion.lexicon import Lexicon
from ...hrv_engine.suggestion.suggest import WordSenses, content_words, most_open, word_senses
from ...nodes.host.families.unet_layers import cross_attentions
from ...nodes.host.tokens import token_table
from ...nodes.host.words import concept_vectors, encode, unknown_words, word_vectors
from . import session
from .subjects import SQUARES, Subject

Nearness = Callable[[np.ndarray, np.ndarray], np.ndarray]  # similarity [entries], used [entries] -> [concepts]


def task(prompts: dict[str, list[dict[str, str]]], foreign: list[str], subject: Subject = SQUARES) -> dict[str, Any]:
    """Everything but images: the check, variants of the ranking, each polysemous prompt, words it does not know.

    prompts: benchmark entries (text, word, desired, undesired) by the name of their file; foreign: words of another
    benchmark.
    """
    _, clip, _ = session.pocket(subject)
    hrv = session.vectors(subject)
    lexicon = Lexicon.of(hrv, concept_vectors(clip, hrv.concepts))
    senses = {one["word"]: {one["desired"], one["undesired"]} for many in prompts.values() for one in many}
    check, vectors = lexicon.check, word_vectors(clip, senses)
    words = {word.word: word for word in word_senses(lexicon, vectors)}
    closer = np.abs(check.gaps)[None] - np.array([[abs(words[word].gap)] for word in senses])
    return {
        "check": {"words": check.words, "first": check.first, "among": check.among, "concepts": len(lexicon.concepts)},
        "variants": _variants(lexicon, vectors, senses, prompts, subject),
        "words": [_places(words[word], senses[word]) | {"as_open": check.as_open(words[word].gap)} for word in senses],
        "openness": float((closer > 0).mean() + (closer == 0).mean() / 2),
        "prompts": {name: [proposal(lexicon, clip, one) for one in many] for name, many in prompts.items()},
        "foreign": {
            "words": foreign, "known": sorted(set(foreign) - set(unknown_words(clip, word_vectors(clip, foreign))))
        },
    }  # fmt: skip


def proposal(lexicon: Lexicon, clip: Any, asked: dict[str, str]) -> dict[str, Any]:
    """What is proposed for a prompt: for its misread word, with and without the meaning, and which word is first."""
    vectors = word_vectors(clip, content_words(token_table(clip, asked["text"])))
    mine = word_vectors(clip, [asked["word"]])
    free, told = (word_senses(lexicon, mine, desired=known)[0] for known in ("", asked["desired"]))
    return {
        "text": asked["text"],
        "first": most_open(word_senses(lexicon, vectors)).word == asked["word"].lower(),
        "free": (free.pair.desired, free.pair.undesired),
        "told": (told.pair.desired, told.pair.undesired),
        "asked": (asked["desired"], asked["undesired"]),
        **_places(free, {asked["desired"], asked["undesired"]}),
    }


def _places(word: WordSenses, asked: set[str]) -> dict[str, Any]:
    order = [sense.concept for sense in word.senses]
    return {
        "word": word.word,
        "senses": [(sense.concept, round(sense.similarity, 3)) for sense in word.senses[:4]],
        "both_in_two": asked <= set(order[:2]),
        "both_in_three": asked <= set(order[:3]),
    }


def _variants(
    lexicon: Lexicon,
    vectors: dict[str, np.ndarray],
    senses: dict[str, set[str]],
    prompts: dict[str, list],
    subject: Subject,
) -> list[dict[str, Any]]:
    """Other ways to rank: names of left-out words that are right, and polysemous words with both senses in front."""
    asked = np.stack(list(vectors.values()))
    known = np.stack(list(word_vectors(session.pocket(subject)[1], (word for _, word in lexicon.entries)).values()))
    text = _cosines(known - lexicon.middle, asked - lexicon.middle)
    nearest, mean = _by_concept(lexicon, np.max), _by_concept(lexicon, np.mean)
    rows = [
        _score("nearest word of a concept (the node's)", lexicon, text, nearest, senses),
        _score("without taking the mean away", lexicon, _cosines(known, asked), nearest, senses),
        _score("mean over a concept's words", lexicon, text, mean, senses),
    ]
    owners = np.array([lexicon.concepts.index(concept) for concept, _ in lexicon.entries])
    weights = lexicon.relevance.values[[lexicon.relevance.concepts.index(name) for name in lexicon.concepts]]
    shares = weights[owners] / weights[owners].sum(axis=1, keepdims=True)  # [entries heads]
    parts = {what: _in_heads(what, known, asked, subject) for what in ("to_k", "to_v")}
    for what, (own, other) in parts.items():
        name = {"to_k": "keys", "to_v": "values"}[what]
        own_weighted, other_weighted = (np.einsum("qkh,kh->qk", one, shares) for one in (own, other))
        rows += [
            _score(f"{name} in all heads", lexicon, (own.mean(-1), other.mean(-1)), nearest, senses),
            _score(f"{name}, heads weighted by the HRV", lexicon, (own_weighted, other_weighted), nearest, senses),
            _score(
                f"text and weighted {name}",
                lexicon,
                (text[0] + own_weighted, text[1] + other_weighted),
                nearest,
                senses,
            ),
            _score(f"each head votes by {name}, weighted", lexicon, (own, other), _votes(lexicon, weights), senses),
        ]
    return [*rows, _read_in_prompt(lexicon, senses, prompts, subject)]


def _read_in_prompt(
    lexicon: Lexicon, senses: dict[str, set[str]], prompts: dict[str, list], subject: Subject
) -> dict[str, Any]:
    """The polysemous word read in its prompt instead of alone: in every prompt, both senses in front."""
    clip, orders = session.pocket(subject)[1], []
    for asked in (one for many in prompts.values() for one in many):
        columns = list(token_table(clip, asked["text"]).columns_of(asked["word"]))
        vector = encode(clip, asked["text"])[0][0][0, columns].float().mean(dim=0).numpy()
        orders.append((asked["word"], [sense.concept for sense in lexicon.senses(vector)]))
    two, three = (
        len({word for word in senses if all(senses[word] <= set(order[:count]) for of, order in orders if of == word)})
        for count in (2, 3)
    )
    return {"variant": "the word read in its prompt", "first": None, "among": None, "two": two, "three": three}


def _score(
    name: str,
    lexicon: Lexicon,
    similarities: tuple[np.ndarray, np.ndarray],
    nearness: Nearness,
    senses: dict[str, set[str]],
) -> dict[str, Any]:
    """similarities to all entries: of concept words [entries entries ...], of polysemous ones [words entries ...]."""
    own, other = similarities
    folded = np.array([word.casefold() for _, word in lexicon.entries])
    truth = [lexicon.concepts.index(concept) for concept, _ in lexicon.entries]
    places = [
        int((near > near[right]).sum())
        for right, near in (
            (truth[row], nearness(own[row], folded != folded[row])) for row in range(len(folded))
        )
    ]  # fmt: skip
    orders = [
        [lexicon.concepts[place] for place in np.argsort(-nearness(row, np.ones(len(folded), bool)), kind="stable")]
        for row in other
    ]
    two, three = (
        sum(asked <= set(order[:count]) for asked, order in zip(senses.values(), orders, strict=True))
        for count in (2, 3)
    )
    first, among = (sum(place < count for place in places) for count in (1, 3))
    return {"variant": name, "first": first, "among": among, "two": two, "three": three}


def _by_concept(lexicon: Lexicon, of: Callable) -> Nearness:
    owners = np.array([concept for concept, _ in lexicon.entries])
    return lambda similarity, used: np.array(
        [of(similarity[(owners == name) & used]) for name in lexicon.concepts]
    )  # fmt: skip


def _votes(lexicon: Lexicon, weights: np.ndarray) -> Nearness:
    """Every head votes for the concept of its nearest word; a vote counts as much as the head is relevant to it."""
    owners = np.array([lexicon.concepts.index(concept) for concept, _ in lexicon.entries])

    def count(similarity: np.ndarray, used: np.ndarray) -> np.ndarray:
        chosen = owners[np.where(used[:, None], similarity, -np.inf).argmax(axis=0)]  # [heads]
        return np.array([weights[place][chosen == place].sum() for place in range(len(weights))])

    return count


def _in_heads(projection: str, known: np.ndarray, asked: np.ndarray, subject: Subject) -> tuple[np.ndarray, np.ndarray]:
    """Cosines of centred keys or values in every head, [entries entries heads] and [words entries heads]."""
    layers = zip(*(_projected(projection, some, subject) for some in (known, asked)), strict=True)
    pairs = [_cosines(*layer) for layer in layers]
    return np.concatenate([own for own, _ in pairs], axis=-1), np.concatenate([other for _, other in pairs], axis=-1)


def _projected(projection: str, vectors: np.ndarray, subject: Subject) -> Iterator[np.ndarray]:
    """Per layer, [words heads dim], in HRV order of the layers."""
    for _, attention in cross_attentions(session.pocket(subject)[0].model.diffusion_model):
        project = getattr(attention, projection)
        found: Tensor = project(torch.from_numpy(vectors).to(project.weight)).float()
        yield found.unflatten(-1, (attention.heads, -1)).numpy()


def _cosines(known: np.ndarray, asked: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of the known words with one another, and of the asked ones with the known; [... channels], [... heads dim].

    With heads, the mean over the known words is taken away first.
    """
    middle = known.mean(axis=0) if known.ndim == 3 else 0
    a, b = _unit(known - middle), _unit(asked - middle)
    if known.ndim == 2:
        return a @ a.T, b @ a.T
    return np.einsum("qhd,khd->qkh", a, a), np.einsum("qhd,khd->qkh", b, a)


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)
