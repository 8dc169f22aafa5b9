"""The door: ComfyUI calls `comfy_entrypoint`, and only then is anything of the pack imported."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from comfy_api.latest import ComfyExtension

WEB_DIRECTORY = "./web"
__all__ = ["WEB_DIRECTORY", "comfy_entrypoint"]


async def comfy_entrypoint() -> ComfyExtension:
    """The pack as a V3 extension: its model folder `hrv`, its route for the browser and its nodes."""
    from comfy_api.latest import ComfyExtension

    from .nodes import node_classes
    from .nodes.host.folders import register_folders
    from .nodes.host.routes import register_routes
    from .public_name import give_public_name

    class HeadRelevanceVectors(ComfyExtension):
        async def on_load(self) -> None:
            give_public_name(__name__)
            register_folders()
            register_routes()

        async def get_node_list(self) -> list[type]:
            return node_classes()

    return HeadRelevanceVectors()
