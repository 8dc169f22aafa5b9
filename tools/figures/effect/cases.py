"""The prompts of ordered weakening: a concept's word, with a word of another concept beside it."""

from __future__ import annotations

from .worlds import WORLDS

PROMPTS = 3  # of a concept


def cases(world: str, prompts: int = PROMPTS) -> list[tuple[str, str, str, str]]:
    """(concept, prompt, scored word, word beside it) of the weakening benchmark, in turn through both lists.

    prompts: of each concept.
    """
    rows, lists = WORLDS[world].weakened
    found = []
    for concept, row in rows.items():
        first, second = lists[row["a"]], lists[row["b"]]
        for number in range(prompts):
            a, b = first[number % len(first)], second[(number + number // len(first)) % len(second)]
            text = row["template"].replace("{a}", a).replace("{b}", b)
            words = text.split()
            articles = [
                ("an" if words[i + 1][0] in "aeiou" else "a") if word == "a" else word for i, word in enumerate(words)
            ]
            found.append((concept, " ".join(articles), a, b))
    return found
