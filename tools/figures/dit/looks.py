"""What heads of a Flux-shaped model look at, and what they write: votes of words alone or in sentences, and more."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from ..effect.session import pocket
from ..effect.worlds import WORLDS
from .sentences import samples
from .watching import TEXT, Text, latents, predict, text_of


def task(world: str, concepts: tuple[str, ...], words: int, number: int) -> dict[str, Any]:
    """Of a sample's image: {quantity: [heads]}, and votes [concepts heads] as "alone" and "in sentences".

    The sentence and the noise are others than those on which orders are tried. word, text, end tokens: the part of
    the image's attention that is on them. written: mean length of what a head adds to the image's rows from the word's
    values. Votes: as Algorithm 1's, one word drawn for each concept.
    """
    sample, rng = samples(world, concepts, words, built=True)[number], random.Random(number)
    asked, clip, every = text_of(world, sample), pocket(world)[1], WORLDS[world].samples()
    drawn = [rng.choice([one for one in every.samples if one.concept == concept]) for concept in every.concepts.names]
    sentences = [text_of(world, one) for one in drawn]
    alone = [_alone(clip, one.word) for one in drawn]
    found: dict[str, Any] = {}
    for x, level in latents(world, sample.with_word, 80 + number):
        looks = _Looks(world, asked)
        predict(world, x, level, asked.context, looks)
        for name, values in looks.found.items():
            found[name] = found.get(name, 0) + torch.cat(values) / 2
        for name, texts in (("alone", alone), ("in sentences", sentences)):
            keys = _keys(world, x, level, texts)
            chosen = torch.stack([_choice(q, k) for q, k in zip(looks.queries, keys, strict=True)])  # [sites heads]
            votes = torch.nn.functional.one_hot(chosen.flatten(), len(drawn)).T
            found[name] = found.get(name, 0) + votes
    return {name: value.tolist() for name, value in found.items()}


def _alone(clip: Any, word: str) -> Text:
    from ....nodes.host.tokens import semantic_columns
    from ....nodes.host.words import encode

    columns = tuple(semantic_columns(clip, word))
    return Text(encode(clip, word)[0][0], columns, columns[-1] + 1)


def _keys(world: str, x: Tensor, level: float, texts: list[Text]) -> list[list[Tensor]]:
    """Keys [heads tokens dim] of each text's word, by site."""
    heard: list[list[Tensor]] = []

    def listen(_site: int, q: Tensor, k: Tensor, v: Tensor, proceed: Callable[..., Tensor]) -> Tensor:
        heard.append([k[row][:, list(text.word)].float() for row, text in enumerate(texts)])
        return proceed(q, k, v)

    predict(world, x, level, torch.cat([text.context for text in texts]), listen)
    return heard


def _choice(query: Tensor, keys: list[Tensor]) -> Tensor:
    """The concept that each head of a site attends to most, [heads]."""
    logits = query @ torch.cat(keys, dim=1).transpose(1, 2) * query.shape[-1] ** -0.5
    shares = logits.softmax(-1).mean(1).split([key.shape[1] for key in keys], dim=1)
    return torch.stack([share.mean(1) for share in shares]).argmax(0)


class _Looks:
    """Of every site: the image's queries [heads pixels dim], where they look, and what they take from the word."""

    def __init__(self, world: str, text: Text) -> None:
        flux: Any = pocket(world)[0].model.diffusion_model
        outputs = [block.img_attn.proj.weight for block in flux.double_blocks]
        outputs += [block.linear2.weight[:, : block.hidden_size] for block in flux.single_blocks]
        self.outputs, self.groups = [weight.float() for weight in outputs], text.groups
        self.queries: list[Tensor] = []
        self.found: dict[str, list[Tensor]] = {}

    def __call__(self, site: int, q: Tensor, k: Tensor, v: Tensor, proceed: Callable[..., Tensor]) -> Tensor:
        query, key, value = q[0, :, TEXT:].float(), k[0].float(), v[0].float()
        self.queries.append(query)
        shares = (query @ key.transpose(1, 2) * query.shape[-1] ** -0.5).softmax(-1)
        columns = self.groups["word"]
        taken = shares[:, :, columns] @ value[:, columns]  # [heads pixels dim]
        by_head = self.outputs[site].unflatten(1, (len(query), -1)).permute(1, 2, 0)  # [heads dim channels]
        masses = {"word": columns, "text": list(range(TEXT)), "end tokens": self.groups["end tokens"]}
        for name, of in masses.items():
            self.found.setdefault(name, []).append(shares[:, :, of].sum(2).mean(1))
        self.found.setdefault("written", []).append((taken @ by_head).norm(dim=2).mean(1))
        return proceed(q, k, v)
