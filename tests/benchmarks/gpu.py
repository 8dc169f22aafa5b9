"""`python -m tools.bench gpu`: what a step costs on a card, in milliseconds and as ratios, within a given time.

Sections run one after the other, each until its share of the time is used. What fails is printed and written down, and
the rest goes on; output/bench_gpu.json is written after every section. On a CPU it is a dry run on tiny models.
"""

from __future__ import annotations

import argparse
import gc
import json
import signal
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import comfy.ldm.modules.attention as host_attention
import comfy.memory_management
import comfy.model_management
import comfy.model_patcher
import comfy.supported_models
import comfy.utils
import torch

from comfyui_hrv.nodes.host.conditioning import KEY
from comfyui_hrv.nodes.host.steering import steered
from comfyui_hrv.tests.nodes.families.steered import annotation, factors_of
from comfyui_hrv.tests.nodes.families.tiny_models import TINY
from comfyui_hrv.tests.nodes.tiny import tiny_sdxl, tiny_trio

from .compiled import compiled_runs
from .edits import edits
from .full_size import Steps, sd15, steps, sweeps
from .guided import BOTH, SAVING, guided_steps
from .small_sdxl import FULL_CHANNELS, FULL_SIDE, FULL_WIDTHS, small_sdxl

OUTPUT = Path(__file__).parents[2] / "output" / "bench_gpu.json"
LIMIT = 7.3e9  # bytes that a card of 8 GB leaves to PyTorch
EFFECT = "heads by effect"  # a run of its own, no step
Cases = dict[str, Steps]


@dataclass
class Scale:
    """How large and long: full size on a card, tiny in a dry run. A model is kept until another is asked for.

    few, many: the steps of the two runs whose difference is timed, so that what happens once a run is left out.
    """

    tiny: bool
    few: int
    many: int
    rounds: int
    _kept: dict[Any, tuple[Any, Any]] = field(default_factory=dict)

    def sd15(self, dtype: torch.dtype = torch.float16) -> tuple[Any, Any]:
        """MODEL and CLIP; in a dry run in float32 whatever is asked for."""
        return self._made(("SD1.5", dtype), partial(_pair, tiny_trio) if self.tiny else partial(sd15, dtype))

    def sdxl(self) -> tuple[Any, Any]:
        """MODEL and CLIP."""
        full = partial(small_sdxl, FULL_CHANNELS, FULL_WIDTHS)
        return self._made("SDXL", partial(_pair, tiny_sdxl) if self.tiny else full)

    def side(self, full: int) -> int:
        """The side of a latent that is `full` on a card."""
        return 16 if self.tiny else full

    def _made(self, name: Any, make: Callable[[], tuple[Any, Any]]) -> tuple[Any, Any]:
        if name not in self._kept:
            self._kept.clear()
            gc.collect()
            self._kept[name] = make()
        return self._kept[name]


def _pair(make: Callable[[], Any]) -> tuple[Any, Any]:
    trio = make()
    return trio.model, trio.clip


@dataclass
class Report:
    """Rows as they come: printed at once, and written after every section."""

    path: Path
    started: float
    rows: list[dict[str, Any]] = field(default_factory=list)

    def add(self, section: str, name: str, **values: Any) -> None:
        """A row with what is known of a case."""
        self.rows.append({"section": section, "name": name, **values})
        spent = time.monotonic() - self.started
        told = "  ".join(f"{key} {value}" for key, value in values.items())
        print(f"{spent:5.0f} s  {section:20}{name:36}{told}", flush=True)

    def write(self) -> None:
        """All rows so far, with the card's name."""
        self.path.parent.mkdir(exist_ok=True)
        found = {"device": device_name(), "torch": torch.__version__, "rows": self.rows}
        self.path.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")

    @contextmanager
    def guarded(self, section: str, name: str) -> Iterator[None]:
        """What fails inside is a row, and the rest goes on."""
        try:
            yield
        except Exception as error:  # whatever it is: one failure must lose nothing
            self.add(section, name, error=f"{type(error).__name__}: {' '.join(str(error).split())[:200]}")
            if torch.cuda.is_available():
                torch.cuda.empty_cache()


def device_name() -> str:
    """The card's name, or that there is none."""
    return torch.cuda.get_device_name() if torch.cuda.is_available() else "CPU (a dry run: no figure counts)"


