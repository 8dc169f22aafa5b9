"""A UI graph as a prompt, the format that scripts post to a server: workflows/api/<name>.json."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from hrv_engine.paths import WORKFLOWS

FOLDER = WORKFLOWS / "api"


def as_prompt(graph: dict[str, Any], object_info: dict[str, Any]) -> dict[str, Any]:
    """The prompt of a graph, by comfy-cli's port of the frontend's converter.

    It gives sockets of a widget's type that nothing is connected to their default; the frontend leaves them out.
    """
    from comfy_cli.workflow_to_api import convert_ui_to_api

    prompt: dict[str, Any] = convert_ui_to_api(graph, object_info)
    for node in prompt.values():
        given = object_info[node["class_type"]]["input"]
        specs = {**given.get("required", {}), **given.get("optional", {})}
        sockets = {key for key, spec in specs.items() if len(spec) > 1 and spec[1].get("forceInput")}
        node["inputs"] = {
            key: value for key, value in node["inputs"].items() if key not in sockets or isinstance(value, list)
        }
    return prompt


def path_of(name: str) -> Path:
    """Where the prompt of a graph lies."""
    return FOLDER / f"{name}.json"


def write_prompt(name: str, graph: dict[str, Any], object_info: dict[str, Any]) -> None:
    """Write the prompt of a graph, a node a line."""
    lines = (
        f'"{number}": {json.dumps(node, ensure_ascii=False)}' for number, node in as_prompt(graph, object_info).items()
    )
    FOLDER.mkdir(exist_ok=True)
    path_of(name).write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
