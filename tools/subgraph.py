"""A part of a graph that is one node until it is opened, as the frontend saves it."""

from __future__ import annotations

import uuid
from typing import Any

from .litegraph import FOOT, SLOT, WIDGET, Graph

ENTRY, EXIT = -10, -20  # ids of a subgraph's two ends
Node = dict[str, Any]


class Subgraph(Graph):
    """A graph whose open ends are the sockets and widgets of one node of that title; inside: whose ids it takes."""

    def __init__(self, title: str, object_info: dict[str, Any], inside: str) -> None:
        super().__init__(f"{inside}/{title}", object_info)
        self.title, self.description = title, ""
        self.entries: list[dict[str, Any]] = []
        self.exits: list[dict[str, Any]] = []
        self.values: list[Any] = []  # of those entries that are widgets

    def enter(self, name: str, *inputs: tuple[Node, str]) -> None:
        """One input of its node for some inputs of its parts; a widget if the first of them is one."""
        numbers = []
        for node, own in inputs:
            slot = next(place for place, entry in enumerate(node["inputs"]) if entry["name"] == own)
            numbers.append(len(self.links) + 1)
            node["inputs"][slot]["link"] = numbers[-1]
            kind = node["inputs"][slot]["type"]
            self.links.append([numbers[-1], ENTRY, len(self.entries), node["id"], slot, kind])
        entry = {"name": name, "type": kind, "linkIds": numbers}
        first, own = inputs[0]
        if "widget" in next(entry for entry in first["inputs"] if entry["name"] == own):
            entry["widget"] = {"name": name}
            self.values.append(self._value(first, own))
        self.entries.append(entry)

    def leave(self, name: str, node: Node, output: str) -> None:
        """An output of its node."""
        place = [out["name"] for out in node["outputs"]].index(output)
        out, number = node["outputs"][place], len(self.links) + 1
        out["links"].append(number)
        self.links.append([number, node["id"], place, EXIT, len(self.exits), out["type"]])
        self.exits.append({"name": name, "type": out["type"], "linkIds": [number]})

    def as_node(self, number: int, wide: int = 360) -> Node:
        """The node that stands for it; links to its sockets are still to be made."""
        widgets = [entry["name"] for entry in self.entries if "widget" in entry]
        sockets = [{key: entry[key] for key in entry if key != "linkIds"} for entry in self.entries]
        high = FOOT + SLOT * max(len(self.entries) - len(widgets), len(self.exits)) + WIDGET * len(widgets)
        return {
            "id": number, "type": self._id(""), "pos": [0, 0], "size": [wide, high], "flags": {}, "order": number - 1,
            "mode": 0, "title": self.title, "inputs": [{**socket, "link": None} for socket in sockets],
            "outputs": [{"name": out["name"], "type": out["type"], "links": []} for out in self.exits],
            "properties": {"proxyWidgets": [["-1", name] for name in widgets], "cnr_id": "comfyui-hrv"},
            "widgets_values": self.values,
        }  # fmt: skip

    def definition(self) -> dict[str, Any]:
        """What is in it."""
        right = max(group["bounding"][0] + group["bounding"][2] for group in self.groups)
        named = ("id", "origin_id", "origin_slot", "target_id", "target_slot", "type")
        state = {"lastGroupId": len(self.groups), "lastNodeId": len(self.nodes), "lastLinkId": len(self.links)}
        return {
            "id": self._id(""), "version": 1, "state": {**state, "lastRerouteId": 0}, "revision": 0, "config": {},
            "name": self.title,
            "inputNode": {"id": ENTRY, "bounding": [-260, 80, 140, 40 + 20 * len(self.entries)]},
            "outputNode": {"id": EXIT, "bounding": [right + 120, 80, 140, 40 + 20 * len(self.exits)]},
            "inputs": [self._end(entry) for entry in self.entries],
            "outputs": [self._end(out) for out in self.exits],
            "widgets": [], "nodes": self.nodes, "groups": self.groups,
            "links": [dict(zip(named, link, strict=True)) for link in self.links],
            "extra": {}, "category": "HRV", "description": self.description,
        }  # fmt: skip

    def _end(self, entry: dict[str, Any]) -> dict[str, Any]:
        end = {key: entry[key] for key in ("name", "type", "linkIds")}
        return {"id": self._id(f"{entry['type']} {entry['name']} {entry['linkIds']}"), **end}

    def _id(self, part: str) -> str:
        return str(uuid.uuid5(uuid.NAMESPACE_URL, f"comfyui-hrv/{self.name}/{part}"))

    def _value(self, node: Node, name: str) -> Any:
        """The value of a widget; one that a seed has for what becomes of it after a run is passed over."""
        place = 0
        for entry in node["inputs"]:
            if "widget" in entry:
                if entry["name"] == name:
                    return node["widgets_values"][place]
                place += 1 + (entry["name"] == "seed")
        raise KeyError(name)
