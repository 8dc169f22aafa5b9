"""The one client of a running ComfyUI server's HTTP API; progress.py has its websocket."""

import io
import math
import time
import uuid
from contextlib import suppress
from functools import cached_property
from http.client import HTTPException, IncompleteRead, RemoteDisconnected
from typing import Any
from urllib.parse import urlencode

import requests
from PIL import Image
from requests.adapters import HTTPAdapter, Retry

from ..errors import HRVError
from .addresses import web_address
from .exchange import described
from .prompt import Outputs, Prompt, PromptForgotten, PromptRefused, outputs_of

PACK = "HRVPrompt"  # a node that every version of this pack has
TIMEOUT = 60  # seconds, for one answer
POLL = 0.05  # seconds
LEAVING = 10  # seconds that are waited for a prompt to end which was refused in part
RETRIES = Retry(
    5,  # after the first try, with waits of 0, 1, 2, 4 and 8 seconds
    backoff_factor=0.5,
    allowed_methods=None,  # POST as well: a prompt taken twice has one id, and its second run is cached
    status_forcelist=(502, 503, 504),  # a proxy whose server is starting
    raise_on_status=False,
    respect_retry_after_header=False,
)
WITHOUT_WAITING = RETRIES.new(backoff_factor=0)


class ServerLost(HRVError):
    """The server does not answer any more."""


class FileGone(HRVError):
    """A result that the server no longer has."""


