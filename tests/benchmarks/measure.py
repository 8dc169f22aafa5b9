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


def paired(steps: dict[str, Step], rounds: int, seed: int = 0) -> dict[str, Ratio]:
    """Run all steps once a round, in a new order each time; ratios to the first of them, seconds by the clock.

    On a CPU the ratios are of user CPU time, which other programs disturb less than the clock; on a GPU, of the clock.
    """
    names, order = list(steps), random.Random(seed)
    for name in names:  # the first run loads weights and projects concept words
        steps[name]()
    cpu: dict[str, list[float]] = {name: [] for name in names}
    wall: dict[str, list[float]] = {name: [] for name in names}
    for _ in range(rounds):
        for name in order.sample(names, len(names)):
            user, clock = _seconds(steps[name])
            cpu[name].append(user)
            wall[name].append(clock)
    counted = wall if torch.cuda.is_available() else cpu
    plain = names[0]
    return {
        name: Ratio(
            *_middle([a / b for a, b in zip(counted[name], counted[plain], strict=True)]),
            best=min(counted[name]) / min(counted[plain]),
            wall=statistics.median(a / b for a, b in zip(wall[name], wall[plain], strict=True)),
            seconds=statistics.median(wall[name]),
        )
        for name in names
    }


def _seconds(step: Step) -> tuple[float, float]:
    _wait()
    user, clock = resource.getrusage(resource.RUSAGE_SELF).ru_utime, time.perf_counter()
    step()
    _wait()
    return resource.getrusage(resource.RUSAGE_SELF).ru_utime - user, time.perf_counter() - clock


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
