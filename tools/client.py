"""Talk to a ComfyUI server over its HTTP API and websocket."""

from __future__ import annotations

import io
import json
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

from PIL import Image

Prompt = dict[str, dict[str, Any]]  # node id -> {"class_type": ..., "inputs": {...}}


class PromptRejected(Exception):
    """/prompt answered 400: `node_errors` is its own account, by node id."""

    def __init__(self, answer: dict[str, Any]) -> None:
        self.node_errors: dict[str, Any] = answer.get("node_errors", {})
        super().__init__(json.dumps(answer, indent=1)[:4000])


class PromptFailed(Exception):
    """A node raised: `message` is what the user reads, `node_type` the node that said it."""

    def __init__(self, details: dict[str, Any]) -> None:
        self.message: str = details.get("exception_message", "").strip()
        self.exception_type: str = details.get("exception_type", "")
        self.node_type: str = details.get("node_type", "")
        self.traceback = "".join(details.get("traceback", []))
        super().__init__(f"{self.node_type}: {self.message}\n{self.traceback}")


class Interrupted(Exception):
    """The run was cancelled."""


class Client:
    """One client of the server at `address` (host:port)."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.client_id = uuid.uuid4().hex

    def fetch(self, path: str, data: dict[str, Any] | None = None, timeout: float = 60) -> bytes:
        """The body of GET path, or of POST path with `data` as JSON."""
        body = None if data is None else json.dumps(data).encode()
        request = urllib.request.Request(f"http://{self.address}{path}", body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=timeout) as answer:
            return answer.read()

    def get(self, path: str) -> Any:
        return json.loads(self.fetch(path))

    def object_info(self) -> dict[str, Any]:
        return self.get("/object_info")

    def queue(self, prompt: Prompt) -> str:
        """The id of the queued prompt; raises PromptRejected with the server's node errors.

        A prompt with some valid outputs is taken by the server, which leaves the others out: here it is refused whole.
        """
        try:
            answer = json.loads(self.fetch("/prompt", {"prompt": prompt, "client_id": self.client_id}))
        except urllib.error.HTTPError as error:
            raise PromptRejected(json.loads(error.read())) from None
        if answer.get("node_errors"):
            self.cancel(answer["prompt_id"])
            raise PromptRejected(answer)
        return answer["prompt_id"]

    def result(self, prompt_id: str, timeout: float = 600) -> dict[str, Any]:
        """Outputs by node id when the prompt is done; raises PromptFailed, Interrupted or TimeoutError."""
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            entry = self.get(f"/history/{prompt_id}").get(prompt_id)
            if entry is None:
                time.sleep(0.05)
                continue
            messages = dict(entry["status"]["messages"])
            if "execution_error" in messages:
                raise PromptFailed(messages["execution_error"])
            if "execution_interrupted" in messages:
                raise Interrupted(prompt_id)
            return entry["outputs"]
        raise TimeoutError(f"prompt {prompt_id} is not done after {timeout} s")

    def run(self, prompt: Prompt, timeout: float = 600) -> dict[str, Any]:
        """Queue and wait: outputs by node id."""
        return self.result(self.queue(prompt), timeout)

    def cancel(self, prompt_id: str) -> None:
        """Take the prompt from the queue, or interrupt it if it runs and wait until it has stopped."""
        self.fetch(f"/api/jobs/{prompt_id}/cancel", {})
        while any(prompt_id in entry for entry in self.get("/queue")["queue_running"]):
            time.sleep(0.1)

    def image(self, reference: dict[str, str]) -> Image.Image:
        """The image an output names: {"filename", "subfolder", "type"}."""
        return Image.open(io.BytesIO(self.fetch("/view?" + urllib.parse.urlencode(reference)))).convert("RGB")

    def images(self, outputs: dict[str, Any], node: str) -> list[Image.Image]:
        return [self.image(reference) for reference in outputs[node]["images"]]

    @contextmanager
    def events(self, timeout: float = 120) -> Iterator[Iterator[dict[str, Any]]]:
        """The server's messages to this client as they come; a preview image is {"type": "preview", "data": bytes}."""
        from websocket import create_connection

        url = f"ws://{self.address}/ws?clientId={self.client_id}"
        with closing(create_connection(url, timeout=timeout)) as connection:

            def messages() -> Iterator[dict[str, Any]]:
                while True:
                    message = connection.recv()
                    if isinstance(message, str):
                        yield json.loads(message)
                    else:
                        yield {"type": "preview", "data": message}

            yield messages()
