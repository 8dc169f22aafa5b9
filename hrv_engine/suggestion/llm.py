"""A chat completion from an OpenAI-compatible endpoint that the user configures; nothing else of the pack needs one."""

import json
import os
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..errors import HRVError
from ..remote.addresses import below, web_address
from ..remote.exchange import NoReply, Reply, TooSlow, ask, never

LARGEST = 2**20  # bytes of an answer
ADVICE = {
    401: "The key is missing or not accepted: look at key_variable.",
    403: "The key does not allow this: look at key_variable.",
    404: "Look at base_url, which ends before /chat/completions (often in /v1), and at the name of the model.",
    429: "The service asks to wait, or its quota is used up.",
}
MOVED = "It points to another address, which is not followed: write the final one into base_url."
EXAMPLE = "http://127.0.0.1:11434/v1 of Ollama"
KEY = re.compile(r"[\x21-\x7e]{1,4096}")
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
NAME_OF_CAPITALS = re.compile(r"[A-Z_][A-Z0-9_]{0,63}")  # what is hardly ever a key


@dataclass(frozen=True)
class Endpoint:
    """Where to ask: address is the base URL before /chat/completions; timeout: seconds for the whole answer."""

    address: str
    model: str
    key: str | None = field(default=None, repr=False)
    timeout: float = 60.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "address", endpoint_address(self.address))
        if not self.model.strip():
            raise HRVError(f"No model is named. Write the name that {self.address} knows it by, e.g. qwen3:8b.")
        if self.key and not KEY.fullmatch(self.key):
            raise HRVError(
                "The key holds a space, a line break or a letter that no key has. Set the environment variable that"
                " key_variable names again, to the key alone."
            )

    def complete(self, system: str, user: str, cancelled: Callable[[], None] = never) -> str:
        """The text that answers a system and a user message, at temperature 0 if the model has it.

        cancelled: looked at while waiting; it may raise. Raises HRVError, never with the key or the answer in it.
        """
        deadline = time.monotonic() + self.timeout
        body = {
            "model": self.model.strip(),
            "temperature": 0,
            "messages": [{"role": "system", "content": system}, {"role": "user", "content": user}],
        }
        reply = self._post(body, deadline, cancelled)
        if reply.status == 400 and b"temperature" in reply.body:  # some models have but one
            del body["temperature"]
            reply = self._post(body, deadline, cancelled)
        if not reply.ok:
            advice = MOVED if 300 <= reply.status < 400 else ADVICE.get(reply.status, "Its own log may say more.")
            raise HRVError(f"{self._url} answered {reply.described}. {advice}")
        try:
            text = json.loads(reply.body, parse_int=str, parse_float=str)["choices"][0]["message"]["content"]
        except (ValueError, LookupError, TypeError, RecursionError):
            raise HRVError(
                f"{self._url} did not answer as a chat-completions endpoint does: {reply.described}, {len(reply.body)}"
                ' bytes that are no JSON of the form {"choices": [{"message": {"content": "..."}}]}. Look at base_url;'
                " it often ends in /v1."
            ) from None
        if not isinstance(text, str) or not text.strip():
            raise HRVError(f'The model "{self.model}" gave no text. Run again, or choose another model.')
        return text

    @property
    def _url(self) -> str:
        return below(self.address, "chat", "completions")

    def _post(self, body: dict[str, Any], deadline: float, cancelled: Callable[[], None]) -> Reply:
        headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {self.key}"} if self.key else {})
        left = max(deadline - time.monotonic(), 0)
        try:
            return ask(
                self._url, seconds=left, largest=LARGEST, data=json.dumps(body).encode(), headers=headers,
                cancelled=cancelled,
            )  # fmt: skip
        except TooSlow:
            raise HRVError(
                f"{self._url} gave no answer within {self.timeout:g} seconds. Raise timeout (a model that has to"
                " be loaded first is slow once), or choose a smaller one."
            ) from None
        except NoReply as error:
            raise HRVError(f"{self._url} {error}. Start the server or correct base_url.") from error


def endpoint_address(text: str) -> str:
    """The base URL of an OpenAI-compatible server in its one spelling; raises HRVError for what is none."""
    return web_address(text, "a language model", EXAMPLE)


def key_from(variable: str, address: str, environment: Mapping[str, str] = os.environ) -> str | None:
    """The key in an environment variable, None for no name; HRVError unless NAME_FOR says it belongs to `address`.

    A workflow from elsewhere can name any address and any variable; it must not be able to send one to the other.
    """
    name, address = variable.strip(), endpoint_address(address)
    if not name:
        return None
    key = environment.get(name, "").strip() if NAME.fullmatch(name) else ""
    if not key:
        quoted = f'"{name}"' if NAME_OF_CAPITALS.fullmatch(name) else "of that name (not quoted: it may be a key)"
        raise HRVError(
            f"There is no environment variable {quoted} where ComfyUI runs. key_variable takes the name of a variable,"
            f" such as HRV_LLM_KEY, never the key. Set it before starting ComfyUI, together with a second one that has"
            f" _FOR after the name and holds {address}; leave key_variable empty for a server without a key."
        )
    owner = environment.get(f"{name}_FOR", "")
    try:
        belongs = bool(owner) and endpoint_address(owner) == address
    except HRVError:
        owner, belongs = "no address", False
    if not belongs:
        raise HRVError(
            f"The key in {name} is not sent to {address}, because {name}_FOR is {owner or 'not set'}. If the key"
            f" belongs there, start ComfyUI with {name}_FOR={address}. So a workflow of someone else cannot send your"
            " key away."
        )
    return key
