"""A UI graph (LiteGraph JSON 0.4, as the frontend saves it), laid out in groups of columns from real node schemas."""

from __future__ import annotations

import json
import uuid
from typing import Any

from hrv_engine.paths import ROOT, WORKFLOWS

from .api_format import write_prompt

NOTES = ROOT / "tools" / "workflow_notes"
WIDGETS = {"INT", "FLOAT", "STRING", "BOOLEAN", "COMBO"}
# px, roomy enough for both node renderers of the frontend
FOOT, SLOT, WIDGET, TEXT, PICTURE, SAID = 50, 22, 30, 90, 200, 90
MARGIN, BETWEEN, TITLES = 44, 20, 74  # between nodes of a column, between columns, of a group's title and a node's
DRAWING = {  # nodes that show their picture on themselves
    *("HRVHeatmap", "HRVSimilarity", "HRVHeadConcepts", "HRVTokenMapView", "HRVWeakenSweep", "HRVCompare"),
    *("HRVLogitScale", "HRVTSNE", "HRVWeakenCurve", "HRVCompareScores", "HRVSuggest"),
}
OURS, CORE = "#2a4a5a", "#3f789e"


class Graph:
    """Nodes, links and groups of one workflow; `object_info` gives input order, widget defaults and types."""

    def __init__(self, name: str, object_info: dict[str, Any]) -> None:
        self.name, self.object_info = name, object_info
        self.nodes: list[dict[str, Any]] = []
        self.links: list[list[Any]] = []
        self.groups: list[dict[str, Any]] = []
        self.parts: list[dict[str, Any]] = []  # definitions of its subgraphs

    def note(self, height: int, wide: int = 340) -> dict[str, Any]:
        """The Markdown note of this graph, from tools/workflow_notes."""
        text = (NOTES / f"{self.name}.md").read_text(encoding="utf-8")
        return self._add("MarkdownNote", "Read me", [], [], [text.strip()], [wide, height], {})

    def node(
        self, kind: str, title: str | None = None, models: list | None = None, wide: int = 300,
        more: dict[str, Any] | None = None, **values: Any,
    ) -> dict[str, Any]:  # fmt: skip
        """A node; values are widget values, or (node, output name) for a link; others keep their default."""
        schema = self.object_info[kind]
        values |= more or {}  # inputs whose names are taken by this method's own
        sockets: list[dict[str, Any]] = []
        widgets: list[Any] = []
        knobs: list[dict[str, Any]] = []
        late: list[tuple[int, tuple[dict[str, Any], str]]] = []  # widgets fed by a link: (number, source)
        height = FOOT
        for name, spec in self._inputs(schema):
            options = spec[1] if len(spec) > 1 else {}
            entry: dict[str, Any] = {
                "name": name,
                "type": "COMBO" if isinstance(spec[0], list) else spec[0],
                "link": None,
            }
            if entry["type"] in WIDGETS and not options.get("forceInput"):
                seed = bool(options.get("control_after_generate"))
                if isinstance(values.get(name), tuple):
                    late.append((len(knobs), values.pop(name)))
                widgets += [values.pop(name, _default(spec, options)), *(["fixed"] if seed else [])]
                knobs.append({**entry, "widget": {"name": name}})
                height += WIDGET * (1 + seed) + (TEXT if options.get("multiline") else 0)
            else:
                if name in values:
                    entry["link"] = self._link(values.pop(name), len(self.nodes) + 1, len(sockets))
                sockets.append(entry)
        for number, source in late:
            knobs[number]["link"] = self._link(source, len(self.nodes) + 1, len(sockets) + number)
        if values:
            raise KeyError(f"{kind} has no input {', '.join(values)}")
        outs = [
            {"name": out, "type": of, "slot_index": i, "links": []}
            for i, (out, of) in enumerate(zip(schema["output_name"], schema["output"], strict=True))
        ]
        shown = {"PreviewImage": PICTURE, "PreviewAny": SAID}.get(kind, PICTURE + 50 if kind in DRAWING else 0)
        height += SLOT * max(len(outs), len(sockets)) + shown
        ours = kind.startswith("HRV")
        about: dict[str, Any] = {"Node name for S&R": kind, "cnr_id": "comfyui-hrv" if ours else "comfy-core"}
        about |= {"models": models} if models else {}
        made = self._add(kind, title, sockets + knobs, outs, widgets, [wide, height], about)
        if ours:
            made |= {"color": "#233a46", "bgcolor": OURS}
        return made

    def place(self, part: Any, wide: int = 300, **links: tuple[dict[str, Any], str]) -> dict[str, Any]:
        """The node of a Subgraph; links: (node, output name) by the names of its sockets."""
        made = part.as_node(len(self.nodes) + 1, wide)
        for slot, socket in enumerate(made["inputs"]):
            if socket["name"] in links:
                socket["link"] = self._link(links.pop(socket["name"]), made["id"], slot)
        if links:
            raise KeyError(f"{part.title} has no socket {', '.join(links)}")
        self.nodes.append(made)
        self.parts += [*part.parts, part.definition()]
        return made

    def group(self, title: str, at: tuple[int, int], columns: list[list[dict[str, Any]]]) -> tuple[int, int]:
        """Place nodes in columns from `at` and frame them; returns the frame's right and lower edge."""
        x, bottom = at[0] + 20, at[1]
        for column in columns:
            y = at[1] + TITLES
            for node in column:
                node["pos"] = [x, y]
                y += node["size"][1] + MARGIN
            x += max(node["size"][0] for node in column) + BETWEEN
            bottom = max(bottom, y - MARGIN + 20)
        box = [at[0], at[1], x + 20 - BETWEEN - at[0], bottom - at[1]]
        group = {
            "id": len(self.groups) + 1,
            "title": title,
            "bounding": box,
            "color": CORE,
            "font_size": 24,
            "flags": {},
        }
        self.groups.append(group)
        return at[0] + box[2], bottom

    def write(self) -> None:
        """Write workflows/<name>.json, and the prompt it sends to workflows/api."""
        (WORKFLOWS / f"{self.name}.json").write_text(
            json.dumps(self.as_json(), indent=1, ensure_ascii=False) + "\n", encoding="utf-8"
        )
        write_prompt(self.name, self.as_json(), self.object_info)

    def as_json(self) -> dict[str, Any]:
        """The graph as the frontend saves it; its id comes from its name, so that a rewrite changes nothing else."""
        last, parts = len(self.nodes), []
        for part in self.parts:  # the frontend gives nodes of subgraphs other ids where the graph has them already
            parts.append(_renumbered(part, last))
            last += len(part["nodes"])
        return {
            "id": str(uuid.uuid5(uuid.NAMESPACE_URL, f"comfyui-hrv/{self.name}")),
            "revision": 0,
            "last_node_id": last,
            "last_link_id": len(self.links),
            "nodes": self.nodes,
            "links": self.links,
            "groups": self.groups,
            **({"definitions": {"subgraphs": parts}} if parts else {}),
            "config": {},
            "extra": {"ds": {"scale": 0.7, "offset": [130, 110]}},
            "version": 0.4,
        }

    def _add(
        self, kind: str, title: str | None, ins: list, outs: list, widgets: list, size: list[int], about: dict
    ) -> dict[str, Any]:
        node = {
            "id": len(self.nodes) + 1,
            "type": kind,
            "pos": [0, 0],
            "size": size,
            "flags": {},
            "order": len(self.nodes),
            "mode": 0,
        }
        node |= {"title": title} if title else {}
        node |= {"inputs": ins, "outputs": outs, "properties": about, "widgets_values": widgets}
        self.nodes.append(node)
        return node

    def _link(self, source: tuple[dict[str, Any], str], target: int, slot: int) -> int:
        node, name = source
        names = [out["name"] for out in node["outputs"]]
        number = len(self.links) + 1
        out = node["outputs"][names.index(name)]
        out["links"].append(number)
        self.links.append([number, node["id"], names.index(name), target, slot, out["type"]])
        return number

    @staticmethod
    def _inputs(schema: dict[str, Any]) -> list[tuple[str, list[Any]]]:
        both = [("required", name) for name in schema["input_order"].get("required", [])]
        both += [("optional", name) for name in schema["input_order"].get("optional", [])]
        return [(name, schema["input"][kind][name]) for kind, name in both]


def _renumbered(part: dict[str, Any], after: int) -> dict[str, Any]:
    """A subgraph's definition whose nodes are numbered from `after` + 1."""
    ends = ("origin_id", "target_id")
    links = [{**link, **{end: link[end] + after * (link[end] > 0) for end in ends}} for link in part["links"]]
    return {**part, "nodes": [{**node, "id": node["id"] + after} for node in part["nodes"]], "links": links}


def _default(spec: list[Any], options: dict[str, Any]) -> Any:
    choices = spec[0] if isinstance(spec[0], list) else options.get("options", [])
    if "default" in options or choices:
        return options.get("default", choices[0] if choices else None)
    return {"INT": 0, "FLOAT": 0.0, "BOOLEAN": False}.get(str(spec[0]), "")
