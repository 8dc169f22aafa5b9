"""The HRV file: safetensors with integer votes or effects (or float vectors) and a JSON header; writes are atomic."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save as to_bytes

from ..attention.heads import HeadLayout
from ..errors import HRVError, first_line
from ..storage import plain_json
from ..storage.atomic import write_atomically
from ..storage.locks import locked
from .adding import MOST_BYTES
from .concepts import ConceptSet
from .effect_tensors import SUMS, from_tensors, to_tensors
from .logit_scale import LogitScale
from .npy import read_array
from .parts import Part
from .relevance import EFFECT, VOTES, HeadRelevance, HeadVotes
from .tensor_file import TensorFile

FORMAT, VERSION = "head-relevance-vectors", 2
VERSION_OF_VOTES = 1  # such files are written as they were, for older packs to read
MOST_IMAGES = 2_000_000  # twice as many as a build can number
MOST_VOTES = 2**40  # for one concept and head: a million images of a thousand steps; sums stay exact in float64


def save(path: Path, relevance: HeadRelevance) -> None:
    """Write an HRV file; the old file stays whole if anything fails (disk full included, then HRVError).

    It waits for a build that is saving there. Builds that share a file add to it through `VoteFile`.
    """
    with locked(path):
        write(path, relevance)


def write(path: Path, relevance: HeadRelevance) -> None:
    """As `save`, for a caller that holds the lock."""
    votes, sums = relevance.votes, relevance.sums
    header: dict[str, Any] = {
        "format": FORMAT,
        "version": VERSION if relevance.method == EFFECT else VERSION_OF_VOTES,
        "concepts": relevance.concepts.to_json(),
        "layout": relevance.layout.to_json(),
        "source": relevance.source,
    }
    if relevance.method == EFFECT:
        header["method"] = EFFECT
    tensors: dict[str, np.ndarray] = {}
    if sums is not None:
        header |= {"recipe": sums.recipe, "parts": [part.to_json() for part in sums.parts]}
    if relevance.effects is not None:
        tensors |= to_tensors(relevance.effects)
    elif votes is not None:
        tensors["votes"] = votes.counts
        if votes.per_step is not None:
            tensors["votes_per_step"] = votes.per_step
        if votes.logits is not None:
            header["logit_count"] = votes.logits.count
            tensors |= {"logit_total": votes.logits.total, "logit_squares": votes.logits.squares}
    else:
        tensors["relevance"] = relevance.values if relevance.signed is None else relevance.signed
        if relevance.orders is not None:
            tensors["orders"] = relevance.orders.astype(np.int32)
    payload = to_bytes(
        {key: np.ascontiguousarray(value) for key, value in tensors.items()},
        {"hrv": json.dumps(header, sort_keys=True)},
    )
    write_atomically(path, payload)


def load(path: Path) -> HeadRelevance:
    """Read an HRV file; raises HRVError for a missing, damaged or foreign file.

    Only the tensors of an HRV are read, and none before its type and size were checked against concepts and heads.
    """
    with _opened(path) as (header, tensors):
        return _relevance(header, tensors)


def concept_names(path: Path) -> tuple[str, ...]:
    """The names of a file's concepts, in row order, from its header alone; raises HRVError as `load` does."""
    with _opened(path) as (header, _):
        return ConceptSet.from_json(header["concepts"]).names


@contextmanager
def _opened(path: Path) -> Iterator[tuple[dict[str, Any], TensorFile]]:
    """The header of an HRV file, and its tensors; what is wrong with them becomes an HRVError that names the file."""
    try:
        with path.open("rb") as file:
            try:
                tensors = TensorFile(file)
            except ValueError as error:
                raise HRVError(
                    f"{path} is not a readable safetensors file ({first_line(error, 100)}). It may be damaged: build,"
                    " merge or fetch it again."
                ) from error
            header = _header(path, tensors.metadata)
            try:
                yield header, tensors
            except (KeyError, TypeError, ValueError, OverflowError) as error:  # HRVError is a ValueError
                said = f"It has no {error}." if isinstance(error, KeyError) else f"{first_line(error)}."
                raise HRVError(f"{path} may be damaged: build, merge or fetch it again. {said}") from error
    except FileNotFoundError as error:
        raise HRVError(f"There is no HRV file {path}.") from error
    except OSError as error:
        raise HRVError(
            f"{path} is not a readable safetensors file ({first_line(error)}). It may be damaged: build, merge or fetch"
            " it again."
        ) from error


