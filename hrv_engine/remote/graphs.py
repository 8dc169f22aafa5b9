"""A shipped workflow graph as a template: inputs are set by node title or class, and only what is collected runs."""

import copy
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..errors import HRVError, first_line, nearest
from ..optional import library
from ..paths import WORKFLOWS
from .prompt import Prompt

PREVIEWS = {"IMAGE": ("PreviewImage", "images"), "STRING": ("PreviewAny", "source")}  # output type -> class, input


@dataclass(frozen=True)
class Template:
    """An API prompt, the titles of its nodes, and the schemas of the server it is for."""

    name: str
    prompt: Prompt
    titles: Mapping[str, str]
    schemas: Mapping[str, Any]

    @classmethod
    def read(cls, name: str, object_info: Mapping[str, Any], folder: Path = WORKFLOWS) -> "Template":
        """workflows/<name>.json, converted by comfy-cli; raises HRVError for a graph that is not there or not whole."""
        file = folder / f"{name}.json"
        listed = [path.stem for path in sorted(folder.glob("*.json"))]
        if name not in listed:
            raise HRVError(f'There is no workflow "{name}". Nearest: {nearest(name, listed)}. There are: {listed}.')
        convert = library(
            "comfy_cli.workflow_to_api", "comfy-cli", "experiments", "Running a workflow without a browser"
        ).convert_ui_to_api
        graph, nodes = _graph(file)
        unknown = {node["type"] for node in nodes.values()} - set(object_info) - {"MarkdownNote", "Note"}
        if unknown:
            raise HRVError(
                f"The server does not know the node {', '.join(sorted(unknown))} of {name}. Update this pack there (and"
                " ComfyUI to 0.30 or newer), then restart it."
            )
        titles = {number: node.get("title") or node["type"] for number, node in nodes.items()}
        return cls(name, convert(graph, dict(object_info)), titles, object_info)

    def replacing(self, classes: Mapping[str, str]) -> "Template":
        """Every node of one class as a node of another; inputs that one does not have are left.

        The outputs that both have must be of the same types, in order; either may have more after them.
        """
        prompt = copy.deepcopy(self.prompt)
        for old, new in classes.items():
            needed, given = self._outputs(old), self._outputs(new)
            shared = min(len(needed), len(given))
            if needed[:shared] != given[:shared]:
                raise HRVError(f"{new} cannot stand in for {old}: its outputs are {given}, not {needed}.")
            for node_id in self._named(old):
                inputs = {key: value for key, value in prompt[node_id]["inputs"].items() if key in self._legal(new)}
                prompt[node_id] = {"class_type": new, "inputs": inputs}
        return replace(self, prompt=prompt)

    def setting(self, values: Mapping[str, Any]) -> "Template":
        """With inputs set: {"node.input": value}, node a title, or a class for all its nodes; a value ends a link.

        Titles win over classes, whatever the order. Raises HRVError for a node or an input that is not there.
        """
        prompt = copy.deepcopy(self.prompt)
        titles = set(self.titles.values())
        for address in sorted(values, key=lambda address: address.rpartition(".")[0] in titles):
            name, _, field = address.rpartition(".")
            inputs = {node_id: self._legal(prompt[node_id]["class_type"]) for node_id in self._named(name)}
            holders = [node_id for node_id, legal in inputs.items() if field in legal]
            if not holders:
                legal = sorted({key for keys in inputs.values() for key in keys})
                raise HRVError(
                    f'{name} has no input "{field}" in {self.name}. Nearest: {nearest(field, legal)}. It has:'
                    f" {', '.join(legal)}."
                )
            for node_id in holders:
                prompt[node_id]["inputs"][field] = values[address]
        return replace(self, prompt=prompt)

    def collecting(self, wanted: Mapping[str, str]) -> tuple[Prompt, dict[str, str]]:
        """The part of the prompt that `wanted` needs, and the node that shows each: {name: node id}.

        wanted: {name: "title of a preview node"} or {name: "node.output"}, which gets a preview of its own.
        """
        prompt = copy.deepcopy(self.prompt)
        shown = {name: self._shown(prompt, address) for name, address in wanted.items()}
        keep: set[str] = set()
        stack = list(shown.values())
        while stack:
            node_id = stack.pop()
            if node_id not in keep:
                keep.add(node_id)
                stack += [value[0] for value in prompt[node_id]["inputs"].values() if is_link(value, prompt)]
        return {node_id: node for node_id, node in prompt.items() if node_id in keep}, shown

    def _shown(self, prompt: Prompt, address: str) -> str:
        """The node that shows an output, added to the prompt where there is none."""
        for node_id in self._find(address):
            if prompt[node_id]["class_type"].startswith("Preview"):
                return node_id
        name, _, output = address.rpartition(".")
        for node_id in self._named(name):
            kind = prompt[node_id]["class_type"]
            if output in self.schemas[kind]["output_name"]:
                place = self.schemas[kind]["output_name"].index(output)
                preview, field = PREVIEWS.get(self.schemas[kind]["output"][place], PREVIEWS["STRING"])
                added = free_id(prompt)
                prompt[added] = {"class_type": preview, "inputs": {field: [node_id, place]}}
                return added
        raise HRVError(f'Nothing in {self.name} shows "{address}": no preview has this title, and no node this output.')

    def _find(self, name: str) -> list[str]:
        """Ids of the nodes of a title, else of a class."""
        titled = [node_id for node_id in self.prompt if self.titles.get(node_id) == name]
        return titled or [node_id for node_id, node in self.prompt.items() if node["class_type"] == name]

    def _named(self, name: str) -> list[str]:
        """The same; raises HRVError where there is none."""
        node_ids = self._find(name)
        if node_ids:
            return node_ids
        legal = sorted({*self.titles.values(), *(node["class_type"] for node in self.prompt.values())})
        raise HRVError(
            f'{self.name} has no node "{name}". Nearest: {nearest(name, legal)}. It has: {", ".join(legal)}.'
        )

    def _legal(self, kind: str) -> list[str]:
        groups = self.schemas[kind]["input"]
        return [*groups.get("required", {}), *groups.get("optional", {})]

    def _outputs(self, kind: str) -> list[str]:
        if kind not in self.schemas:
            raise HRVError(f'The server knows no node "{kind}".')
        return list(self.schemas[kind]["output"])


