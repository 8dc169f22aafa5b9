"""A chat completion from an OpenAI-compatible endpoint that the user configures; nothing else of the pack needs one."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError
from urllib.request import HTTPRedirectHandler, Request, build_opener

from ..errors import HRVError

LARGEST = 2**20  # bytes of an answer
QUOTED = 200  # characters of an answer in an error
ADVICE = {
    401: "The key is missing or not accepted: look at key_variable.",
    403: "The key does not allow this: look at key_variable.",
    404: "Look at base_url, which ends before /chat/completions (often in /v1), and at the name of the model.",
    429: "The service asks to wait, or its quota is used up.",
}


@dataclass(frozen=True)
class Endpoint:
    """Where to ask: address is the base URL before /chat/completions; timeout: seconds without an answer."""

    address: str
    model: str
    key: str | None = field(default=None, repr=False)
    timeout: float = 60.0

    def __post_init__(self) -> None:
        if not self.address.startswith(("http://", "https://")):
            raise HRVError(
                f'"{self.address}" is no address of a language model. Give the base URL of an OpenAI-compatible server,'
                " beginning with http:// or https://, e.g. http://127.0.0.1:11434/v1 of Ollama."
            )
        if not self.model.strip():
            raise HRVError(f"No model is named. Write the name that {self.address} knows it by, e.g. qwen3:8b.")

    def complete(self, system: str, user: str) -> str:
        """The text that answers a system and a user message, at temperature 0 if the model has it.

        Raises HRVError, never with the key in it.
        """
        body = {
            "model": self.model.strip(),
            "temperature": 0,
            "messages": [{"role": "system", "content": system}, {"role": "user", "content": user}],
        }
        payload = self._post(body)
        try:
            text = json.loads(payload)["choices"][0]["message"]["content"]
        except (ValueError, LookupError, TypeError) as error:
            raise HRVError(
                f"{self.address} did not answer as a chat-completions endpoint does: {_start(payload)}. Look at"
                " base_url; it often ends in /v1."
            ) from error
        if not isinstance(text, str) or not text.strip():
            raise HRVError(f'The model "{self.model}" gave no text. Run again, or choose another model.')
        return text

    def _post(self, body: dict[str, Any]) -> bytes:
        address = f"{self.address.rstrip('/')}/chat/completions"
        headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {self.key}"} if self.key else {})
        request = Request(address, json.dumps(body).encode(), headers)
        try:
            with build_opener(_Stay).open(request, timeout=self.timeout) as answer:
                return answer.read(LARGEST)
        except HTTPError as error:
            said = _start(error.read(LARGEST))
            if error.code == 400 and "temperature" in body and "temperature" in said:  # some models have but one
                return self._post({key: value for key, value in body.items() if key != "temperature"})
            advice = ADVICE.get(error.code, "Its own log may say more.")
            raise HRVError(f"{address} answered {error.code} {error.reason}: {said}. {advice}") from error
        except TimeoutError as error:
            raise HRVError(self._slow(address)) from error
        except (OSError, HTTPException, ValueError) as error:
            reason = getattr(error, "reason", error)
            if isinstance(reason, TimeoutError):
                raise HRVError(self._slow(address)) from error
            raise HRVError(
                f"{address} cannot be reached: {reason}. Start the server, or correct base_url. HRV Suggest needs none."
            ) from error

    def _slow(self, address: str) -> str:
        return (
            f"{address} gave no answer within {self.timeout:g} seconds. Raise timeout (a model that has to be loaded"
            " first is slow once), or choose a smaller one."
        )


def key_from(variable: str, address: str, environment: Mapping[str, str] = os.environ) -> str | None:
    """The key in an environment variable, None for no name; HRVError unless NAME_FOR says it belongs to `address`.

    A workflow from elsewhere can name any address and any variable; it must not be able to send one to the other.
    """
    name = variable.strip()
    if not name:
        return None
    if not environment.get(name):
        raise HRVError(
            f'There is no environment variable "{name}" where ComfyUI runs. Set it before starting ComfyUI, together'
            f" with {name}_FOR={address}; leave key_variable empty for a server without a key."
        )
    owner = environment.get(f"{name}_FOR", "").rstrip("/")
    if owner != address.rstrip("/"):
        raise HRVError(
            f"The key in {name} is not sent to {address}, because {name}_FOR is {owner or 'not set'}. If the key"
            f" belongs there, start ComfyUI with {name}_FOR={address}. So a workflow of someone else cannot send your"
            " key away."
        )
    return environment[name]


class _Stay(HTTPRedirectHandler):
    """Follows no redirect: the key goes to the address it is for, or nowhere."""

    def redirect_request(self, *_: Any) -> None:
        return None


def _start(payload: bytes) -> str:
    text = " ".join(payload.decode("utf-8", "replace").split())
    return repr(text[:QUOTED]) if text else "nothing"
