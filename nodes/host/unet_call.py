"""One UNet call as a wrapper sees it, and what the wrapper adds to its transformer_options."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import Tensor


@dataclass(frozen=True)
class UNetCall:
    """x: scaled latents [rows channels height width]; context: [rows tokens channels]; options: transformer_options."""

    unet: Any
    x: Tensor
    context: Any
    options: dict[str, Any]


def with_options(change: Callable[[UNetCall], dict[str, Any]]) -> Callable:
    """A DIFFUSION_MODEL wrapper: the call as it is, under the transformer_options that `change` returns."""

    def run(
        executor: Any, x: Tensor, timesteps: Any = None, context: Any = None, y: Any = None, control: Any = None,
        transformer_options: dict | None = None, **kwargs: Any,
    ) -> Tensor:  # fmt: skip
        options = {} if transformer_options is None else transformer_options
        options = change(UNetCall(executor.class_obj, x, context, options))
        return executor(x, timesteps, context, y, control, options, **kwargs)

    return run
