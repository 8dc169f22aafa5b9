"""The tables of `make figures-effect` as text."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .tables import summary


def lines(world: str, done: dict[str, Any]) -> Iterator[str]:
    """Everything that was measured on one pocket model, as Markdown."""
    yield f"## {world}"
    if "build" in done:
        built = done["build"]
        passes = ", ".join(f"{kind} {count}" for kind, count in built["passes"].items())
        yield f"\n{built['images']} images voted, {built['samples']} samples were measured."
        yield f"Rows through the model: {passes}."
    if done.get("criterion"):
        told = ", ".join(f"{sense} {share:.1%}" for sense, share in done["criterion"].items())
        yield f"Of renders the scorer calls right: {told}."
    for how, table in done.get("weakening", {}).items():
        yield f"\n### Weakened in order, {how}\n"
        yield from areas_lines(table)
    if done.get("oracle"):
        yield "\n### Against every head alone (correlation)\n\n| concept | votes | effect |\n|---|---|---|"
        for concept, one in done["oracle"].items():
            yield f"| {concept} | {one['votes']:.2f} | {one['effect']:.2f} |"
    for part, title in (
        ("choosing", "On prompts for choosing the clamp"),
        ("misreading", "On prompts that chose nothing"),
    ):
        if part in done:
            yield f"\n### {title}: read right\n\n| setting | images | right | 95 % | a second thing | colour |"
            yield "|---|---|---|---|---|---|"
            for setting, one in done[part].items():
                low, high = one["interval"]
                yield (
                    f"| {setting} | {one['images']} | {one['right']:.1%} | {low:.0%} to {high:.0%} |"
                    f" {one['thing']:.1%} | {one['color']:.1%} |"
                )
    if "agreement" in done:
        yield from agreement_lines(done["agreement"])


def areas_lines(table: dict[str, dict[str, Any]]) -> Iterator[str]:
    yield (
        "| concept | plain | votes | effect | both | random: least, median, largest | least first: votes, effect |"
        " word beside: votes / effect / random |"
    )
    yield "|---|---|---|---|---|---|---|---|"
    for concept, one in table.items():
        area, beside, random = one["area"], one["beside"], one["random"]
        chance = f"{random[0]:.2f}, {random[len(random) // 2]:.2f}, {random[-1]:.2f}" if random else ""
        both = f"{area['both']:.2f}" if "both" in area else ""
        yield (
            f"| {concept} | {one['plain']:.2f} | {area['votes']:.2f} | {area['effect']:.2f} | {both} | {chance} |"
            f" {area['votes least']:.2f}, {area['effect least']:.2f} | {beside['votes']:.2f} / {beside['effect']:.2f} /"
            f" {one['random beside']:.2f} |"
        )
    yield "\n" + ", ".join(f"{name}: {count}" for name, count in summary(table).items())


def agreement_lines(found: dict[str, Any]) -> Iterator[str]:
    few = found["few words"]
    kinds = [kind for kind in found if kind != "few words"]
    yield "\n### Agreement with the vectors by effect: cosine (heads in common of the first ten)\n"
    yield "| concept | " + " | ".join(kinds) + " | 1, 2, 4 words of all |"
    yield "|---" * (len(kinds) + 2) + "|"
    for concept in few:
        cells = [
            f"{found[kind][concept]['cosine']:.2f} ({found[kind][concept]['top']})" if concept in found[kind] else ""
            for kind in kinds
        ]
        words = ", ".join(f"{few[concept][count]:.2f}" for count in few[concept])
        yield f"| {concept} | " + " | ".join(cells) + f" | {words} |"
