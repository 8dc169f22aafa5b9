"""A running ComfyUI server, over its HTTP API."""

import json
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import urlencode

import requests

from ..errors import HRVError

Prompt = dict[str, dict[str, Any]]  # node id -> {"class_type": ..., "inputs": {...}}
PACK = "HRVPrompt"  # a node that every version of this pack has
ATTEMPTS, FIRST_WAIT, TIMEOUT = 6, 0.5, 60  # waits of 0.5 to 8 seconds, about a quarter of a minute in all


class ServerLost(HRVError):
    """The server does not answer any more."""


class PromptRefused(HRVError):
    """The server refused a prompt before running it; `errors` is its own account by node id."""

    def __init__(self, message: str, errors: dict[str, Any]) -> None:
        super().__init__(message)
        self.errors = errors


class PromptFailed(HRVError):
    """A node of a prompt raised, or the prompt was cancelled at the server."""


class FileGone(HRVError):
    """A result that the server no longer has."""


@dataclass(frozen=True)
class Position:
    """Where a prompt is: "queued", "running", "done" (with its history entry) or "unknown"."""

    state: str
    entry: dict[str, Any] | None = None

    def outputs(self) -> dict[str, Any]:
        """Outputs by node id; raises PromptFailed with what the failing node said."""
        status = (self.entry or {}).get("status", {})
        messages = {name: details for name, details in status.get("messages", [])}
        if "execution_error" in messages:
            error = messages["execution_error"]
            raise PromptFailed(f"{error.get('node_type', '?')}: {error.get('exception_message', '').strip()}")
        if "execution_interrupted" in messages or status.get("status_str") != "success":
            raise PromptFailed("The prompt was cancelled at the server.")
        return (self.entry or {})["outputs"]


class Server:
    """One ComfyUI server, `address` as "127.0.0.1:8188" or "http://host:port"."""

    def __init__(self, address: str, wait: Callable[[float], None] = time.sleep) -> None:
        text = address.strip().rstrip("/")
        self.url = text if "://" in text else f"http://{text}"
        if not self.url.startswith(("http://", "https://")):
            raise HRVError(f'"{address}" is no address of a ComfyUI server. Write it like http://127.0.0.1:8188.')
        self.wait = wait
        self.session = requests.Session()

    @cached_property
    def object_info(self) -> dict[str, Any]:
        """The schemas of all nodes; raises ServerLost, and HRVError for a server without this pack."""
        info = self._json("GET", "/object_info")
        if PACK not in info:
            raise HRVError(
                f"The ComfyUI at {self.url} does not have this pack (it knows no node {PACK}). Put the pack into its"
                " custom_nodes, restart it, look into its log for import errors, and run the command again."
            )
        return info

    def submit(self, prompt: Prompt, prompt_id: str = "") -> str:
        """Queue a prompt and return its id (a UUID, given or new); raises PromptRefused with the reasons."""
        number = prompt_id or str(uuid.uuid4())
        answer = self._send("POST", "/prompt", {"prompt": prompt, "prompt_id": number})
        if not answer.ok and answer.status_code != 400:
            raise HRVError(f"{self.url} answered {answer.status_code} to a prompt: {answer.text[:300]}")
        found = answer.json()
        if not answer.ok or found.get("node_errors"):  # with some valid outputs the server would run only those
            if answer.ok:
                self.cancel(number)
            raise PromptRefused(_refusal(self.url, prompt, found), found.get("node_errors") or {})
        return number

    def position(self, prompt_id: str) -> Position:
        """Where a prompt is. The queue is asked before the history, so a prompt that ends meanwhile is not lost."""
        queue = self._json("GET", "/queue")
        for key, state in (("queue_running", "running"), ("queue_pending", "queued")):
            if any(prompt_id in entry for entry in queue[key]):
                return Position(state)
        entry = self._json("GET", f"/history/{prompt_id}").get(prompt_id)
        return Position("unknown") if entry is None else Position("done", entry)

    def cancel(self, prompt_id: str) -> None:
        """Take a prompt from the queue, or interrupt it if it runs."""
        self._send("POST", f"/api/jobs/{prompt_id}/cancel", {})

    def file(self, reference: dict[str, str]) -> bytes:
        """The bytes of a file an output names, {"filename", "subfolder", "type"}; raises FileGone."""
        answer = self._send("GET", f"/view?{urlencode(reference)}")
        if not answer.ok:
            raise FileGone(f"{self.url} has no file {reference.get('filename')} any more: {answer.status_code}.")
        return answer.content

    def _json(self, method: str, path: str) -> Any:
        answer = self._send(method, path)
        if not answer.ok:
            raise HRVError(f"{self.url}{path} answered {answer.status_code} {answer.reason}. Is it a ComfyUI server?")
        try:
            return answer.json()
        except json.JSONDecodeError as error:
            raise HRVError(f"{self.url} is no ComfyUI server: {path} answered {answer.text[:100]!r}.") from error

    def _send(self, method: str, path: str, data: dict[str, Any] | None = None) -> requests.Response:
        """One request, tried again while the server cannot be reached; a prompt taken twice is cached."""
        seconds, reason = FIRST_WAIT, ""
        for attempt in range(ATTEMPTS):
            try:
                return self.session.request(method, self.url + path, json=data, timeout=TIMEOUT)
            except (requests.ConnectionError, requests.Timeout) as error:
                reason = _reason(error)
                if attempt + 1 < ATTEMPTS:
                    self.wait(seconds)
                    seconds *= 2
            except requests.RequestException as error:
                raise HRVError(f'"{self.url}" is no address that can be asked: {error}.') from error
        raise ServerLost(
            f"The ComfyUI server at {self.url} cannot be reached ({reason}; tried {ATTEMPTS} times). What is finished"
            " is kept: start the server, and run the same command again to go on."
        )


def _reason(error: Exception) -> str:
    text = str(error)
    return "connection refused" if "refused" in text else "no answer in time" if "timed out" in text else text[:120]


def _refusal(url: str, prompt: Prompt, answer: dict[str, Any]) -> str:
    """What the server said, node by node, in one line each."""
    lines = [
        f"{prompt.get(number, {}).get('class_type', number)}: {one.get('message', '')} {one.get('details', '')}".strip()
        for number, node in (answer.get("node_errors") or {}).items()
        for one in node.get("errors", [])
    ]
    general = answer.get("error")
    if not lines and general:
        lines = [general if isinstance(general, str) else f"{general.get('message', '')} {general.get('details', '')}"]
    return f"The server at {url} refused the prompt: {'; '.join(lines) or 'no reason given'}"
