"""One question to a foreign server ends in time, at the user's word, within its size, and never quotes the answer."""

from __future__ import annotations

import itertools
import socket
import threading
import time
import traceback

import pytest

from comfyui_hrv.tests.oddserver import OK, dripping, sending
from hrv_engine.remote.exchange import NoReply, TooSlow, ask

SECRET = "root:x:0:0"
PLACES = {
    "before the first byte": [(60.0, b"")],
    "in the status line": [dripping(b"H")],
    "in the headers": [(0.0, b"HTTP/1.1 200 OK\r\n"), dripping(b"X-A: b\r\n", 0.05)],
    "in one endless header": [(0.0, b"HTTP/1.1 200 OK\r\nX-A: "), dripping(b"b")],
    "in the body": [(0.0, OK), dripping()],
    "in the chunk sizes": [(0.0, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"), dripping(b"0")],
    "in the body of an error": [(0.0, b"HTTP/1.1 500 No\r\n\r\n"), dripping()],
    "in the body of a redirect": [(0.0, b"HTTP/1.1 302 Found\r\nLocation: /other\r\n\r\n"), dripping()],
}


class Cancelled(Exception):
    pass


def cancelled_after(seconds: float):
    start = time.monotonic()

    def look() -> None:
        if time.monotonic() - start > seconds:
            raise Cancelled

    return look


def eventually(condition) -> bool:
    """Whether a condition comes true within ten seconds, which a busy machine may need."""
    deadline = time.monotonic() + 10
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.02)
    return condition()


@pytest.mark.parametrize("steps", PLACES.values(), ids=list(PLACES))
@pytest.mark.parametrize("data", [None, b"{}"], ids=["GET", "POST"])
def test_a_server_that_drips_is_left_when_the_time_is_over_or_the_user_cancels(steps, data):
    with sending(*steps) as odd:
        asking = {"seconds": 0.5, "largest": 2**20, "data": data}
        start = time.monotonic()
        with pytest.raises(TooSlow, match=r"gave no (whole answer within 0.5 seconds|answer in time)"):  # who is first
            ask(odd.address, **asking)
        assert time.monotonic() - start < 10
        start = time.monotonic()
        with pytest.raises(Cancelled):
            ask(odd.address, **asking | {"seconds": 60}, cancelled=cancelled_after(0.3))
        assert time.monotonic() - start < 10


def test_a_handshake_that_never_ends_is_left_as_well():
    with sending((60.0, b"")) as odd, pytest.raises(Cancelled):
        address = odd.address.replace("http:", "https:")
        ask(address, seconds=60, largest=1, cancelled=cancelled_after(0.3))


def test_what_was_left_keeps_neither_thread_nor_connection():
    with sending((0.0, OK), dripping()) as odd:
        before = threading.active_count()
        for _ in range(5):
            with pytest.raises(TooSlow):
                ask(odd.address, seconds=0.3, largest=2**20)
        assert eventually(lambda: odd.ended == 5), "a connection is still open"
        assert eventually(lambda: threading.active_count() <= before), "a thread still waits for the server"


def test_an_address_that_nobody_answers_at_is_left_as_well():
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        waiting = [socket.socket() for _ in range(8)]  # they fill the queue: the next is not taken
        for client in waiting:
            client.setblocking(False)
            client.connect_ex(full.getsockname())
        start = time.monotonic()
        with pytest.raises(Cancelled):
            ask(f"http://127.0.0.1:{full.getsockname()[1]}", seconds=60, largest=1, cancelled=cancelled_after(0.3))
        assert time.monotonic() - start < 10
        for client in waiting:
            client.close()


@pytest.mark.parametrize("head", [OK, b"HTTP/1.1 500 No\r\n\r\n", b"HTTP/1.1 301 Moved\r\nLocation: /x\r\n\r\n"])
def test_an_endless_answer_is_read_up_to_its_limit(head):
    endless = sending((0.0, head), ((0.0, b"x" * 2**16) for _ in itertools.count()))
    with endless as odd, pytest.raises(NoReply, match="more than 1000000 bytes"):
        ask(odd.address, seconds=30, largest=10**6)
    with sending((0.0, OK + b"x" * 1000)) as odd:
        assert ask(odd.address, seconds=30, largest=1000).body == b"x" * 1000


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("data", [None, b"{}"], ids=["GET", "POST"])
def test_a_redirect_is_an_answer_and_is_followed_nowhere(status, data):
    with sending((0.0, OK + SECRET.encode())) as other:
        for place in (other.address, "/elsewhere", "file:///etc/passwd", "ftp://127.0.0.1/x", other.address[5:]):
            with sending((0.0, f"HTTP/1.1 {status} Go\r\nLocation: {place}\r\n\r\n".encode())) as odd:
                reply = ask(odd.address, seconds=30, largest=1000, data=data, headers={"Authorization": "Bearer k"})
            assert reply.status == status and len(odd.asked) == 1 and not reply.ok
        assert other.asked == []


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        (f"SSH-2.0-{SECRET}\r\n", "does not speak HTTP"),
        (f"HTTP/1.1 {SECRET}\r\n\r\n", "does not speak HTTP"),
        (f"{SECRET}\r\n" * 10_000, "does not speak HTTP"),
        ("HTTP/1.1 200 OK\r\n" + f"X-{SECRET}: {SECRET}\r\n" * 200 + "\r\n", "does not speak HTTP"),
        ("HTTP/1.1 200 OK\r\nX: " + SECRET * 10_000, "does not speak HTTP"),
        (f"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{SECRET}\r\n", "before its answer was whole"),
        ("", "before its answer was whole"),
        (f"HTTP/1.1 302 {SECRET}\r\nLocation: {SECRET}://x\r\n\r\n", "302 Found (no content type)"),
        (f"HTTP/1.1 418 {SECRET}\r\nContent-Type: {SECRET}\r\n\r\n", "418 I'm a Teapot (no content type)"),
        (f"HTTP/1.1 799 {SECRET}\r\nContent-Type: text/html; a={SECRET}\r\n\r\n", "799 (no known status) (text/html)"),
    ],
)
def test_no_word_of_the_server_is_in_what_is_said_about_it(sent, said):
    with sending((0.0, sent.encode())) as odd:
        try:
            words = ask(odd.address, seconds=30, largest=2**20).described
        except NoReply as error:
            words = "".join(traceback.format_exception(error))
    assert said in words and SECRET not in words


def test_what_cannot_be_reached_is_said_with_the_systems_reason():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        closed = f"http://127.0.0.1:{probe.getsockname()[1]}"
    with pytest.raises(NoReply, match="^cannot be reached: Connection refused$"):
        ask(closed, seconds=5, largest=1)
    with sending((0.0, b"HTTP/1.1 200 OK\r\n\r\nplain")) as odd, pytest.raises(NoReply, match="SSL"):
        ask(odd.address.replace("http:", "https:"), seconds=5, largest=1)


@pytest.mark.parametrize("value", ["hunter2\r\nX-Evil: 1", "hunter2\n", "hunter2\u20ac", "hunter2\ud83c"])
def test_a_header_that_cannot_be_sent_is_not_quoted(value):
    with sending((0.0, OK)) as odd, pytest.raises(NoReply, match="cannot be asked this") as failure:
        ask(odd.address, seconds=5, largest=1, headers={"Authorization": f"Bearer {value}"})
    assert "hunter2" not in "".join(traceback.format_exception(failure.value))
    assert not any(b"hunter2" in asked for asked in odd.asked)
