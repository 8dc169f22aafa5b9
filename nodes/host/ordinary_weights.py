"""Weights that autograd accepts, in place of those the host loads in inference mode: the same storage, made once."""

from collections.abc import Iterator
from contextlib import contextmanager

import comfy.model_management
import torch
from torch import Tensor


class OrdinaryWeights:
    """Aliases of a module's inference tensors, made at the first use and again when the host exchanged a weight."""

    def __init__(self, module: torch.nn.Module) -> None:
        self.module = module
        self._seen: list[tuple[dict, str, Tensor | None]] = []
        self._aliases: list[tuple[dict, str, Tensor, Tensor]] = []

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Autograd works through the module inside: aliases stand where its weights are, and these are put back.

        The host takes operations that have a gradient, as it does when it trains.
        """
        training = comfy.model_management.in_training
        with torch.inference_mode(False), torch.enable_grad():
            if not self._seen or any(tensors.get(name) is not tensor for tensors, name, tensor in self._seen):
                self._make()
            try:
                comfy.model_management.in_training = True
                for tensors, name, _, alias in self._aliases:
                    tensors[name] = alias
                yield
            finally:
                comfy.model_management.in_training = training
                for tensors, name, tensor, _ in self._aliases:
                    tensors[name] = tensor

    def _make(self) -> None:
        places = [part for module in self.module.modules() for part in (module._parameters, module._buffers)]
        self._seen = [(tensors, name, tensor) for tensors in places for name, tensor in tensors.items()]
        self._aliases = [
            (tensors, name, tensor, _alias(tensor))
            for tensors, name, tensor in self._seen
            if tensor is not None and (tensor.is_inference() or tensor.requires_grad)
        ]


def _alias(tensor: Tensor) -> Tensor:
    """An ordinary tensor on the storage of an inference tensor; copies only kinds that have no storage of their own."""
    if type(tensor) not in (Tensor, torch.nn.Parameter):
        return tensor.detach().clone()
    alias = torch.empty(0, dtype=tensor.dtype, device=tensor.device)
    alias.set_(tensor.untyped_storage(), tensor.storage_offset(), tensor.size(), tensor.stride())
    return torch.nn.Parameter(alias, requires_grad=False) if isinstance(tensor, torch.nn.Parameter) else alias
