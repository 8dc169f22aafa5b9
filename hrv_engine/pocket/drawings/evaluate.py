"""`make pocket-figures`: what the drawings model shows of what it is asked for, with 95 % intervals.

Everything is read by the scorer, whose own accuracy `accuracy.py` measures. A family that the scorer reads wrong more
often than the model draws it says nothing of the model.
"""

from __future__ import annotations

import argparse
import itertools
import random
import sys
import time
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from ..model import CFG, MODELS, PocketModel
from ..shares import Share
from . import words
from .captions import describe
from .held_out import held_out_misreadings, held_out_pairs
from .reading import PRESENT, drawings_meant, read_senses, thing_shown
from .scenes import Named, Request
from .scorer import CLASSES, SHIPPED_SCORER, Scorer

#: Family → its words, in the order in which prompts take turns; "object": nothing but a noun.
_ASKED: dict[str, tuple[str, ...]] = {
    "object": ("",),
    "color": words.PLAIN_COLORS,
    "place": tuple(words.PLACES),
    "style": words.STYLES,
    "material": words.PLAIN_MATERIALS,
    "expression": words.EXPRESSIONS,
    "weather": words.WEATHERS,
    "pattern": words.PATTERNS,
    "light": words.LIGHTS,
    "count": tuple(words.COUNTS),
    "size": words.SIZES,
    "position": words.POSITIONS,
}


def single_thing_requests(count: int, seed: int = 0) -> list[tuple[str, str, Request]]:
    """(family, word, request) for captions of one thing and one further word; nouns and families evenly spread."""
    rng = random.Random(seed)
    plain = [noun for noun in words.NOUNS if noun not in words.SECOND_SENSE]
    nouns = itertools.cycle(rng.sample(plain, len(plain)))
    result = []
    for index, family in zip(range(count), itertools.cycle(_ASKED), strict=False):
        turn = index // len(_ASKED)
        word = _ASKED[family][turn % len(_ASKED[family])]
        thing = Named(f"{word} face" if family == "expression" else next(nouns))
        if family in ("color", "material", "pattern"):
            request = Request((replace(thing, **{family: word}),))
        else:
            whole: dict[str, Any] = {} if family in ("object", "expression") else {family: word}
            request = Request((thing,), **whole)
        result.append((family, word, request))
    return result


def shown(scores: dict[str, Tensor], row: int, family: str, word: str, request: Request) -> dict[str, bool]:
    """Whether image `row` shows the asked thing, and the asked word of its family."""
    noun = request.things[0].noun
    seen = words.DRAWINGS[int(scores["object"][row].argmax())] in drawings_meant(noun)
    if family in ("object", "expression"):
        return {family: seen}
    read_from = "paint" if family in ("color", "material") else family
    read = CLASSES[read_from][int(scores[read_from][row].argmax())]
    return {"object": seen, family: read == word}


def shown_rates(images: Iterable[Tensor], requests: list[tuple[str, str, Request]], scorer: Scorer) -> dict[str, Share]:
    """Share of images that show what was asked, by family; images [batch, 3, 64, 64] in the order of the requests."""
    hits: dict[str, list[bool]] = defaultdict(list)
    remaining = iter(requests)
    for batch in images:
        scores = scorer(batch)
        for row, asked in zip(range(len(batch)), remaining, strict=False):
            for family, good in shown(scores, row, *asked).items():
                hits[family].append(good)
    return {family: Share.of(values) for family, values in hits.items()}


def sampled(
    model: PocketModel, captions: list[str], steps: int = 20, cfg: float = CFG, batch: int = 20
) -> Iterable[Tensor]:
    """Images of the captions, batch by batch; the seed of a batch is its place."""
    for start in range(0, len(captions), batch):
        yield model.sample(captions[start : start + batch], seed=start, steps=steps, cfg=cfg)


def pair_rates(model: PocketModel, scorer: Scorer, count: int, steps: int = 20, cfg: float = CFG) -> dict[str, Share]:
    """Of held-out pairs of nouns: share of images with both things, with one, with none."""
    pairs = random.Random(1).sample(held_out_pairs(), count)
    captions = [describe(Request((Named(first), Named(second)))) for first, second in pairs]
    scores = scorer(torch.cat(list(sampled(model, captions, steps, cfg))))
    there = torch.tensor(
        [[bool(thing_shown(scores, noun)[row] > PRESENT) for noun in pair] for row, pair in enumerate(pairs)]
    ).sum(1)
    return {name: Share.of(there == number) for number, name in ((2, "both"), (1, "one"), (0, "none"))}