def _graph(file: Path) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """A graph as the frontend saves it, and its nodes by their ids in a prompt; raises HRVError for another file."""
    try:
        graph = json.loads(file.read_bytes())
        nodes = dict(_nodes(graph))
        if all(isinstance(node["type"], str) and isinstance(node["id"], (int, str)) for node in nodes.values()):
            return graph, nodes
        said = "a node has no type and id"
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        said = first_line(error, 100)
    raise HRVError(f"{file.name} is no workflow as the frontend saves it ({said}). Save the graph there again.")


def _nodes(graph: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every node with its id in a prompt; those of a subgraph instead of the one that stands for it, as "5:2"."""
    parts = {part["id"]: part for part in graph.get("definitions", {}).get("subgraphs", [])}

    def inside(nodes: list[dict[str, Any]], before: str) -> Iterator[tuple[str, dict[str, Any]]]:
        for node in nodes:
            number = f"{before}{node['id']}"
            if node["type"] in parts:
                yield from inside(parts[node["type"]]["nodes"], f"{number}:")
            else:
                yield number, node

    return inside(graph["nodes"], "")


def is_link(value: Any, prompt: Prompt) -> bool:
    """Whether an input is [node id, output number] and no list of values."""
    return isinstance(value, list) and len(value) == 2 and isinstance(value[0], str) and value[0] in prompt


def free_id(prompt: Prompt) -> str:
    """An id that no node has; those of nodes in a subgraph are like "5:2"."""
    return str(max(int(number.partition(":")[0]) for number in prompt) + 1)


def missing_files(prompt: Prompt, schemas: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """(class, input, value) of every combo whose value the server does not offer: a checkpoint, vectors, ..."""
    missing = []
    for node in prompt.values():
        groups = schemas[node["class_type"]]["input"]
        specs = {**groups.get("required", {}), **groups.get("optional", {})}
        for field, value in node["inputs"].items():
            options = _options(specs.get(field))
            if options is not None and isinstance(value, str) and value not in options:
                missing.append((node["class_type"], field, value))
    return list(dict.fromkeys(missing))


def _options(spec: Any) -> list[str] | None:
    """The values of a combo in either notation, None for other inputs."""
    if not spec:
        return None
    if isinstance(spec[0], list):
        return spec[0]
    return spec[1].get("options") if spec[0] == "COMBO" and len(spec) > 1 else None
