"""How many bytes live at once, counted operation by operation; on meta tensors nothing is computed or allocated."""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map

READ = (torch.ops.aten._local_scalar_dense.default, torch.ops.aten.is_nonzero.default, torch.ops.aten.equal.default)


class LiveBytes(TorchDispatchMode):
    """held: bytes of the storages that operations inside made and that still live; peak: the most there were.

    A meta tensor stands for one on a device: other tensors in an operation with it are moved there, and a number that
    is read from it is 1. Temporaries inside of a kernel are not seen.
    """

    def __init__(self) -> None:
        super().__init__()
        self.held = self.peak = 0
        self._known: dict[int, Any] = {}

    def __torch_dispatch__(self, function: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        kwargs = kwargs or {}
        if any(isinstance(part, Tensor) and part.is_meta for part in _tensors((args, kwargs))):
            if function in READ:
                return 1 if function is READ[0] else True
            if function is not torch.ops.aten._to_copy.default and function is not torch.ops.aten.copy_.default:
                args, kwargs = tree_map(_on_meta, (args, kwargs))
        given = {tensor.untyped_storage()._cdata for tensor in _tensors((args, kwargs))}
        output = function(*args, **kwargs)
        for tensor in _tensors(output):
            if tensor.untyped_storage()._cdata not in given:  # no view
                self._watch(tensor.untyped_storage())
        return output

    def _watch(self, storage: Any) -> None:
        name = id(storage)
        if name in self._known:
            return
        size = storage.nbytes()

        def gone(_: Any) -> None:
            self.held -= size
            del self._known[name]

        self._known[name] = weakref.ref(storage, gone)
        self.held += size
        self.peak = max(self.peak, self.held)


@contextmanager
def fused_attention() -> Iterator[None]:
    """Attention on meta tensors is inside as a GPU's fused kernel keeps it: q, k, v, output, a number a query and head.

    Without a GPU PyTorch would take maps for meta tensors, also where a forward pass is computed again for a gradient.
    """
    before = functional.scaled_dot_product_attention

    def fused(query: Tensor, *rest: Any, **named: Any) -> Tensor:
        if query.is_meta:
            return torch.ops.aten._scaled_dot_product_flash_attention(query, *rest[:2])[0]
        return before(query, *rest, **named)

    functional.scaled_dot_product_attention = fused
    try:
        yield
    finally:
        functional.scaled_dot_product_attention = before


def _tensors(tree: Any) -> list[Tensor]:
    found: list[Tensor] = []
    tree_map(lambda part: found.append(part) if isinstance(part, Tensor) else None, tree)
    return found


def _on_meta(part: Any) -> Any:
    return part.to("meta") if isinstance(part, Tensor) and not part.is_meta and part.ndim else part
