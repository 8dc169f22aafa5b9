"""Vectors the paper's authors published: downloaded when asked for by name, checked, imported."""

import hashlib
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..attention.heads import HeadLayout
from ..errors import HRVError, first_line, nearest
from ..paths import PRESETS
from ..remote.addresses import below, web_address
from ..remote.exchange import NoReply, ask, never
from ..storage import plain_yaml
from .concepts import ConceptSet
from .files import import_published, load, save
from .relevance import HeadRelevance

REGISTRY = PRESETS / "published.yaml"
SECONDS = 300  # for a whole download
LARGEST = 64 * 2**20  # bytes; the arrays are below one megabyte


@dataclass(frozen=True)
class Published:
    """One published array: where it is, what its bytes must hash to, and what its rows and columns mean."""

    name: str
    about: str
    family: str
    concepts: str
    save_as: str
    file: str
    sha256: str
    address: str
    licence: str
    layout: HeadLayout

    def import_from(self, payload: bytes) -> HeadRelevance:
        """The vectors in these bytes of the file, with their origin noted."""
        concepts = ConceptSet.load(PRESETS / "concepts" / f"{self.concepts}.yaml")
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / self.file
            path.write_bytes(payload)
            relevance = import_published(path, concepts, self.layout)
        origin = {"address": f"{self.address}/{self.file}", "sha256": self.sha256, "licence": self.licence}
        return replace(relevance, source={**relevance.source, **origin})


def registry(path: Path = REGISTRY) -> dict[str, Published]:
    """Everything that can be fetched, by name; raises HRVError for a file that is not such a registry."""
    try:
        data = plain_yaml.read(path)
        layouts = {family: _layout(rows) for family, rows in data["layouts"].items()}
        shared = {"address": data["address"], "licence": data["licence"]}
        return {
            name: Published(name=name, layout=layouts[fields["family"]], **shared, **fields)
            for name, fields in data["vectors"].items()
        }
    except (OSError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise HRVError(
            f"The registry {path.name} cannot be read: {type(error).__name__} {error}. It needs `address`, `licence`,"
            " `layouts` and `vectors`, each with about, family, concepts, save_as, file and sha256."
        ) from error


def _layout(rows: list[list[Any]]) -> HeadLayout:
    return HeadLayout.from_json(
        [
            [block, number, depth, heads, channels]
            for block, numbers, depths, heads, channels in rows
            for number in numbers
            for depth in range(depths)
        ]
    )


def published(name: str, known: Mapping[str, Published] | None = None) -> Published:
    """The entry of that name; raises HRVError with the names there are."""
    entries = registry() if known is None else known
    if name not in entries:
        raise HRVError(
            f'No published vectors are called "{name}". Nearest: {nearest(name, entries)}. There are:'
            f" {', '.join(entries)}."
        )
    return entries[name]


def fetch(entry: Published, path: Path, mirror: str = "", cancelled: Callable[[], None] = never) -> HeadRelevance:
    """Download, check and import an entry to the HRV file `path`, which is written whole or not at all.

    mirror: another http(s) address of the folder the file is in. cancelled: looked at during the download; it may
    raise. A file that holds these vectors already is returned without a download. Raises HRVError offline, for a mirror
    of another form, for other bytes than the registry names, and for a file in the way.
    """
    if _is_there(path):
        return _present(entry, path)
    folder = web_address(mirror.strip() or entry.address, "a folder to fetch from", entry.address)
    relevance = entry.import_from(_download(entry, folder, cancelled))
    save(path, relevance)
    return relevance


def _is_there(path: Path) -> bool:
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except (OSError, ValueError) as error:
        raise HRVError(f'"{path}" is no name of a file here: {first_line(error)}. Choose another one.') from error
    return True


def _present(entry: Published, path: Path) -> HeadRelevance:
    relevance = load(path)
    if relevance.source.get("sha256") != entry.sha256:
        raise HRVError(
            f"{path} exists and holds other vectors than {entry.name} (built here, or fetched from another file). It is"
            " left as it is: choose another name to save as, or move the file away."
        )
    return relevance


def _download(entry: Published, folder: str, cancelled: Callable[[], None]) -> bytes:
    address = below(folder, entry.file)
    try:
        reply = ask(address, seconds=SECONDS, largest=LARGEST, cancelled=cancelled)
    except NoReply as error:
        raise HRVError(
            f"{address} {error}. Nothing was written. Check the network and fetch again, or download"
            f" {entry.file} elsewhere, put it into models/hrv and import it."
        ) from error
    if not reply.ok:
        raise HRVError(
            f"{address} answered {reply.described}; a redirect is not followed. The file may have moved: look for"
            f" {entry.file} at https://github.com/SNU-DRL/HRV, put it into models/hrv and import it."
        )
    digest = hashlib.sha256(reply.body).hexdigest()
    if digest != entry.sha256:
        raise HRVError(
            f"{address} is not the file that was published: its sha256 is {digest}, expected {entry.sha256}"
            f" ({len(reply.body)} bytes came). Nothing was written. Fetch again; if it stays so, use another address."
        )
    return reply.body
