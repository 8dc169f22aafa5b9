"""Which outputs of the running node are connected: a forgotten wire is named before an image is drawn in vain."""

import sys
from collections.abc import Iterator, Mapping
from typing import Any

from comfy_execution.utils import get_executing_context

from ...hrv_engine.errors import HRVError

Prompt = Mapping[str, Any]  # node id -> {"class_type": ..., "inputs": {name: value or [node id, output place]}}
ONLOOKERS = ("HRVReport", "PreviewAny")  # classes that look at an output without sampling with it
MODEL = 0  # the place of MODEL among the outputs of every node that asks for something


def check_wires(title: str, together: Mapping[int, str]) -> None:
    """Raise HRVError when an output without which the node does nothing is not connected; together: place -> name.

    MODEL may come to the sampler from another HRV node. Nothing is checked where no server runs.
    """
    context, prompt = get_executing_context(), running_prompt()
    if context is None or context.node_id not in prompt:
        return
    links = list(_links(prompt, context.node_id))
    used = {place for place, _ in links} & set(together)
    missing = [place for place in together if place not in used]
    if not used or not missing:
        return
    if missing == [MODEL] and _steered_elsewhere(prompt, [node for place, node in links if place != MODEL]):
        return
    lost = " and ".join(together[place] for place in missing)
    raise HRVError(
        f"{title}: {', '.join(together[place] for place in sorted(used))} is connected, but {lost} is not. They only"
        f" work together: without {lost} the image would be the same as without this node. Connect {lost} to the same"
        " sampler, or take the node away."
    )


def running_prompt() -> Prompt:
    """The prompt that a server runs now, as it was sent; empty where no server runs."""
    context = get_executing_context()
    server = getattr(getattr(sys.modules.get("server"), "PromptServer", None), "instance", None)
    queue = getattr(server, "prompt_queue", None)
    for item in list(getattr(queue, "currently_running", {}).values()):
        if context is not None and item[1] == context.prompt_id:
            return item[2]
    return {}


def _links(prompt: Prompt, source: str) -> Iterator[tuple[int, str]]:
    """(place of the output, node it goes to) of every link from a node to one that is no onlooker."""
    for number, node in prompt.items():
        if node.get("class_type") not in ONLOOKERS:
            for value in node.get("inputs", {}).values():
                if isinstance(value, list) and len(value) == 2 and value[0] == source:
                    yield value[1], number


def _steered_elsewhere(prompt: Prompt, consumers: list[str]) -> bool:
    """Whether every sampler behind these nodes gets its model through an HRV node."""
    reached, models = set(consumers), []
    waiting = list(consumers)
    while waiting:
        number = waiting.pop()
        model = prompt[number].get("inputs", {}).get("model")
        if isinstance(model, list) and not _is_ours(prompt[number]):
            models.append(model[0])
        for _, behind in _links(prompt, number):
            if behind not in reached:
                reached.add(behind)
                waiting.append(behind)
    return all(_through_hrv(prompt, model) for model in models)


def _through_hrv(prompt: Prompt, number: str) -> bool:
    """Whether a MODEL comes out of an HRV node that takes one, or from behind such a node."""
    seen: set[str] = set()
    while number in prompt and number not in seen:
        seen.add(number)
        source = prompt[number].get("inputs", {}).get("model")
        if not isinstance(source, list):
            return False
        if _is_ours(prompt[number]):
            return True
        number = source[0]
    return False


def _is_ours(node: Mapping[str, Any]) -> bool:
    return str(node.get("class_type", "")).startswith("HRV")
