"""GET /hrv/concepts: the names that a browser offers where a node asks for a concept."""

import asyncio
import sys
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from aiohttp import web

from ...hrv_engine.errors import HRVError
from ...hrv_engine.pocket.model import MODELS
from ...hrv_engine.relevance import files
from ...hrv_engine.relevance.concepts import ConceptSet
from ...hrv_engine.relevance.fetch import published
from .folders import hrv_path, preset_path
from .pocket import load_pocket
from .shipped import shipped_for
from .unet import layout_of

PATH = "/hrv/concepts"


def register_routes() -> None:
    """Add the route to the server that loads the pack; nothing where none does."""
    server = getattr(getattr(sys.modules.get("server"), "PromptServer", None), "instance", None)
    if server is not None:
        server.routes.get(PATH)(answer)


async def answer(request: web.Request) -> web.Response:
    """{"concepts": names}, or status 400 and {"error": sentence} for a question that has no answer."""
    try:
        return web.json_response({"concepts": await asyncio.to_thread(concepts_asked, request.query)})
    except HRVError as error:
        return web.json_response({"error": str(error)}, status=400)


def concepts_asked(query: Mapping[str, str]) -> tuple[str, ...]:
    """The concept names of `file` (as HRV Load lists it), `published`, `preset` or `pocket`, whichever is asked for.

    Raises HRVError for an unknown name, or a query with none of them.
    """
    for kind, names in SOURCES.items():
        if kind in query:
            return names(query[kind])
    raise HRVError(f"Concepts of what? Legal: {', '.join(f'{PATH}?{kind}=NAME' for kind in SOURCES)}.")


def _of_file(name: str) -> tuple[str, ...]:
    return files.concept_names(hrv_path(name))


def _of_published(name: str) -> tuple[str, ...]:
    return _of_preset(published(name).concepts)


def _of_preset(name: str) -> tuple[str, ...]:
    return ConceptSet.load(preset_path("concepts", name)).names


@lru_cache
def _of_pocket(name: str) -> tuple[str, ...]:
    if name not in MODELS:
        raise HRVError(f'There is no pocket model "{name[:60]}". Legal: {", ".join(MODELS)}.')
    model: Any = load_pocket(MODELS[name]).model
    shipped = shipped_for(layout_of(model))
    return shipped[1].concepts.names if shipped else ()


SOURCES: dict[str, Callable[[str], tuple[str, ...]]] = {
    "file": _of_file,
    "published": _of_published,
    "preset": _of_preset,
    "pocket": _of_pocket,
}
