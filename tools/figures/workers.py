"""Work on several cores: processes of one thread each, every one with ComfyUI and the pocket model in it."""

from __future__ import annotations

import importlib
import multiprocessing
import os
import signal
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from typing import Any

from tqdm import tqdm


@contextmanager
def pool(processes: int | None = None) -> Iterator[ProcessPoolExecutor]:
    """Processes, one per core or as many as said, each ready to draw; ended with the caller, whatever happens."""
    context = multiprocessing.get_context("spawn")
    executor = ProcessPoolExecutor(processes or len(os.sched_getaffinity(0)), mp_context=context, initializer=_start)
    before = signal.signal(signal.SIGTERM, _terminated)  # by default it would leave the processes behind
    try:
        yield executor
    except BaseException:
        for process in multiprocessing.active_children():
            process.terminate()
        executor.shutdown(wait=False, cancel_futures=True)
        raise
    finally:
        signal.signal(signal.SIGTERM, before)
    executor.shutdown()


def _terminated(number: int, _: object) -> None:
    raise SystemExit(128 + number)


def results(executor: ProcessPoolExecutor, module: str, tasks: Iterable[tuple], title: str) -> list[Any]:
    """`tools.figures.<module>.task(*arguments)` for every task, in the order of the tasks, with a progress bar."""
    futures = {executor.submit(_work, module, task): number for number, task in enumerate(tasks)}
    found: dict[int, Any] = {}
    for future in tqdm(as_completed(futures), total=len(futures), desc=title, smoothing=0):
        found[futures[future]] = future.result()
    return [found[number] for number in sorted(found)]


def _start() -> None:
    from ..pack import use_comfyui

    use_comfyui("--cpu")
    import torch

    torch.set_num_threads(1)


def _work(module: str, arguments: tuple) -> Any:
    import torch

    with torch.inference_mode():
        return importlib.import_module(f"comfyui_hrv.tools.figures.{module}").task(*arguments)
