"""A local server on a bare socket: it sends the bytes a test names, as slowly as it says, whatever was asked."""

from __future__ import annotations

import itertools
import socket
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from threading import Event, Thread

OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n"


@dataclass
class Odd:
    """Its address, what was asked so far, and how many connections ended (by the asker, or after the last byte)."""

    address: str
    asked: list[bytes] = field(default_factory=list)
    ended: int = 0


def dripping(piece: bytes = b"{", every: float = 0.2) -> Iterator[tuple[float, bytes]]:
    """A piece again and again, for ever."""
    return ((every, piece) for _ in itertools.count())


@contextmanager
def sending(*steps: tuple[float, bytes] | Iterable[tuple[float, bytes]]) -> Iterator[Odd]:
    """A server that sends pieces, each some seconds after the last, and closes; a step may be a series of them."""
    stop = Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        odd = Odd(f"http://127.0.0.1:{listener.getsockname()[1]}")

        def answer(connection: socket.socket) -> None:
            with connection, suppress(OSError):
                odd.asked.append(connection.recv(2**16))
                for step in steps:
                    for delay, piece in [step] if isinstance(step, tuple) else step:
                        if stop.wait(delay):
                            return
                        connection.sendall(piece)
                connection.shutdown(socket.SHUT_WR)
                connection.recv(1)
            odd.ended += 1

        def listen() -> None:
            with suppress(OSError):
                while True:
                    Thread(target=answer, args=(listener.accept()[0],), daemon=True).start()

        Thread(target=listen, daemon=True).start()
        try:
            yield odd
        finally:
            stop.set()
            listener.shutdown(socket.SHUT_RDWR)
