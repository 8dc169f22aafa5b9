"""The client of a ComfyUI server against a local server that answers what a test tells it to."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest

from comfyui_hrv.tests.oddserver import sending
from hrv_engine.errors import HRVError
from hrv_engine.remote.client import RETRIES, WITHOUT_WAITING, FileGone, Server, ServerLost
from hrv_engine.remote.prompt import PromptCancelled, PromptFailed, PromptForgotten, PromptRefused, outputs_of

PROMPT = {"7": {"class_type": "KSampler", "inputs": {"steps": "many"}}}
BAD_STEPS = {
    "7": {"errors": [{"message": "Failed to convert an input value to a INT value", "details": "steps, many"}]}
}
EMPTY_QUEUE = {"queue_running": [], "queue_pending": []}


@dataclass
class Script:
    """Answers by path, (status, JSON or bytes) each, the last of them for good; and the requests so far."""

    url: str = ""
    location: str = ""  # where its redirects go
    answers: dict[str, list[tuple[int, Any]]] = field(default_factory=lambda: defaultdict(list))
    asked: list[tuple[str, str, Any]] = field(default_factory=list)

    def says(self, path: str, *answers: tuple[int, Any]) -> None:
        self.answers[path] = list(answers)

    def count(self, path: str) -> int:
        return sum(path == asked for _, asked, _ in self.asked)


class _Handler(BaseHTTPRequestHandler):
    def __init__(self, *arguments: Any, script: Script) -> None:
        self.script = script
        super().__init__(*arguments)

    def do_GET(self) -> None:
        length = int(self.headers.get("Content-Length", 0))
        path = self.path.partition("?")[0]
        self.script.asked.append((self.command, path, json.loads(self.rfile.read(length)) if length else None))
        answers = self.script.answers[path] or [(404, {})]
        status, content = answers.pop(0) if len(answers) > 1 else answers[0]
        payload = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(payload) + (status == 206)))  # 206 here: a body that breaks off
        if 300 <= status < 400:
            self.send_header("Location", self.script.location)
        self.end_headers()
        self.wfile.write(payload)

    do_POST = do_GET

    def log_message(self, format: str, *arguments: object) -> None:
        pass


@pytest.fixture
def script() -> Iterator[Script]:
    """A local server for the time of a test."""
    script = Script()
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, script=script)) as http:
        http.daemon_threads = True
        script.url = f"http://127.0.0.1:{http.server_port}"
        Thread(target=http.serve_forever, daemon=True).start()
        yield script
        http.shutdown()


@pytest.fixture
def server(script: Script) -> Server:
    return Server(script.url, WITHOUT_WAITING)


def test_503_and_then_200_is_tried_again_whatever_the_method(script: Script, server: Server):
    script.says("/object_info", (503, {}), (503, {}), (200, {"HRVPrompt": {}}))
    assert server.schemas == {"HRVPrompt": {}} and script.count("/object_info") == 3
    script.says("/prompt", (503, {}), (200, {"node_errors": {}}))
    prompt_id = server.submit(PROMPT)
    sent = [data for _, path, data in script.asked if path == "/prompt"]
    assert len(sent) == 2 and sent[0] == sent[1]  # one id: the server does not run it twice
    assert sent[0] == {"prompt": PROMPT, "prompt_id": prompt_id, "client_id": server.client_id}


def test_503_for_good_is_told_after_six_tries(script: Script, server: Server):
    script.says("/queue", (503, {}))
    with pytest.raises(HRVError, match=r"/queue answered 503 Service Unavailable .*\. Is it a ComfyUI server\?"):
        server.get("/queue")
    assert script.count("/queue") == 6


def test_a_refused_connection_names_the_address_and_how_to_go_on():
    with pytest.raises(ServerLost, match=r"http://127\.0\.0\.1:9 cannot be reached \(connection refused; tried 6"):
        _ = Server("127.0.0.1:9", WITHOUT_WAITING).schemas
    with pytest.raises(HRVError, match="run the same command again to go on"):
        Server("127.0.0.1:9/", WITHOUT_WAITING).submit(PROMPT)


def test_the_tries_are_spread_over_a_quarter_of_a_minute():
    retries, waits = RETRIES, []
    for _ in range(5):
        retries = retries.increment("POST", "/prompt", error=OSError())
        waits.append(retries.get_backoff_time())
    assert waits == [0, 1, 2, 4, 8] and retries.total == 0


def test_an_answer_that_breaks_off_is_a_lost_server(script: Script, server: Server):
    script.says("/view", (206, b"half an im"))
    with pytest.raises(ServerLost, match="cannot be reached"):
        server.file({"filename": "a.png"})


@pytest.mark.parametrize("address", ["ftp://x", "http://a b:8188", "127.0.0.1:8188/#", "good:1@evil:8188", ""])
def test_what_is_no_address_is_refused_before_anything_is_sent(address: str):
    with pytest.raises(HRVError, match="is no address of a ComfyUI server.*127.0.0.1:8188"):
        Server(address, WITHOUT_WAITING)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_an_answer_and_is_not_followed(script: Script, server: Server, status: int):
    for path in ("/queue", "/prompt", "/view"):
        script.says(path, (status, {}))
    script.location = f"{script.url}/object_info"
    for question in (lambda: server.get("/queue"), lambda: server.submit(PROMPT)):
        with pytest.raises(HRVError, match=f"answered {status}"):
            question()
    with pytest.raises(FileGone):
        server.file({"filename": "a.png"})
    assert script.count("/object_info") == 0


@pytest.mark.parametrize("content", [b"root:x:0:0", b"[" * 100_000, b'["root:x:0:0"]', b"\xff\xfe", b"3"])
def test_what_another_server_answers_is_described_and_not_quoted(script: Script, server: Server, content: bytes):
    script.says("/queue", (200, content))
    script.says("/prompt", (500, content))
    for question in (lambda: server.get("/queue"), lambda: server.submit(PROMPT)):
        with pytest.raises(HRVError, match="answered [25]00") as failure:
            question()
        assert "root" not in str(failure.value)


def test_what_speaks_another_protocol_is_not_quoted():
    with sending((0.0, b"SSH-2.0-OpenSSH_9.6\r\n")) as odd, pytest.raises(ServerLost) as failure:
        Server(odd.address, WITHOUT_WAITING).get("/queue")
    assert "does not speak HTTP; tried 6 times" in str(failure.value) and "SSH" not in str(failure.value)


def test_a_server_without_the_pack_and_what_is_no_comfyui_are_told_apart(script: Script, server: Server):
    script.says("/object_info", (200, {"KSampler": {}}))
    with pytest.raises(HRVError, match=r"does not have this pack.*custom_nodes"):
        _ = server.schemas
    script.says("/object_info", (200, b"<html>"))
    with pytest.raises(HRVError, match=r"is no ComfyUI server: /object_info answered 200 OK .*, which is no JSON"):
        _ = server.schemas
    script.says("/object_info", (404, {}))
    with pytest.raises(HRVError, match="answered 404 Not Found"):
        _ = server.schemas


def test_a_400_quotes_the_node_errors(script: Script, server: Server):
    script.says("/prompt", (400, {"error": {"message": "Prompt outputs failed validation"}, "node_errors": BAD_STEPS}))
    with pytest.raises(
        PromptRefused, match="refused the prompt: KSampler: Failed to convert .* steps, many"
    ) as refusal:
        server.submit(PROMPT)
    assert refusal.value.node_errors == BAD_STEPS


@pytest.mark.parametrize(
    ("answer", "quoted"),
    [
        ({"error": {"message": "Prompt has no outputs", "details": "none"}}, "Prompt has no outputs none"),
        ({"error": "no prompt", "node_errors": []}, "no prompt"),
        ({}, "no reason given"),
    ],
)
def test_a_400_without_node_errors_quotes_the_general_one(script: Script, server: Server, answer: dict, quoted: str):
    script.says("/prompt", (400, answer))
    with pytest.raises(PromptRefused, match=f"refused the prompt: {quoted}"):
        server.submit(PROMPT)


def test_a_prompt_of_which_only_a_part_is_valid_is_cancelled_and_refused(script: Script, server: Server):
    script.says("/prompt", (200, {"node_errors": BAD_STEPS}))
    with pytest.raises(PromptRefused, match="steps, many"):
        server.submit(PROMPT)
    prompt_id = script.asked[0][2]["prompt_id"]
    assert [path for _, path, _ in script.asked] == ["/prompt", f"/api/jobs/{prompt_id}/cancel", "/queue"]


def test_an_error_of_the_server_itself_is_no_refusal(script: Script, server: Server):
    script.says("/prompt", (500, b"Traceback"))
    with pytest.raises(HRVError, match="answered 500 Internal Server Error .* to a prompt. Its own log") as error:
        server.submit(PROMPT)
    assert not isinstance(error.value, PromptRefused) and script.count("/prompt") == 1


def entry(status: str, **messages: Any) -> dict[str, Any]:
    """A history entry with an output."""
    told = [["execution_start", {}], *([name, details] for name, details in messages.items())]
    return {"status": {"status_str": status, "messages": told}, "outputs": {"9": {"text": ["x"]}}}


def test_a_prompt_is_waited_for_while_it_is_queued_and_runs(script: Script, server: Server):
    pending, running = {**EMPTY_QUEUE, "queue_pending": [[0, "a"]]}, {**EMPTY_QUEUE, "queue_running": [[0, "a"]]}
    script.says("/queue", (200, pending), (200, running), (200, EMPTY_QUEUE))
    script.says("/history/a", (200, {"a": entry("success")}))
    assert server.wait("a") == {"9": {"text": ["x"]}} and script.count("/queue") == 3
    script.says("/queue", (200, running))
    with pytest.raises(TimeoutError, match="prompt a is not done after 0 s"):
        server.wait("a", timeout=0)


def test_a_prompt_that_the_server_does_not_know_is_forgotten(script: Script, server: Server):
    script.says("/queue", (200, EMPTY_QUEUE))
    script.says("/history/a", (200, {}))
    with pytest.raises(PromptForgotten, match=f"{script.url} knows no prompt a"):
        server.outputs("a")


def test_stopping_returns_when_the_prompt_no_longer_runs(script: Script, server: Server):
    running = {**EMPTY_QUEUE, "queue_running": [[0, "a"]]}
    script.says("/queue", (200, running), (200, EMPTY_QUEUE))
    server.stop("a")
    again = ["/api/jobs/a/cancel", "/queue"]  # the server may have forgotten the first: the prompt only began
    assert [path for _, path, _ in script.asked] == again * 2


def test_what_a_node_raised_is_told_with_its_class():
    error = {"node_type": "HRVLoad", "exception_message": "no file \n", "traceback": ["line 1\n", "line 2\n"]}
    with pytest.raises(PromptFailed) as failure:
        outputs_of(entry("error", execution_error=error))
    assert str(failure.value) == "HRVLoad: no file" and failure.value.message == "no file"
    assert failure.value.node_type == "HRVLoad" and failure.value.traceback == "line 1\nline 2\n"


def test_a_prompt_that_was_cancelled_is_told_apart_from_one_that_failed():
    for cancelled in (entry("error", execution_interrupted={}), entry("error")):
        with pytest.raises(PromptCancelled, match="cancelled at the server"):
            outputs_of(cancelled)


def test_a_file_that_is_gone_is_named(script: Script, server: Server):
    script.says("/view", (404, {}))
    with pytest.raises(FileGone, match=r"has no file a\.png any more: 404"):
        server.file({"filename": "a.png", "subfolder": "", "type": "temp"})