def _relevance(header: dict[str, Any], tensors: TensorFile) -> HeadRelevance:
    concepts = ConceptSet.from_json(header["concepts"])
    layout = HeadLayout.from_json(header["layout"])
    source, shape = _mapping(header, "source"), (len(concepts.concepts), layout.total)
    method = header.get("method", VOTES)
    if method not in (VOTES, EFFECT):
        raise ValueError(f"its method is {plain_json.excerpt(method)}, neither {VOTES} nor {EFFECT}")
    recipe = _mapping(header, "recipe")
    if any(not isinstance(value, (str, int, float)) for value in recipe.values()):
        raise ValueError("a build setting is neither a number nor a text")
    if method == EFFECT and SUMS in tensors.entries:
        effects = from_tensors(tensors, concepts, layout, recipe, _runs(header.get("parts", [])))
        return replace(effects.relevance(), source=source)
    if "votes" in tensors.entries:
        counts, per_step = _votes(tensors, shape)
        parts = _parts(header.get("parts", []), counts)
        votes = HeadVotes(counts, concepts, layout, recipe, parts, per_step, _logits(header, tensors, layout.total))
        return HeadRelevance(votes.relevance().values, concepts, layout, votes=votes, source=source)
    if "relevance" not in tensors.entries:
        raise ValueError(f"It holds neither votes nor relevance vectors, but {', '.join(tensors.entries)[:100]}")
    with np.errstate(over="ignore"):  # to infinity, which is refused
        values: np.ndarray = tensors.read("relevance", ("F32", "F64"), shape, MOST_BYTES).astype(np.float32)
    if method == EFFECT:
        return HeadRelevance(np.maximum(values, 0), concepts, layout, source=source, signed=values)
    orders = tensors.read("orders", ("I32", "I64"), shape, MOST_BYTES) if "orders" in tensors.entries else None
    return HeadRelevance(values, concepts, layout, orders=orders, source=source)


def _votes(tensors: TensorFile, shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray | None]:
    """Votes int64 [concepts heads], and [steps concepts heads] if the file has them."""
    counts: np.ndarray = tensors.read("votes", ("I64", "I32"), shape, MOST_BYTES).astype(np.int64)
    if counts.size and (counts.min() < 0 or counts.max() > MOST_VOTES):
        raise ValueError(f"votes are numbers from 0 to {MOST_VOTES}, but one is {counts.min()} or {counts.max()}")
    if "votes_per_step" not in tensors.entries:
        return counts, None
    per_step: np.ndarray = tensors.read("votes_per_step", ("I64", "I32"), (None, *shape), MOST_BYTES).astype(
        np.int64, copy=False
    )
    if not len(per_step) or per_step.min() < 0 or per_step.max() > MOST_VOTES:
        raise ValueError(f"votes per step must be there, from 0 to {MOST_VOTES}")
    if (per_step.sum(axis=0) != counts).any():
        raise ValueError("the votes of its steps do not add up to its votes")
    return counts, per_step


def _parts(data: Any, counts: np.ndarray) -> tuple[Part, ...]:
    """Which images were counted: none only where there are no votes."""
    parts = _runs(data)
    if counts.any() != bool(parts):
        raise ValueError("it has votes without images, or images without votes")
    images = sum(part.images for part in parts)
    if images > min(MOST_IMAGES, int(counts.sum())):
        raise ValueError(f"it claims {images} images, more than its votes can come from")
    return parts


def _runs(data: Any) -> tuple[Part, ...]:
    """The parts of a file: no image is in two of them."""
    if not isinstance(data, list):
        raise ValueError("parts must be a list")
    parts = tuple(map(Part.from_json, data))
    last: Part | None = None
    for part in sorted(parts, key=lambda part: (part.digest, part.seed, part.start)):
        if last is not None and part.overlaps(last):
            raise ValueError(f"it counts images twice ({part})")
        last = part
    return parts


def _logits(header: dict[str, Any], tensors: TensorFile, heads: int) -> LogitScale | None:
    if "logit_total" not in tensors.entries:
        return None
    return LogitScale.checked(
        header["logit_count"],
        tensors.read("logit_total", ("F64",), (heads,), MOST_BYTES),
        tensors.read("logit_squares", ("F64",), (heads,), MOST_BYTES),
    )


def _mapping(header: dict[str, Any], key: str) -> dict[str, Any]:
    value = header.get(key, {})
    if not isinstance(value, dict):
        raise ValueError(f"{key} must be a mapping, not {plain_json.excerpt(value)}")
    return value


def _header(path: Path, metadata: dict[str, Any]) -> dict[str, Any]:
    try:
        header = plain_json.parse(metadata["hrv"])
        known = header["format"] == FORMAT and type(header["version"]) is int and header["version"] > 0
    except (KeyError, TypeError, ValueError):
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
    shape = (len(concepts.concepts), layout.total)
    rows: np.ndarray = read_array(path, "fiu", shape).astype(np.float64)
    if np.isfinite(rows).all():
        _, exponents = np.frexp(np.abs(rows).max(axis=-1, keepdims=True))
        rows = np.ldexp(rows, -exponents)  # exact, and no sum overflows
        sums = np.abs(rows).sum(axis=-1, keepdims=True)
        rows = rows * layout.total / np.where(sums > 0, sums, 1)
    orders = None if order_path is None else read_array(order_path, "iu", shape)
    return HeadRelevance(rows.astype(np.float32), concepts, layout, orders=orders, source={"imported_from": path.name})
