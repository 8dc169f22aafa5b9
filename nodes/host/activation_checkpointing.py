"""What is computed again for a gradient instead of kept; nothing computed changes by a bit."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

import torch
from comfy.ldm.modules.attention import GEGLU
from comfy.ldm.modules.diffusionmodules.openaimodel import ResBlock
from torch import Tensor
from torch.utils.checkpoint import checkpoint

again = partial(checkpoint, use_reentrant=False, preserve_rng_state=False)


@contextmanager
def checkpointed(model: torch.nn.Module, recompute: bool) -> Iterator[None]:
    """Inside, `model` keeps less for a gradient.

    Always left out: a feed-forward's gate, a fifth of what a transformer block would keep, which costs next to no time.
    recompute: feed-forwards, self-attentions and residual blocks keep only their input, at a third more time.
    """
    with ExitStack() as undo:
        for module in model.modules():
            for part, forward in _costly_parts(module) if recompute else _gates(module):
                if "forward" not in part.__dict__:
                    undo.callback(part.__dict__.pop, "forward")
                    part.forward = forward
        yield


def _costly_parts(module: Any) -> list[tuple[Any, Callable]]:
    """The costly children of a block that depend on their inputs alone and read no map, checkpointed."""
    if isinstance(module, ResBlock):
        found = [module]
    elif hasattr(module, "attn2") and hasattr(module, "ff"):
        found = [module.attn1, module.ff]
    else:
        found = []
    return [(part, partial(again, part.forward)) for part in found]


def _gates(module: Any) -> list[tuple[Any, Callable]]:
    return [(module, partial(_gated, module))] if isinstance(module, GEGLU) else []


def _gated(module: Any, x: Tensor) -> Tensor:
    """The module's own forward; what comes after its projection is computed again."""
    return again(type(module).forward, _Projected(module.proj(x)), x)


class _Projected:
    """Stands for a gated layer whose projection is there already."""

    def __init__(self, projected: Tensor) -> None:
        self.projected = projected

    def proj(self, _x: Tensor) -> Tensor:
        """What was projected."""
        return self.projected
