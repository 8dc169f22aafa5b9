"""The losses of a guided run as a table and as text."""

from collections.abc import Sequence
from typing import NamedTuple


class StepLosses(NamedTuple):
    """What a guidance measured in one step: losses [evaluations][images], the first before any move."""

    guidance: str
    step: int
    losses: list[list[float]]


def losses_table(measured: Sequence[StepLosses]) -> list[dict[str, str | int | float]]:
    """One row for every loss of a run."""
    return [
        {"guidance": name, "step": step, "evaluation": number, "image": image, "loss": loss}
        for name, step, evaluations in measured
        for number, losses in enumerate(evaluations)
        for image, loss in enumerate(losses)
    ]


def losses_text(measured: Sequence[StepLosses], steps: int) -> str:
    """One line per step: the loss of each image before the step's moves, after them if refined, and how often."""
    if not measured:
        return "Nothing was altered: no step of the run was to be moved, or the model has not sampled yet."
    lines = [f"{len({row.step for row in measured})} of {steps} steps altered; losses by image"]
    for name, step, evaluations in measured:
        first, last = (", ".join(f"{loss:.3f}" for loss in losses) for losses in (evaluations[0], evaluations[-1]))
        refined = f" -> {last} after {len(evaluations) - 1} refinements" if len(evaluations) > 1 else ""
        lines.append(f"{name}, step {step}: {first}{refined}")
    return "\n".join(lines)
