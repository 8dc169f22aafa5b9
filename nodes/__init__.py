"""What a user sees: V3 schema -> one call into the engine -> outputs. The folders are those of the node menu."""

from importlib import import_module
from inspect import getmembers, isclass
from pathlib import Path

ROOM = Path(__file__).parent
NOT_NODES = ("host", "shared", "types")  # folders and modules in which no node is looked for


def node_classes() -> list[type]:
    """All nodes of the pack, found in its folders, in order of their ids; imports ComfyUI."""
    from comfy_api.latest import io

    found: dict[str, type] = {}
    for path in sorted(ROOM.rglob("[!_]*.py")):
        parts = path.relative_to(ROOM).with_suffix("").parts
        if any(part in NOT_NODES for part in parts):
            continue
        module = import_module("." + ".".join(parts), __name__)
        for name, member in getmembers(module, isclass):
            if issubclass(member, io.ComfyNode) and member.__module__ == module.__name__:
                found[name] = member
    return [found[name] for name in sorted(found)]
