"""One question to a web server of somebody else: limits of time and size, cancelled at once, never quoted."""

import re
import socket
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, wait
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException, HTTPSConnection, IncompleteRead, RemoteDisconnected
from threading import Lock, Thread
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import HTTPHandler, HTTPRedirectHandler, HTTPSHandler, Request, build_opener

POLL = 0.2  # seconds between two looks at whether the user cancelled
CONNECT = 30.0  # seconds for the connection alone
KIND = re.compile(r"[a-z]{1,20}/[a-z0-9.+-]{1,60}", re.IGNORECASE)


def never() -> None:
    """Nobody cancels."""


class NoReply(Exception):
    """There was no whole answer; the text says what the address did ("cannot be reached: ..."), in words of ours."""


class TooSlow(NoReply):
    """There was no whole answer in time."""


@dataclass(frozen=True)
class Reply:
    """What came: the status, the content type as it was sent, the bytes."""

    status: int
    content_type: str | None
    body: bytes

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300

    @property
    def described(self) -> str:
        return described(self.status, self.content_type)


def described(status: int, content_type: str | None) -> str:
    """An answer for an error, with no word of the server but a type: "404 Not Found (text/html)"."""
    phrase = HTTPStatus(status).phrase if status in set(HTTPStatus) else "(no known status)"
    kind = (content_type or "").partition(";")[0].strip()
    return f"{status} {phrase} ({kind if KIND.fullmatch(kind) else 'no content type'})"


def ask(
    address: str, *, seconds: float, largest: int, data: bytes | None = None, headers: Mapping[str, str] | None = None,
    cancelled: Callable[[], None] = never,
) -> Reply:  # fmt: skip
    """The answer to GET, or to POST of `data`; raises NoReply, and at once what `cancelled` raises.

    seconds: for all of it, from looking up the host's name to the last byte. largest: bytes of the answer. A redirect
    is an answer like others: what is sent goes where it is for, or nowhere.
    """
    exchange = _Exchange(seconds, largest)
    future: Future[Reply] = Future()
    request = Request(address, data, dict(headers or {}))
    deadline = time.monotonic() + seconds
    Thread(target=exchange.run, args=(request, future), daemon=True).start()
    try:
        while True:
            cancelled()
            left = deadline - time.monotonic()
            if left <= 0:
                raise TooSlow(f"gave no whole answer within {seconds:g} seconds")
            if wait([future], min(POLL, left)).done:
                return future.result()
    finally:
        exchange.end()


class _Exchange:
    """The work of one thread, which `end` can end wherever it waits by closing the connection under it."""

    def __init__(self, seconds: float, largest: int) -> None:
        self.seconds, self.largest = seconds, largest
        self.lock, self.ended = Lock(), False
        self.socket: socket.socket | None = None

    def run(self, request: Request, future: "Future[Reply]") -> None:
        try:
            reply = self._reply(request)
        except BaseException as error:  # noqa: BLE001  every failure is handed to the thread that asked
            future.set_exception(error)
        else:
            future.set_result(reply)

    def end(self) -> None:
        with self.lock:
            self.ended = True
            if self.socket is not None:
                with suppress(OSError):  # it is closed already
                    socket.socket.shutdown(self.socket, socket.SHUT_RDWR)  # of TLS too: no goodbye that would wait

    def opened(self, connection: socket.socket) -> None:
        """Take note of a connection that was just made."""
        with self.lock:
            if self.ended:
                raise ConnectionAbortedError
            self.socket = connection
            connection.settimeout(self.seconds)

    def _reply(self, request: Request) -> Reply:
        handlers = (_Plain(self), _Encrypted(self), _Stay())
        try:
            try:
                answer = build_opener(*handlers).open(request, timeout=min(CONNECT, self.seconds))
            except HTTPError as error:
                answer = error
            with answer:
                body = answer.read(self.largest + 1)
        except (OSError, HTTPException, ValueError) as error:
            raise _explained(error) from None  # the server's words, or a header's, may stand in it
        if len(body) > self.largest:
            raise NoReply(f"answered with more than {self.largest} bytes")
        return Reply(answer.status, answer.headers.get("Content-Type"), body)


def _explained(error: Exception) -> NoReply:
    reason = error.reason if isinstance(error, URLError) else error
    if isinstance(reason, TimeoutError):
        return TooSlow("gave no answer in time")
    if isinstance(reason, (RemoteDisconnected, IncompleteRead)):
        return NoReply("closed the connection before its answer was whole")
    if isinstance(reason, OSError):
        return NoReply(f"cannot be reached: {reason.strerror or type(reason).__name__}")
    if isinstance(reason, HTTPException):
        return NoReply("does not speak HTTP")
    return NoReply(f"cannot be asked this ({type(reason).__name__})")


def _connection(kind: Any, exchange: _Exchange) -> Any:
    class Connection(kind):
        def connect(self) -> None:
            super().connect()
            exchange.opened(self.sock)

    return Connection


class _Plain(HTTPHandler):
    def __init__(self, exchange: _Exchange) -> None:
        super().__init__()
        self.connection = _connection(HTTPConnection, exchange)

    def http_open(self, req: Request) -> Any:
        return self.do_open(self.connection, req)


class _Encrypted(HTTPSHandler):
    def __init__(self, exchange: _Exchange) -> None:
        super().__init__()
        self.connection = _connection(HTTPSConnection, exchange)

    def https_open(self, req: Request) -> Any:
        return self.do_open(self.connection, req)


class _Stay(HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        return None
