"""Sentences on which the reasons are looked for: those of a build by effect, or the same of other things."""

from __future__ import annotations

from functools import cache

from hrv_engine.relevance.samples import Sample

from ..effect.worlds import WORLDS

THINGS = {"dog": "cat", "dogs": "cats", "truck": "house", "trucks": "houses", "hat": "boat", "hats": "boats"}


@cache
def samples(world: str, concepts: tuple[str, ...], words: int, built: bool = False) -> list[Sample]:
    """A sample of the first words of each concept, in the order of the concepts; built: of the things of the build."""
    kept, seen = list[Sample](), dict[str, int]()
    for sample in WORLDS[world].samples(concepts).samples:
        seen[sample.concept] = seen.get(sample.concept, 0) + 1
        if seen[sample.concept] <= words:
            texts = (sample.with_word, sample.without)
            if not built:
                texts = _of_other_things(texts[0]), _of_other_things(texts[1])
            kept.append(Sample(sample.row, sample.concept, sample.word, *texts))
    return kept


def _of_other_things(text: str) -> str:
    return " ".join(THINGS.get(word, word) for word in text.split())