def main(arguments: list[str]) -> int:
    """Measure section by section within the time; 0 however much of it failed, 1 if nothing was measured at all."""
    parser = argparse.ArgumentParser(prog="python -m tools.bench gpu", description=__doc__)
    parser.add_argument("--seconds", type=float, default=170, help="the time to keep to (default %(default)s)")
    parser.add_argument("--only", default="", help="sections whose names hold this")
    options = parser.parse_args(arguments)
    comfy.utils.PROGRESS_BAR_ENABLED = False
    tiny = not torch.cuda.is_available()
    scale = Scale(tiny, 1, 2, 1) if tiny else Scale(tiny, 2, 8, 5)
    report = Report(OUTPUT, time.monotonic())
    end = report.started + options.seconds
    attend = host_attention.optimized_attention.__name__
    print(f"{device_name()}, torch {torch.__version__}, {attend}; milliseconds of a step with cond and uncond")
    chosen = {name: each for name, each in SECTIONS.items() if options.only in name}
    shares = sum(share for share, _ in chosen.values())
    with torch.inference_mode():
        for name, (share, measure) in chosen.items():
            left = end - time.monotonic()
            until = time.monotonic() + left * share / shares
            shares -= share
            if left <= 0:
                report.add(name, "all", skipped="no time left")
            else:
                with report.guarded(name, "all"), cut_off(report, name, min(left, 1.5 * (until - time.monotonic()))):
                    measure(scale, partial(timed, scale, report, name, until), report)
            report.write()
            comfy.model_management.unload_all_models()  # or the host looks for lost clones at every run
            gc.collect()
    return 0 if any("ms" in row for row in report.rows) else 1


class OutOfTime(BaseException):
    """A section takes longer than it may; no Exception, so that nothing on the way swallows it."""


@contextmanager
def cut_off(report: Report, section: str, seconds: float) -> Iterator[None]:
    """What is still going on inside after so many seconds ends there: a compiler asks no clock."""

    def stop(*_: Any) -> None:
        raise OutOfTime

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, max(0.1, seconds))
    try:
        yield
    except OutOfTime:
        report.add(section, "all", skipped=f"cut off after {seconds:.0f} s")
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def timed(scale: Scale, report: Report, section: str, until: float, cases: Cases) -> None:
    """Milliseconds of a step of each case, and its ratio to the first, in interleaved rounds until the time is over."""
    peaks, found = dict[str, float](), dict[str, list[float]]()
    for name, run in cases.items():
        if time.monotonic() > until and found:
            report.add(section, name, skipped="no time left")
            continue
        with report.guarded(section, name):
            run(scale.few)  # loads, and fills what a process keeps
            peaks[name] = _peak(partial(run, scale.few))
            found[name] = [_step(scale, run)]
    for _ in range(scale.rounds - 1):
        for name in list(found):
            if time.monotonic() < until:
                with report.guarded(section, name):
                    found[name].append(_step(scale, cases[name]))
    plain = next(iter(cases))
    for name, times in found.items():
        row: dict[str, Any] = {"ms": round(statistics.median(times), 2), "rounds": len(times)}
        if name != plain and plain in found:
            row["ratio"] = round(statistics.median(a / b for a, b in zip(times, found[plain], strict=False)), 3)
        report.add(section, name, **row, peak_mb=round(peaks[name] / 1e6))


def _step(scale: Scale, run: Steps) -> float:
    """Milliseconds of a step, what happens once a run left out."""
    return (_seconds(partial(run, scale.many)) - _seconds(partial(run, scale.few))) * 1e3 / (scale.many - scale.few)


def _seconds(run: Callable[[], Any]) -> float:
    _wait()
    started = time.perf_counter()
    run()
    _wait()
    return time.perf_counter() - started


def _wait() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def _peak(run: Callable[[], Any]) -> float:
    """Bytes beyond what lived before; 0 on a CPU."""
    if not torch.cuda.is_available():
        return 0.0
    _wait()
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    run()
    _wait()
    return torch.cuda.max_memory_allocated() - before


Timed = Callable[[Cases], None]


def _sd15(scale: Scale, timed: Timed, report: Report) -> None:
    timed(steps(*scale.sd15(), scale.side(64)))


def _sd15_batch(scale: Scale, timed: Timed, report: Report) -> None:
    timed(steps(*scale.sd15(), scale.side(64), images=4))


def _sd15_bfloat16(scale: Scale, timed: Timed, report: Report) -> None:
    timed(steps(*scale.sd15(torch.bfloat16), scale.side(64)))


def _sweep(scale: Scale, timed: Timed, report: Report) -> None:
    timed(sweeps(*scale.sd15(), scale.side(64)))


def _sd15_pair(scale: Scale, timed: Timed, report: Report) -> None:
    timed(edits(*scale.sd15(), scale.side(64)))


def _sd15_guided(scale: Scale, timed: Timed, report: Report) -> None:
    timed(_without_effect(guided_steps(*scale.sd15(), scale.side(64))))


def _sdxl(scale: Scale, timed: Timed, report: Report) -> None:
    timed(steps(*scale.sdxl(), scale.side(FULL_SIDE)))


def _sdxl_pair(scale: Scale, timed: Timed, report: Report) -> None:
    timed(edits(*scale.sdxl(), scale.side(FULL_SIDE)))


