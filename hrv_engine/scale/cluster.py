"""One build over the processes of a Ray cluster (the `scale` extra), or of a Ray started on this machine."""

import contextlib
import os
import socket
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..errors import HRVError
from ..optional import library
from ..paths import ROOT
from .tally import Tally
from .worker import build_part

LOCAL = "local"
KNOCK_SECONDS = 10
STORE_BYTES = 100 * 2**20  # votes of a part are a few hundred kilobytes
LEFT_BEHIND = (".git", "output", "tests", "tools", "web", "workflows", "locales")  # what a worker does not need


def run(
    job: Mapping[str, Any], parts: Sequence[range], tally: Tally, address: str, workers: int, threads: int, gpus: float
) -> None:
    """Build every part and add it to the tally as it comes; at most `workers` at a time.

    address: of a cluster (host:port or auto), or "local". threads, gpus: of each worker. A worker
    that dies has its part done again, three times at most. Whatever ends this, finished parts are in the tally.
    """
    with _ray(address, workers, threads) as ray:
        if gpus > ray.cluster_resources().get("GPU", 0):
            raise HRVError(
                f"Each worker is to have {gpus:g} GPU, but this Ray has {ray.cluster_resources().get('GPU', 0):g} in"
                " all. Give --gpus 0 --cpu to build on processors, or an address of a cluster that has them."
            )
        task = ray.remote(build_part).options(num_cpus=threads, num_gpus=gpus, max_retries=3)
        waiting = list(parts)
        in_flight: dict[Any, range] = {}
        while waiting or in_flight:
            while waiting and len(in_flight) < workers:
                part = waiting.pop(0)
                in_flight[task.remote(job, part.start, len(part))] = part
            (ready,), _ = ray.wait(list(in_flight), num_returns=1)
            tally.add(_result(ray, ready, in_flight.pop(ready)))


def _result(ray: Any, ready: Any, part: range) -> bytes:
    try:
        return ray.get(ready)
    except ray.exceptions.RayTaskError as error:
        if isinstance(error.cause, HRVError):
            raise HRVError(str(error.cause)) from None
        raise HRVError(f"Images {part.start} to {part.stop - 1} failed on a worker:\n{error}") from None
    except ray.exceptions.RayError as error:
        raise HRVError(
            f"The worker of images {part.start} to {part.stop - 1} died again and again ({type(error).__name__}:"
            f" {str(error).splitlines()[0]}). Finished parts are kept: with fewer workers, each has more memory."
        ) from None


@contextlib.contextmanager
def _ray(address: str, workers: int, threads: int) -> Iterator[Any]:
    """Ray, connected or started, with this pack carried to its workers; nothing is reported to anyone."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    ray = library("ray", "ray", "scale", "Building over a Ray cluster")
    options: dict[str, Any] = {"address": address}
    if address == LOCAL:
        own = {"num_cpus": workers * threads, "object_store_memory": STORE_BYTES, "include_dashboard": False}
        options |= {**own, "_node_ip_address": "127.0.0.1"}
    elif address != "auto":
        _knock(address)
    carried = {"working_dir": str(ROOT), "excludes": [f"/{name}" for name in LEFT_BEHIND]}
    try:
        ray.init(**options, runtime_env=carried, log_to_driver=False, logging_level="error")
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise HRVError(
            f'The Ray at "{address}" cannot be joined: {error}. Is it of this version of Ray ({ray.__version__})? If it'
            " asks for a token, set RAY_AUTH_MODE=token, with the token where Ray looks for it."
        ) from error
    try:
        yield ray
    finally:
        ray.shutdown()


def _knock(address: str) -> None:
    """Raise HRVError if nobody listens at host:port; Ray itself would try for minutes."""
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), KNOCK_SECONDS).close()
    except (OSError, ValueError, OverflowError) as error:
        raise HRVError(
            f'There is no Ray at "{address}": {error}. Give its host:port (6379 unless set otherwise), start one with'
            " `ray start --head`, or give --ray local."
        ) from error
