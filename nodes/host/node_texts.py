"""Texts under nodes after a run: which node made a model, and what the frontend is to show there."""

import sys
from collections.abc import Collection, Mapping
from html import escape
from typing import Any

from comfy_api.latest import ui
from comfy_execution.utils import get_executing_context

NODES = "hrv_nodes"  # key in transformer_options: by id of a node, the keys of the controls it put on a model

NOTES = "hrv_notes"  # key in transformer_options: by id of a node, a text that stays above its receipts


def made_by_node(before: Mapping[str, tuple[str, ...]], keys: Collection[str]) -> dict[str, tuple[str, ...]]:
    """The nodes before, and the node that is running, if one is, with the keys of its controls."""
    context = get_executing_context()
    if context is None:
        return dict(before)
    return {**before, context.node_id: (*before.get(context.node_id, ()), *keys)}


MOST_LINES, MOST_CHARACTERS = 16, 1200  # of a text under a node


def shown(text: str) -> ui.PreviewText:
    """A node's text output, and the same text under the node itself, which draws it in every renderer."""
    context = get_executing_context()
    if context is not None:
        lines = text[:MOST_CHARACTERS].splitlines()[:MOST_LINES]
        short = "\n".join(lines)
        _send(short if short == text else f"{short}\n...", context.node_id)
    return ui.PreviewText(text)


def keep_note(options: dict[str, Any], text: str) -> None:
    """Let a text of the running node stay above the receipts of a run; options: its own MODEL's transformer_options."""
    context = get_executing_context()
    if context is not None:
        options[NOTES] = {**options.get(NOTES, {}), context.node_id: text}


def show_texts(options: Mapping[str, Any], texts: Mapping[str, str]) -> None:
    """Show under every node its note and the texts of its controls, given by key; nothing where no server runs."""
    for node_id, keys in options.get(NODES, {}).items():
        lines = dict.fromkeys(texts[key] for key in keys if key in texts)
        note = options.get(NOTES, {}).get(node_id)
        if lines:
            _send("\n".join([*([note] if note else []), *lines]), node_id)


def _send(text: str, node_id: str) -> None:
    server = getattr(getattr(sys.modules.get("server"), "PromptServer", None), "instance", None)
    if server is not None:
        server.send_progress_text(escape(text, quote=False), node_id)  # the frontend takes it for HTML
