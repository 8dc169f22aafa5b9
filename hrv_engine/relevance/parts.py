"""Which images a vote file counted: parts, each a run of neighbouring images of one prompt set with one seed."""

from collections.abc import Iterable
from typing import Any

from ..benchmarks.prompts import PromptSet
from ..errors import HRVError

Part = dict[str, Any]  # {"prompts": name, "digest": of the whole set, "seed", "start": first image, "images": how many}


def part_of(prompts: PromptSet, seed: int, start: int, images: int) -> Part:
    """The part of `images` images from number `start` of the whole prompt set."""
    return {"prompts": prompts.name, "digest": prompts.digest, "seed": seed, "start": start, "images": images}


def describe_part(part: Part) -> str:
    """One line on a counted part: prompts, range and seed."""
    start = int(part["start"])
    return f'prompts "{part["prompts"]}" {start} to {start + int(part["images"]) - 1}, seed {part["seed"]}'


def overlap(one: Part, other: Part) -> bool:
    """Whether both counted an image."""
    if any(one[key] != other[key] for key in ("digest", "seed")):
        return False
    return one["start"] < other["start"] + other["images"] and other["start"] < one["start"] + one["images"]


def joined(parts: Iterable[Part]) -> tuple[Part, ...]:
    """Parts by (prompts, seed, start), neighbours that touch made one, so the order of adding does not matter."""
    result: list[Part] = []
    for part in sorted(parts, key=lambda part: (part["digest"], part["seed"], part["start"])):
        last = result[-1] if result else None
        if (
            last
            and all(last[key] == part[key] for key in ("digest", "seed"))
            and last["start"] + last["images"] == part["start"]
        ):
            result[-1] = {**last, "images": last["images"] + part["images"]}
        else:
            result.append(dict(part))
    return tuple(result)


def counted(parts: Iterable[Part], prompts: PromptSet, seed: int) -> set[int]:
    """Numbers of the images of this prompt set and seed that were counted already."""
    mine = [part for part in parts if part["digest"] == prompts.digest and part["seed"] == seed]
    return {number for part in mine for number in range(part["start"], part["start"] + part["images"])}


def chosen(prompts: PromptSet, start: int, count: int) -> range:
    """Image numbers of the part that begins at `start` and has `count` images (0, or too many: to the end)."""
    total = len(prompts.prompts)
    if not 0 <= start < total or count < 0:
        raise HRVError(
            f'There is no part of {count} images from image {start} in "{prompts.name}": its {total} images are'
            f" numbered 0 to {total - 1}. Set start within these, and count to 0 (to the end) or more."
        )
    return range(start, min(start + count, total) if count else total)
