"""The benchmark's own instruments: memory by arithmetic, and every step paired with the plain one."""

import torch

from comfyui_hrv.tests.benchmarks.measure import interleaved, paired, peak_bytes, ratios

MEGA = 250_000  # float32 numbers in 10^6 bytes


def test_peak_memory_is_the_most_that_lives_at_once_and_not_the_sum():
    def three_in_a_row():
        for _ in range(3):
            torch.ones(4 * MEGA)

    def two_at_once():
        first = torch.ones(3 * MEGA)
        return first + 1

    assert round(peak_bytes(three_in_a_row) / 1e6) == 4
    assert round(peak_bytes(two_at_once) / 1e6) == 6


def test_memory_that_lived_before_the_step_does_not_count():
    weights = torch.ones(5 * MEGA)
    assert round(peak_bytes(lambda: weights * 2) / 1e6) == 5
    assert peak_bytes(lambda: weights.mul_(2)) < 1e6


def test_every_step_runs_once_a_round_after_one_warm_up_and_the_plain_step_is_its_own_yardstick():
    calls: list[str] = []
    matrix = torch.ones(800, 800)
    steps = {name: lambda name=name: (calls.append(name), matrix @ matrix)[0] for name in ("plain", "other")}
    ratios = paired(steps, rounds=4)
    assert calls[:2] == ["plain", "other"]
    rounds = [tuple(calls[start : start + 2]) for start in range(2, len(calls), 2)]
    assert len(rounds) == 4 and all(sorted(each) == ["other", "plain"] for each in rounds)
    assert len(set(rounds)) == 2  # interleaved in changing order
    assert ratios["plain"].median == ratios["plain"].low == ratios["plain"].high == ratios["plain"].best == 1
    assert ratios["other"].low <= ratios["other"].median <= ratios["other"].high


def test_steps_are_compared_within_a_round_and_all_cpu_time_holds_the_users():
    matrix = torch.ones(400, 400)
    times = interleaved({"one": lambda: matrix @ matrix, "ten": lambda: [matrix @ matrix for _ in range(10)]}, rounds=3)
    assert all(a <= b for name in times.user for a, b in zip(times.user[name], times.cpu[name], strict=True))
    assert ratios(times.wall, "ten", "ten") == [1.0] * 3
    assert ratios({"a": [6.0, 8.0], "b": [3.0, 2.0]}, "a", "b") == [2.0, 4.0]
