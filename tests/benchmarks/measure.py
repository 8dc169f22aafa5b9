"""Time as paired ratios within one process, and memory as what a step allocates at its peak."""

from __future__ import annotations

import random
import resource
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch

Step = Callable[[], None]


@dataclass(frozen=True)
class Ratio:
    """A step's time over the plain step's of the same round: median and quartiles, and the median by the clock.

    best: the shortest of all rounds over the plain step's shortest, which a busy machine disturbs least.
    """

    median: float
    low: float
    high: float
    best: float
    wall: float
    seconds: float


@dataclass(frozen=True)
class Times:
    """Seconds of every step by name, one number a round: user CPU time, all CPU time (the system's too), the clock."""

    user: dict[str, list[float]]
    cpu: dict[str, list[float]]
    wall: dict[str, list[float]]

    @property
    def counted(self) -> dict[str, list[float]]:
        """On a CPU user time, which other programs disturb less than the clock; on a GPU the clock."""
        return self.wall if torch.cuda.is_available() else self.user


def interleaved(steps: dict[str, Step], rounds: int, seed: int = 0) -> Times:
    """Run all steps once a round, in a new order each time."""
    names, order = list(steps), random.Random(seed)
    taken: dict[str, list[tuple[float, float, float]]] = {name: [] for name in names}
    for _ in range(rounds):
        for name in order.sample(names, len(names)):
            taken[name].append(_seconds(steps[name]))
    return Times(*({name: [one[kind] for one in taken[name]] for name in names} for kind in range(3)))


def ratios(seconds: dict[str, list[float]], name: str, against: str) -> list[float]:
    """A step's seconds over another's of the same round."""
    return [a / b for a, b in zip(seconds[name], seconds[against], strict=True)]


def paired(steps: dict[str, Step], rounds: int, seed: int = 0) -> dict[str, Ratio]:
    """Ratios to the first step, after one run of each that loads weights and projects concept words."""
    plain, *_ = steps
    for step in steps.values():
        step()
    times = interleaved(steps, rounds, seed)
    return {
        name: Ratio(
            *_middle(ratios(times.counted, name, plain)),
            best=min(times.counted[name]) / min(times.counted[plain]),
            wall=statistics.median(ratios(times.wall, name, plain)),
            seconds=statistics.median(times.wall[name]),
        )
        for name in steps
    }


def _seconds(step: Step) -> tuple[float, float, float]:
    _wait()
    before, clock = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
    step()
    _wait()
    wall, after = time.perf_counter() - clock, resource.getrusage(resource.RUSAGE_SELF)
    user = after.ru_utime - before.ru_utime
    return user, user + after.ru_stime - before.ru_stime, wall


def _wait() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def _middle(ratios: list[float]) -> tuple[float, float, float]:
    low, median, high = statistics.quantiles(ratios, n=4, method="inclusive")
    return median, low, high


def peak_bytes(step: Step) -> int:
    """The most memory that tensors made during the step hold at one moment, beyond what lived before it."""
    if torch.cuda.is_available():
        _wait()
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        step()
        return torch.cuda.max_memory_allocated() - before
    activities = [torch.profiler.ProfilerActivity.CPU]
    with torch.profiler.profile(activities=activities, profile_memory=True, acc_events=True) as profile:
        step()
    events = profile.profiler.kineto_results.events()  # every allocation and release of torch's allocator
    changes = sorted((event.start_ns(), event.nbytes()) for event in events if event.name() == "[memory]")
    held = peak = 0
    for _, change in changes:
        held += change
        peak = max(peak, held)
    return peak
