"""Pictures on nodes after a run, in the host's own way: files in its temp folder, which every renderer shows."""

from collections.abc import Callable
from typing import Any

from comfy_api.latest import ui
from comfy_execution.utils import get_executing_context
from torch import Tensor

from .node_texts import shown

Reference = dict[str, str]  # filename, subfolder, type: what /view is asked for


def pictured(image: Tensor, text: str | None = None, **more: Callable[[], Any]) -> dict[str, Any]:
    """What the frontend is to show of the running node: an IMAGE [images height width channels] and a text.

    more: what web/js reads beside them, by key, made only now. Where no server runs the text alone is left, and no file
    is written.
    """
    said = {} if text is None else shown(text).as_dict()
    if get_executing_context() is None:
        return said
    return {"images": references(image), "animated": (False,), **said, **{key: [make()] for key, make in more.items()}}


def references(image: Tensor) -> list[Reference]:
    """Where the host put each image of an IMAGE for the time it runs."""
    return [dict(saved) for saved in ui.PreviewImage(image).values]
