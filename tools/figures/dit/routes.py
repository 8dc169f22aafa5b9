"""Which way a word comes to the image: through its own tokens, through others that have taken it up, at which depth."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

import torch
from torch import Tensor

from ..effect.session import pocket
from .sentences import samples
from .watching import TEXT, Rows, Text, for_image, latents, predict, text_of


def depths(double: int, single: int) -> dict[str, range]:
    """Sites by depth: those of the double blocks, and thirds of the single ones."""
    ends = [double + round(single * part / 3) for part in range(4)]
    names = ("first third of single blocks", "second third", "last third")
    return {"double blocks": range(double), **dict(zip(names, map(range, ends[:-1], ends[1:]), strict=True))}


def task(world: str, concepts: tuple[str, ...], words: int, number: int) -> list[dict[str, float]]:
    """{route: share of d that is gone without it} of a sample, a dict a noise level.

    d: the prediction with the word minus that without. Without a route: the image's queries are given the keys and
    values that these text tokens have in the run without the word, at all layers or those of a depth.
    """
    sample = samples(world, concepts, words)[number]
    asked, plain = text_of(world, sample), text_of(world, sample, without=True)
    return [_routes(world, x, level, asked, plain) for x, level in latents(world, sample.with_word, 40 + number)]


def _routes(world: str, x: Tensor, level: float, asked: Text, plain: Text) -> dict[str, float]:
    kept: dict[int, Rows] = {}

    def keep(site: int, k: Tensor, v: Tensor) -> None:
        kept[site] = k, v

    without = predict(world, x, level, plain.context, for_image(keep))
    d = predict(world, x, level, asked.context) - without

    def gone(columns: list[int], sites: Collection[int]) -> float:
        def change(site: int, k: Tensor, v: Tensor) -> Rows | None:
            if site not in sites:
                return None
            k, v = k.clone(), v.clone()
            k[:, :, columns], v[:, :, columns] = (one[:, :, columns] for one in kept[site])
            return k, v

        return share(predict(world, x, level, asked.context, for_image(change)))

    def share(prediction: Tensor) -> float:
        return 1 - float(((prediction - without) * d).sum() / (d * d).sum())

    flux: Any = pocket(world)[0].model.diffusion_model
    double, single = len(flux.double_blocks), len(flux.single_blocks)
    everywhere, every = range(double + single), list(range(TEXT))
    found = {name: gone(columns, everywhere) for name, columns in asked.groups.items()}
    found["all text"] = gone(every, everywhere)
    found |= {f"all text, {name}": gone(every, sites) for name, sites in depths(double, single).items()}
    hidden = _hidden_from_text(list(asked.word), kept)
    found["word hidden from the other text"] = share(predict(world, x, level, asked.context, hidden))
    for name in ("end tokens", "word"):
        swapped = asked.context.clone()
        swapped[:, asked.groups[name]] = plain.context[:, asked.groups[name]]
        found[f"{name} as encoded"] = share(predict(world, x, level, swapped))
        if name == "end tokens":
            found["both: hidden, and end tokens as encoded"] = share(predict(world, x, level, swapped, hidden))
    return found


def _hidden_from_text(word: list[int], kept: dict[int, Rows]) -> Callable[..., Tensor]:
    """An `act` under which text that is not the word sees the word's rows as they are without it."""

    def act(site: int, q: Tensor, k: Tensor, v: Tensor, proceed: Callable[..., Tensor]) -> Tensor:
        others = k.clone(), v.clone()
        for mine, without in zip(others, kept[site], strict=True):
            mine[:, :, word] = without[:, :, word]
        seen = proceed(q, k, v)
        text = proceed(q[:, :, :TEXT], *others)
        text[:, word] = seen[:, word]
        return torch.cat([text, seen[:, TEXT:]], dim=1)

    return act
