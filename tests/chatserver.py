"""A local server that speaks OpenAI's chat-completions protocol and answers what a test tells it to."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any


@dataclass
class Chat:
    """What the server says next, and the requests so far as {path, key, body}."""

    text: str = ""
    status: int = 200
    raw: bytes | None = None
    delay: float = 0.0
    refuses: str = ""  # a field of the request that is answered with 400
    headers: dict[str, str] = field(default_factory=dict)
    asked: list[dict[str, Any]] = field(default_factory=list)
    address: str = ""

    def says(self, *words: dict[str, Any]) -> None:
        """Answer with the JSON object that HRV Suggest LLM asks for."""
        self.text = json.dumps({"words": list(words)})


class _Handler(BaseHTTPRequestHandler):
    def __init__(self, *arguments: Any, chat: Chat) -> None:
        self.chat = chat
        super().__init__(*arguments)

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.chat.asked.append({"path": self.path, "key": self.headers.get("Authorization"), "body": body})
        time.sleep(self.chat.delay)
        message = {"role": "assistant", "content": self.chat.text}
        answer = {"id": "chat-1", "object": "chat.completion", "model": body["model"]}
        answer |= {"choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}
        payload = json.dumps(answer).encode() if self.chat.raw is None else self.chat.raw
        refused = self.chat.refuses in body
        if refused:
            payload = json.dumps({"error": {"message": f"Unsupported value: {self.chat.refuses}"}}).encode()
        self.send_response(400 if refused else self.chat.status)
        for name, value in {"Content-Type": "application/json", **self.chat.headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(payload)))
        self.end_headers()
        self.wfile.write(payload)

    def log_message(self, format: str, *arguments: object) -> None:
        pass


@contextmanager
def chatting() -> Iterator[Chat]:
    """A server for the time of a test; its `address` is the base URL, ending in /v1."""
    chat = Chat()
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, chat=chat)) as server:
        server.daemon_threads = True
        chat.address = f"http://127.0.0.1:{server.server_port}/v1"
        Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield chat
        finally:
            server.shutdown()
