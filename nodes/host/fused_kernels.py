"""The host's fused kernels, and its own PyTorch code of each, through which a gradient passes."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import comfy_kitchen
from comfy_kitchen.backends import eager

FUSED = frozenset(name for name in comfy_kitchen.__all__ if "rope" in name or "adaln" in name)


@contextmanager
def replaced_by_torch() -> Iterator[None]:
    """Inside, models that call fused kernels even in training get code that autograd has a formula for.

    So do Cosmos-Predict2, Anima, Ernie-Image and JoyImage.
    """
    before = {name: getattr(comfy_kitchen, name) for name in TWINS}
    try:
        for name, twin in TWINS.items():
            setattr(comfy_kitchen, name, twin)
        yield
    finally:
        for name, fused in before.items():
            setattr(comfy_kitchen, name, fused)


TWINS: dict[str, Callable] = {  # those that write into their inputs are for inference only
    name: twin for name, twin in vars(eager).items() if name in FUSED and callable(twin) and not name.endswith("_")
}
