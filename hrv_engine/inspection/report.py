"""What vectors, a model and a steered prompt say about themselves, as text."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..attention.heads import HeadLayout
from ..errors import HRVError
from ..relevance.build_settings import NO_BEGIN, OWN_ROWS, OWN_RUNS
from ..relevance.relevance import EFFECT, HeadRelevance
from ..relevance.rescale import HeadScale
from ..text.alignment import TokenTable
from .effect_report import effect_lines, recipe_lines

FEW_VOTES = 20  # votes per head below which a row is mostly noise


def report(relevance: HeadRelevance) -> str:
    """Several lines on an HRV: layout, images, settings, and what each concept has: its votes, or its effects."""
    votes = relevance.votes
    lines = [f"{len(relevance.concepts.concepts)} concepts ({relevance.concepts.name}), {relevance.layout.summary}"]
    if relevance.effects is not None:
        return "\n".join([*lines, *effect_lines(relevance.effects)])
    if votes is None:
        source = relevance.source.get("imported_from", "another file")
        return "\n".join(
            [*lines, f"Imported from {source}: {_kind(relevance)}, so nothing is known of images or settings."]
        )
    lines.append(f"{votes.images} images: " + "; ".join(map(str, votes.parts)))
    lines += recipe_lines(votes.recipe)
    if votes.recipe.get("bos_key") == NO_BEGIN:
        lines.append(f"No begin-of-text key took part, whatever bos_key was: {_no_begin(votes.recipe.get('words'))}.")
    if votes.per_step is not None:
        lines.append(_steps_line(len(votes.per_step), votes.recipe.get("steps")))
    totals = votes.counts.sum(axis=1)
    shares = sorted(zip(totals / max(totals.sum(), 1), relevance.concepts.names, strict=True), reverse=True)
    lines.append("Votes: " + ", ".join(f"{name} {share:.1%}" for share, name in shares))
    few = [
        name
        for name, total in zip(relevance.concepts.names, totals, strict=True)
        if total < FEW_VOTES * relevance.layout.total
    ]
    if few:
        lines.append(
            f"Few votes (under {FEW_VOTES} a head), rows are noisy: {', '.join(few)}. More prompts, or prompts that"
            " show these, help."
        )
    return "\n".join(lines)


def _kind(relevance: HeadRelevance) -> str:
    return "vectors by effect without their sums" if relevance.method == EFFECT else "vectors without votes"


def _no_begin(words: str | None) -> str:
    if words == OWN_RUNS:
        return "every word's own prompt has its own, if any"
    return "a word rides beside the prompt without it" if words == OWN_ROWS else "this text encoder has none"


def _steps_line(steps: int, asked: Any) -> str:
    more = f": that is what the schedule has where {asked} are asked for" if asked not in (None, steps) else ""
    return f"Votes for each of {steps} steps{more}"


def model_lines(layout: HeadLayout, family: str, weights: str, able: bool) -> list[str]:
    """Lines on a model: family, fingerprint of its weights, layout, and whether it can carry out steering."""
    steering = "carries out HRV steering" if able else "no HRV steering on it"
    return [f"Model: {family}, weights {weights}, {layout.summary}, {steering}"]


def fit_lines(relevance: HeadRelevance, layout: HeadLayout, family: str, weights: str) -> list[str]:
    """Whether vectors belong to a model: same heads, same checkpoint."""
    try:
        relevance.for_layout(layout, family)
    except HRVError as error:
        return [f"The vectors do not fit the model. {error}"]
    recipe = {} if relevance.sums is None else relevance.sums.recipe
    built_for = recipe.get("model_fingerprint")
    if built_for is None:
        return ["The vectors fit the model's heads; nothing is known of the checkpoint they were built for."]
    if built_for != weights:
        return [
            "The vectors fit the model's heads, but were built for another checkpoint or with other LoRAs (weights"
            f" {built_for}). They often carry over between fine-tunes; build new ones to be sure."
        ]
    return ["The vectors were built for this very checkpoint."]


def run_lines(receipts: Sequence[str] | None) -> list[str]:
    """Lines on the last run of a model: what each control did, None where the model had none or was not sampled."""
    if receipts is None:
        return [
            "Last run: no HRV node acted in it, or it was drawn with another model. Connect the MODEL that the sampler"
            " has."
        ]
    return [f"Last run: {receipt}" for receipt in receipts]


def prompt_lines(table: TokenTable, scales: Sequence[HeadScale], able: bool | None) -> list[str]:
    """Lines on one prompt of a conditioning: its words, and what each steering does to which of them.

    able: whether the model carries out steering, None if unknown.
    """
    lines = [f'Prompt "{table.prompt}": {len(table.pieces)} tokens in {len(table.spoken())} words']
    for scale in scales:
        r = np.atleast_2d(scale.factors)
        touched = int((r != 1).any(axis=0).sum())
        images = f", {len(r)} images each with its own" if len(r) > 1 else ""
        lines.append(
            f"  {', '.join(table.words_at(scale.columns))}: {len(scale.columns)} tokens, {touched} of {r.shape[1]}"
            f" heads rescaled, r from {r.min():.2f} to {r.max():.2f}, from {scale.start:.0%} to {scale.end:.0%} of the"
            f" sampling{images}"
        )
    if not scales:
        lines.append("  no steering")
    elif able is False:
        lines.append(
            "  Warning: the model does not carry out steering, so this will do nothing. Connect the MODEL output of the"
            " steering node to the sampler."
        )
    return lines