def colored_pair_rates(
    model: PocketModel, scorer: Scorer, count: int, steps: int = 20, cfg: float = CFG
) -> dict[str, Share]:
    """Of held-out pairs of nouns, each with a colour ("a red cat and a blue tree"): share with both, and with whose."""
    rng = random.Random(4)
    pairs = rng.sample(held_out_pairs(), count)
    colors = [rng.sample(words.PLAIN_COLORS, 2) for _ in pairs]
    requests = [Request(tuple(map(Named, *asked))) for asked in zip(pairs, colors, strict=True)]
    scores = scorer(torch.cat(list(sampled(model, [describe(request) for request in requests], steps, cfg))))
    read = [
        [CLASSES["paint"][int(scores[f"{side}_paint"][row].argmax())] for side in ("left", "right")]
        for row in range(count)
    ]
    return {
        "both things": Share.of(
            all(bool(thing_shown(scores, noun)[row] > PRESENT) for noun in pair) for row, pair in enumerate(pairs)
        ),
        "both colours": Share.of(asked == shown for asked, shown in zip(colors, read, strict=True)),
        "colours swapped": Share.of(asked == shown[::-1] for asked, shown in zip(colors, read, strict=True)),
    }


def misread_rates(
    model: PocketModel, scorer: Scorer, count: int, steps: int = 20, cfg: float = CFG
) -> dict[str, Share]:
    """Of held-out polysemous captions ("an orange sheep"): share of images misread, and with what each sense shows.

    All of them where fewer than `count` are held out.
    """
    every = held_out_misreadings()
    asked = random.Random(2).sample(every, min(count, len(every)))
    captions = [describe(Request((Named(noun, color),))) for color, noun in asked]
    scores = scorer(torch.cat(list(sampled(model, captions, steps, cfg))))
    seen = [
        read_senses({family: values[row : row + 1] for family, values in scores.items()}, color, noun)
        for row, (color, noun) in enumerate(asked)
    ]
    return {
        "misread": Share.of(bool(senses.misread) for senses in seen),
        "a second thing": Share.of(bool(senses.thing) for senses in seen),
        "asked colour": Share.of(bool(senses.color) for senses in seen),
        "asked noun": Share.of(bool(senses.noun) for senses in seen),
    }


def say(title: str, shares: dict[str, Share]) -> None:
    """Prints a title and a line a share."""
    sys.stdout.write("\n".join([title, *(f"  {name:16s} {share}" for name, share in shares.items())]) + "\n")
    sys.stdout.flush()


def main() -> None:
    """Command line: prints the figures of the model in docs/pocket.md."""
    parser = argparse.ArgumentParser(prog="python -m hrv_engine.pocket.drawings.evaluate", description=__doc__)
    parser.add_argument("--weights", default=str(MODELS["drawings"]))
    parser.add_argument("--scorer", default=str(SHIPPED_SCORER))
    parser.add_argument("--prompts", type=int, default=1000, help="of one thing; a fifth as many of other sorts")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--cfg", type=float, default=CFG)
    args = parser.parse_args()
    scorer = Scorer.load(args.scorer)
    model = PocketModel.load(args.weights)
    requests = single_thing_requests(args.prompts)
    started = time.monotonic()
    images = sampled(model, [describe(request) for *_, request in requests], args.steps, args.cfg)
    say(f"asked word shown, {args.prompts} prompts of one thing", shown_rates(images, requests, scorer))
    seconds = (time.monotonic() - started) / args.prompts
    fewer = max(1, args.prompts // 5)
    say(f"things shown, {fewer} held-out pairs of nouns", pair_rates(model, scorer, fewer, args.steps, args.cfg))
    rates = colored_pair_rates(model, scorer, fewer, args.steps, args.cfg)
    say(f"{fewer} held-out pairs of nouns, each with a colour", rates)
    misread = misread_rates(model, scorer, fewer, args.steps, args.cfg)
    say(f"{misread['misread'].images} held-out polysemous captions", misread)
    sys.stdout.write(f"{seconds:.2f} s an image of {args.steps} steps on {torch.get_num_threads()} threads\n")


if __name__ == "__main__":
    main()