class Server:
    """One ComfyUI server, `address` as "127.0.0.1:8188" or "http://host:port"; raises HRVError for another form."""

    def __init__(self, address: str, retries: Retry = RETRIES) -> None:
        text = address.strip()
        self.url = web_address(text if "://" in text else f"http://{text}", "a ComfyUI server", "http://127.0.0.1:8188")
        self.client_id = uuid.uuid4().hex
        self._tries = 1 + (retries.total or 0)
        self._session = requests.Session()
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, HTTPAdapter(max_retries=retries))

    def object_info(self) -> dict[str, Any]:
        """The schemas of all nodes as they are now: the options of a combo change with the server's files."""
        return self.get("/object_info")

    @cached_property
    def schemas(self) -> dict[str, Any]:
        """The schemas of all nodes, asked for once; raises HRVError for a server without this pack."""
        schemas = self.object_info()
        if PACK not in schemas:
            raise HRVError(
                f"The ComfyUI at {self.url} does not have this pack (it knows no node {PACK}). Put the pack into its"
                " custom_nodes, restart it, look into its log for import errors, and run the command again."
            )
        return schemas

    def submit(self, prompt: Prompt) -> str:
        """Queue a prompt and return its id; raises PromptRefused with the reasons.

        A prompt with some valid outputs is taken by the server, which leaves the others out: here it is refused whole.
        """
        prompt_id = str(uuid.uuid4())
        data = {"prompt": prompt, "prompt_id": prompt_id, "client_id": self.client_id}
        response = self._send("POST", "/prompt", data)
        if not _succeeded(response) and response.status_code != 400:
            raise HRVError(f"{self.url} answered {_described(response)} to a prompt. Its own log may say why.")
        answer = self._parsed(response, "/prompt")
        if _succeeded(response) and not answer.get("node_errors"):
            return prompt_id
        if _succeeded(response):
            with suppress(HRVError):
                self.stop(prompt_id, LEAVING)
        raise PromptRefused(self.url, prompt, answer)

    def outputs(self, prompt_id: str) -> Outputs | None:
        """Outputs by node id of a prompt that is done, None while it is queued or runs.

        Raises PromptFailed, PromptCancelled or PromptForgotten.
        """
        if self._in_queue(prompt_id):  # asked before the history, so that a prompt that ends meanwhile is not missed
            return None
        entry = self.get(f"/history/{prompt_id}").get(prompt_id)
        if entry is None:
            raise PromptForgotten(self.url, prompt_id)
        return outputs_of(entry)

    def wait(self, prompt_id: str, timeout: float = 600) -> Outputs:
        """Outputs by node id when the prompt is done.

        timeout: seconds. Raises what `outputs` raises, and TimeoutError.
        """
        deadline = time.monotonic() + timeout
        while (outputs := self.outputs(prompt_id)) is None:
            if time.monotonic() > deadline:
                raise TimeoutError(f"prompt {prompt_id} is not done after {timeout:g} s")
            time.sleep(POLL)
        return outputs

    def run(self, prompt: Prompt, timeout: float = 600) -> Outputs:
        """Queue a prompt and wait for its outputs; raises what `submit` and `wait` raise."""
        return self.wait(self.submit(prompt), timeout)

    def cancel(self, prompt_id: str) -> None:
        """Take a prompt from the queue, or interrupt it if it runs."""
        self._send("POST", f"/api/jobs/{prompt_id}/cancel", {})

    def stop(self, prompt_id: str, timeout: float = math.inf) -> None:
        """Cancel a prompt and return when it no longer runs, or after `timeout` seconds.

        Asked again and again: the server forgets an interrupt that comes while a prompt begins (`execute_async` in its
        execution.py resets the flag).
        """
        deadline, pause = time.monotonic() + timeout, POLL
        self.cancel(prompt_id)
        while self._in_queue(prompt_id) and time.monotonic() < deadline:
            time.sleep(pause)
            pause = min(2 * pause, 1.0)
            self.cancel(prompt_id)

    def file(self, reference: dict[str, str]) -> bytes:
        """The bytes of a file an output names, {"filename", "subfolder", "type"}; raises FileGone."""
        response = self._send("GET", f"/view?{urlencode(reference)}")
        if not _succeeded(response):
            raise FileGone(f"{self.url} has no file {reference.get('filename')} any more: {response.status_code}.")
        return response.content

    def images(self, outputs: Outputs, node_id: str) -> list[Image.Image]:
        """The RGB images that a node shows; raises FileGone."""
        return [Image.open(io.BytesIO(self.file(reference))).convert("RGB") for reference in outputs[node_id]["images"]]

    def fetch(self, path: str, data: dict[str, Any] | None = None) -> bytes:
        """The body of GET path, or of POST path with `data` as JSON; raises HRVError for any status but success."""
        return self._fetched("GET" if data is None else "POST", path, data).content

    def get(self, path: str) -> dict[str, Any]:
        """The JSON object of GET path; raises HRVError for any status but success, and for what is no such object."""
        return self._parsed(self._fetched("GET", path), path)

    def _in_queue(self, prompt_id: str) -> bool:
        queue = self.get("/queue")
        entries = [entry for name in ("queue_running", "queue_pending") for entry in queue.get(name) or ()]
        return any(prompt_id in entry for entry in entries if isinstance(entry, list))

    def _fetched(self, method: str, path: str, data: dict[str, Any] | None = None) -> requests.Response:
        response = self._send(method, path, data)
        if not _succeeded(response):
            raise HRVError(f"{self.url}{path} answered {_described(response)}. Is it a ComfyUI server?")
        return response

    def _parsed(self, response: requests.Response, path: str) -> dict[str, Any]:
        try:
            answer = response.json()
        except (requests.JSONDecodeError, UnicodeDecodeError, RecursionError):
            answer = None
        if not isinstance(answer, dict):
            raise HRVError(
                f"{self.url} is no ComfyUI server: {path} answered {_described(response)}, which is no JSON object."
            )
        return answer

    def _send(self, method: str, path: str, data: dict[str, Any] | None = None) -> requests.Response:
        """One request with its retries; raises ServerLost when none got an answer."""
        try:
            return self._session.request(method, self.url + path, json=data, timeout=TIMEOUT, allow_redirects=False)
        except (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError) as error:
            raise ServerLost(
                f"The ComfyUI server at {self.url} cannot be reached ({_reason(error, self._tries)}). What is finished"
                " is kept: start the server, and run the same command again to go on."
            ) from error
        except requests.RequestException as error:
            raise HRVError(f'"{self.url}" is no address that can be asked: {error}.') from error


def _succeeded(response: requests.Response) -> bool:
    """Whether it is an answer: a redirect is none, and is not followed."""
    return 200 <= response.status_code < 300


def _described(response: requests.Response) -> str:
    return described(response.status_code, response.headers.get("Content-Type"))


def _reason(error: requests.RequestException, tries: int) -> str:
    """Why the last of all tries failed, or why an answer broke off in the middle, which is not tried again."""
    cause = error.args[0] if error.args else error
    last = getattr(cause, "reason", None)
    *_, root = getattr(last or cause, "args", ()) or (None,)
    text = str(last or cause)
    if "refused" in text:
        text = "connection refused"
    elif "timed out" in text:
        text = "no answer in time"
    elif isinstance(root, HTTPException) and not isinstance(root, (RemoteDisconnected, IncompleteRead)):
        text = "what answers there does not speak HTTP"  # the text would quote it
    return f"{text[:120]}; tried {tries} times" if last else text[:120]
