"""Keep ComfyUI servers busy with an experiment's jobs, collect what they draw, go on after a crash of either side."""

import threading
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Protocol

from ..errors import HRVError
from .client import WITHOUT_WAITING, FileGone, Server, ServerLost
from .prompt import Outputs, Prompt, PromptCancelled, PromptFailed, PromptForgotten, PromptRefused

AT_ONCE = 2  # prompts a server holds: the next is queued while one runs
POLL = 0.1  # seconds
LOST_AGAIN = 3  # how often a prompt that a restarted server forgot is sent again


@dataclass(frozen=True)
class Work:
    """A job as a prompt: its name, the prompt and its digest, and the node ids that show images and texts by name."""

    name: str
    prompt: Prompt
    digest: str
    pictures: Mapping[str, str]
    texts: Mapping[str, str]


class ResultStore(Protocol):
    """Where results go; see Store."""

    def done(self, name: str, asked: str, keys: Iterable[str] = ()) -> bool:
        """Whether a job was finished for the prompt of this digest, with images and texts under these names."""

    def save(self, name: str, asked: str, pictures: Mapping[str, list[bytes]], texts: Mapping[str, str]) -> None:
        """Keep what a job gave."""


InFlight = dict[str, tuple[Work, int]]  # prompt id -> its job, and how often it was sent again


@dataclass
class _Shared:
    """What the servers' threads share: jobs that wait, and how many are out at servers."""

    waiting: deque[Work]
    store: ResultStore
    tick: Callable[[], None]
    out: int = 0
    failed: dict[str, str] = field(default_factory=dict)
    lost: list[ServerLost] = field(default_factory=list)
    stop: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self) -> Work | None:
        with self.lock:
            if not self.waiting or self.stop.is_set():
                return None
            self.out += 1
            return self.waiting.popleft()

    def put_back(self, works: Sequence[Work]) -> None:
        with self.lock:
            self.out -= len(works)
            self.waiting.extendleft(works)

    def end(self, work: Work, failure: str = "") -> None:
        with self.lock:
            self.out -= 1
            if failure:
                self.failed[work.name] = failure
            self.tick()


def run(
    works: Sequence[Work], servers: Sequence[Server], store: ResultStore, tick: Callable[[], None] = lambda: None
) -> dict[str, str]:
    """Do every job that is not done; returns what failed, {job: reason}. Finished jobs are not done again.

    tick: called once a job that ends. A server that is lost hands its jobs to the others; raises ServerLost when none
    is left, and HRVError for a full disk. On any exception what runs at the servers is cancelled.
    """
    undone = (work for work in works if not store.done(work.name, work.digest, [*work.pictures, *work.texts]))
    shared = _Shared(deque(undone), store, tick)
    for _ in range(len(works) - len(shared.waiting)):
        tick()
    with ThreadPoolExecutor(max(len(servers), 1)) as threads:
        futures = [threads.submit(_serve, server, shared) for server in servers]
        try:
            for future in futures:
                future.result()
        except BaseException:
            shared.stop.set()
            raise
    if shared.waiting and shared.lost:
        raise shared.lost[0]
    return shared.failed


def _serve(server: Server, shared: _Shared) -> None:
    """Work on jobs at one server until none is left anywhere: another server may be lost and hand back its own."""
    in_flight: InFlight = {}
    try:
        while not shared.stop.is_set():
            while len(in_flight) < AT_ONCE and (work := shared.take()) is not None:
                _submit(server, work, 0, in_flight, shared)
            if not in_flight and not shared.waiting and not shared.out:
                return
            for prompt_id in list(in_flight):
                _look(server, prompt_id, in_flight, shared)
            shared.stop.wait(POLL)
    except ServerLost as error:
        shared.lost.append(error)
        shared.put_back([work for work, _ in in_flight.values()])
        return
    except BaseException:
        shared.stop.set()
        raise
    finally:
        _cancel(server, in_flight)


def _submit(server: Server, work: Work, again: int, in_flight: InFlight, shared: _Shared) -> None:
    try:
        in_flight[server.submit(work.prompt)] = (work, again)
    except PromptRefused as error:
        shared.end(work, str(error))
    except ServerLost:
        shared.put_back([work])
        raise


def _look(server: Server, prompt_id: str, in_flight: InFlight, shared: _Shared) -> None:
    """Collect a prompt that is done, record its failure, or send it again if the server forgot it."""
    work, again = in_flight[prompt_id]
    try:
        outputs = server.outputs(prompt_id)
        if outputs is None:
            return
        pictures = {
            key: [server.file(reference) for reference in _files(outputs, node)] for key, node in work.pictures.items()
        }
    except (PromptForgotten, FileGone):
        del in_flight[prompt_id]
        if again < LOST_AGAIN:
            _submit(server, work, again + 1, in_flight, shared)
        else:
            shared.end(work, f"the server at {server.url} forgot it {again + 1} times (does it crash on it?)")
        return
    except (PromptFailed, PromptCancelled) as error:
        del in_flight[prompt_id]
        shared.end(work, str(error))
        return
    texts = {key: "\n".join(outputs[node]["text"]) for key, node in work.texts.items()}
    shared.store.save(work.name, work.digest, pictures, texts)
    del in_flight[prompt_id]
    shared.end(work)


def _files(outputs: Outputs, node: str) -> list[dict[str, str]]:
    """References to the files that a node shows: its images, or whatever else it hands out."""
    lists = [value for value in outputs[node].values() if isinstance(value, list)]
    return [entry for entries in lists for entry in entries if isinstance(entry, dict) and "filename" in entry]


def _cancel(server: Server, in_flight: InFlight) -> None:
    """Cancel what this run queued and nobody waits for; a server that is gone has nothing to cancel."""
    impatient = Server(server.url, WITHOUT_WAITING)
    for prompt_id in in_flight:
        try:
            impatient.stop(prompt_id, timeout=1)
        except HRVError:
            return
