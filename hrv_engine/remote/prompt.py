"""A prompt in the format of ComfyUI's API, and what the server answers when it is refused, fails or is done."""

from collections.abc import Mapping
from typing import Any

from ..errors import HRVError

Prompt = dict[str, dict[str, Any]]  # node id -> {"class_type": ..., "inputs": {...}}
Outputs = dict[str, dict[str, Any]]  # node id -> what it shows, e.g. {"images": [file references], "text": [...]}


class PromptRefused(HRVError):
    """The server refused a prompt before running it; `node_errors` is its own account by node id."""

    def __init__(self, url: str, prompt: Prompt, answer: Mapping[str, Any]) -> None:
        self.node_errors: dict[str, Any] = answer.get("node_errors") or {}
        super().__init__(f"The server at {url} refused the prompt: {_reasons(prompt, self.node_errors, answer)}")


class PromptFailed(HRVError):
    """A node raised: `node_type` is its class, `message` what the user reads, `traceback` where it happened."""

    def __init__(self, error: Mapping[str, Any]) -> None:
        self.node_type: str = error.get("node_type", "?")
        self.message: str = error.get("exception_message", "").strip()
        self.traceback = "".join(error.get("traceback", []))
        super().__init__(f"{self.node_type}: {self.message}")


class PromptCancelled(HRVError):
    """A prompt was cancelled at the server."""

    def __init__(self) -> None:
        super().__init__("The prompt was cancelled at the server.")


class PromptForgotten(HRVError):
    """A prompt that the server neither has in its queue nor remembers: it was restarted, or never got it."""

    def __init__(self, url: str, prompt_id: str) -> None:
        super().__init__(f"The server at {url} knows no prompt {prompt_id}. Was it restarted?")


def outputs_of(entry: Mapping[str, Any]) -> Outputs:
    """Outputs by node id of a prompt's history entry; raises PromptFailed or PromptCancelled."""
    status = entry.get("status", {})
    messages = dict(status.get("messages", []))
    if "execution_error" in messages:
        raise PromptFailed(messages["execution_error"])
    if "execution_interrupted" in messages or status.get("status_str") != "success":
        raise PromptCancelled
    return entry["outputs"]


def _reasons(prompt: Prompt, node_errors: Mapping[str, Any], answer: Mapping[str, Any]) -> str:
    """What the server said of each node, else of the prompt as a whole."""
    reasons = [
        f"{prompt.get(node_id, {}).get('class_type', node_id)}: {_sentence(error)}".strip()
        for node_id, node in node_errors.items()
        for error in node.get("errors", [])
    ]
    general = answer.get("error")
    if not reasons and general:
        reasons = [general if isinstance(general, str) else _sentence(general)]
    return "; ".join(reasons) or "no reason given"


def _sentence(error: Mapping[str, Any]) -> str:
    return f"{error.get('message', '')} {error.get('details', '')}"