def _sdxl_guided(scale: Scale, timed: Timed, report: Report) -> None:
    found = _without_effect(guided_steps(*scale.sdxl(), scale.side(FULL_SIDE)))
    timed({name: run for name, run in found.items() if "usual" not in name})


def _without_effect(cases: Cases) -> Cases:
    return {name: run for name, run in cases.items() if EFFECT not in name}


def _transformers(scale: Scale, timed: Timed, report: Report) -> None:
    for family in ("Wan", "Flux.1"):
        tiny = TINY[family]
        model, context, negative = tiny.model(), tiny.prompt(7, 1), tiny.conditioning(tiny.prompt(7, 2))
        asked = tiny.conditioning(context, **{KEY: annotation(factors_of(model))})

        def run(model: Any, positive: list, tiny: Any = tiny, negative: list = negative) -> Steps:
            return lambda steps=1: tiny.sample(model, positive, negative, 1, steps)

        plain = run(model, tiny.conditioning(context))
        timed({f"tiny {family}": plain, f"tiny {family}, a word weighted by head": run(steered(model), asked)})


def _compiled(scale: Scale, timed: Timed, report: Report) -> None:
    timed(compiled_runs())


def _eight_gigabytes(scale: Scale, timed: Timed, report: Report) -> None:
    """SDXL with the allocator held to what a card of 8 GB leaves: does it fit?"""
    model, clip = scale.sdxl()
    side = scale.side(FULL_SIDE)
    wanted = {SAVING: guided_steps, BOTH: guided_steps, "P2P-HRV": edits}
    runs = {name: make(model, clip, side)[name] for name, make in wanted.items()}  # encodes the prompts
    gpu = torch.cuda.is_available()
    comfy.model_management.unload_all_models()  # the host sees the whole card: it would keep the text encoders there
    gc.collect()
    if gpu:
        total = torch.cuda.get_device_properties(0).total_memory
        torch.cuda.empty_cache()
        torch.cuda.set_per_process_memory_fraction(LIMIT / total)
    try:
        for name, run in runs.items():
            with report.guarded("SDXL on 8 GB", name):
                peak = _peak(partial(run, scale.few))
                in_all = torch.cuda.max_memory_allocated() if gpu else 0
                report.add("SDXL on 8 GB", name, fits=True, peak_mb=round(peak / 1e6), in_all_mb=round(in_all / 1e6))
    finally:
        if gpu:
            torch.cuda.set_per_process_memory_fraction(1.0)


def _dynamic(scale: Scale, timed: Timed, report: Report) -> None:
    """The host's DynamicVRAM, switched on as it does at its start: for the rest of the process, so last of all."""
    import comfy_aimdo.control  # type: ignore[import-untyped]
    from comfy.cli_args import args

    model, clip = scale.sd15()  # made before, since the host then leaves new weights on the meta device
    comfy_aimdo.control.init(simple_vram_headroom=None, nvml_pressure=True)
    devices = comfy.model_management.get_all_torch_devices()
    try:
        on = comfy_aimdo.control.init_devices((one.index, int(args.vram_headroom * 1024**3)) for one in devices)
    except TypeError:  # an older one
        on = comfy_aimdo.control.init_devices(one.index for one in devices)
    if not on:
        report.add("DynamicVRAM", "all", skipped="comfy-aimdo does not run here")
        return
    weights = {name: weight.to("cpu", copy=True) for name, weight in model.model.diffusion_model.state_dict().items()}
    config, load, offload = model.model.model_config, model.load_device, torch.device("cpu")
    base = type(model.model)(config, device=offload)
    base.diffusion_model.load_state_dict(weights, assign=True)
    comfy.memory_management.aimdo_enabled = True
    dynamic = comfy.model_patcher.ModelPatcherDynamic(base, load_device=load, offload_device=offload)
    timed(steps(dynamic, clip, scale.side(64)))
    timed(edits(dynamic, clip, scale.side(64)))
    timed(_without_effect(guided_steps(dynamic, clip, scale.side(64))))


SECTIONS: dict[str, tuple[float, Callable[[Scale, Timed, Report], None]]] = {  # name -> share of the time, what to do
    "SD1.5": (3, _sd15),
    "SD1.5 pair": (2, _sd15_pair),
    "SD1.5 guided": (4, _sd15_guided),
    "SD1.5, batch of 4": (2, _sd15_batch),
    "SD1.5 sweep of 4": (1, _sweep),
    "SD1.5 in bfloat16": (2, _sd15_bfloat16),
    "SDXL": (4, _sdxl),
    "SDXL pair": (3, _sdxl_pair),
    "SDXL guided": (5, _sdxl_guided),
    "SDXL on 8 GB": (2, _eight_gigabytes),
    "transformers": (1, _transformers),
    "torch.compile": (3, _compiled),
    "DynamicVRAM": (3, _dynamic),
}
