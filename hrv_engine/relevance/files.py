"""The HRV file: safetensors with integer votes (or imported float vectors) and a JSON header; writes are atomic."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save as to_bytes

from ..atomic import write_atomically
from ..attention.heads import HeadLayout
from ..errors import HRVError
from ..locks import locked
from .concepts import ConceptSet
from .logit_scale import LogitScale
from .parts import Part
from .relevance import HeadRelevance, HeadVotes

FORMAT, VERSION = "head-relevance-vectors", 1


def save(path: Path, relevance: HeadRelevance) -> None:
    """Write an HRV file; the old file stays whole if anything fails (disk full included, then HRVError).

    It waits for a build that is saving there. Builds that share a file add to it through `VoteFile`.
    """
    with locked(path):
        write(path, relevance)


def write(path: Path, relevance: HeadRelevance) -> None:
    """As `save`, for a caller that holds the lock."""
    votes = relevance.votes
    header: dict[str, Any] = {
        "format": FORMAT,
        "version": VERSION,
        "concepts": relevance.concepts.to_json(),
        "layout": relevance.layout.to_json(),
        "source": relevance.source,
    }
    tensors: dict[str, np.ndarray] = {}
    if votes is not None:
        header |= {"recipe": votes.recipe, "parts": [part.to_json() for part in votes.parts]}
        tensors["votes"] = votes.counts
        if votes.per_step is not None:
            tensors["votes_per_step"] = votes.per_step
        if votes.logits is not None:
            header["logit_count"] = votes.logits.count
            tensors |= {"logit_total": votes.logits.total, "logit_squares": votes.logits.squares}
    else:
        tensors["relevance"] = relevance.values
        if relevance.orders is not None:
            tensors["orders"] = relevance.orders.astype(np.int32)
    payload = to_bytes(
        {key: np.ascontiguousarray(value) for key, value in tensors.items()},
        {"hrv": json.dumps(header, sort_keys=True)},
    )
    write_atomically(path, payload)


def load(path: Path) -> HeadRelevance:
    """Read an HRV file; raises HRVError for a missing, damaged or foreign file."""
    try:
        with safe_open(str(path), framework="numpy") as file:
            header = _header(path, file.metadata() or {})  # before the tensors: a checkpoint holds gigabytes of them
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 - safe_open is no mapping
    except FileNotFoundError as error:
        raise HRVError(f"There is no HRV file {path}.") from error
    except (SafetensorError, OSError) as error:
        raise HRVError(
            f"{path} is not a readable safetensors file ({error}). It may be damaged: build, merge or fetch it again."
        ) from error
    try:
        return _relevance(header, tensors)
    except (HRVError, KeyError, TypeError, ValueError) as error:
        raise HRVError(f"{path} may be damaged: build, merge or fetch it again. {error}") from error


def _relevance(header: dict[str, Any], tensors: dict[str, np.ndarray]) -> HeadRelevance:
    concepts = ConceptSet.from_json(header["concepts"])
    layout = HeadLayout.from_json(header["layout"])
    if "votes" in tensors:
        votes = HeadVotes(
            tensors["votes"],
            concepts,
            layout,
            header.get("recipe", {}),
            tuple(map(Part.from_json, header.get("parts", ()))),
            tensors.get("votes_per_step"),
            _logits(header, tensors),
        )
        relevance = votes.relevance()
        return HeadRelevance(relevance.values, concepts, layout, votes=votes, source=header.get("source", {}))
    if "relevance" not in tensors:
        raise HRVError(f"It holds neither votes nor relevance vectors, but {sorted(tensors)}.")
    return HeadRelevance(
        tensors["relevance"], concepts, layout, orders=tensors.get("orders"), source=header.get("source", {})
    )


def _logits(header: dict[str, Any], tensors: dict[str, np.ndarray]) -> LogitScale | None:
    if "logit_total" not in tensors:
        return None
    return LogitScale(int(header["logit_count"]), tensors["logit_total"], tensors["logit_squares"])


def _header(path: Path, metadata: dict[str, str]) -> dict[str, Any]:
    try:
        header = json.loads(metadata["hrv"])
        known = header["format"] == FORMAT and isinstance(header["version"], int)
    except (KeyError, TypeError, json.JSONDecodeError):
        known = False
    if not known:
        raise HRVError(
            f"{path} is a safetensors file, but not one of Head Relevance Vectors (perhaps a checkpoint or a LoRA). "
            "Choose a file that a build, an import or a fetch has written."
        )
    if header["version"] > VERSION:
        raise HRVError(
            f"{path} was written by a newer version of this pack (file version {header['version']}, known: {VERSION})."
            " Update the pack."
        )
    return header


def import_published(
    path: Path, concepts: ConceptSet, layout: HeadLayout, order_path: Path | None = None
) -> HeadRelevance:
    """Read the authors' .npy of shape [concepts, heads] (vectors or ranking shares), each row normalised to L1 = H.

    order_path: optional .npy of head indices, most relevant first, which settles ties as published.
    """
    values = np.atleast_2d(_numpy_array(path))
    if values.dtype.kind not in "fiu":
        raise HRVError(
            f"{path.name} holds {values.dtype} entries, not numbers. Choose the file of vectors (category_vectors_..."
            " or ..._ranking_list)."
        )
    rows = values.astype(np.float64)
    if rows.ndim == 2 and np.isfinite(rows).all():
        rows = rows * layout.total / np.maximum(np.abs(rows).sum(axis=-1, keepdims=True), 1e-300)
    orders = None if order_path is None else _numpy_array(order_path)
    return HeadRelevance(rows.astype(np.float32), concepts, layout, orders=orders, source={"imported_from": path.name})


def _numpy_array(path: Path) -> np.ndarray:
    try:
        with path.open("rb") as file:
            return np.lib.format.read_array(file, allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise HRVError(
            f"{path.name} is not a plain .npy array ({error}). Files with Python objects (pickles) can run code and are"
            " refused; save the numbers with numpy.save(..., allow_pickle=False)."
        ) from error
    except OSError as error:
        raise HRVError(f"{path} cannot be read: {error}.") from error
