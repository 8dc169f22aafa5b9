"""What is computed again for a gradient instead of kept; nothing computed changes by a bit.

Weights need no gradient here, so linear layers keep nothing. What a transformer block keeps, in activations of its
width: 12 around a feed-forward's gate, 4 in self-attention, 2 in cross-attention, 1 in each norm; a residual block, 6
of its norms, activations and convolutions.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from comfy.ldm.modules.attention import GEGLU, BasicTransformerBlock
from comfy.ldm.modules.diffusionmodules.openaimodel import ResBlock
from torch import Tensor
from torch.autograd.function import once_differentiable

Forwards = list[tuple[Any, Callable]]  # parts of a model, and what stands for their forward


class Recomputed(torch.autograd.Function):
    """f(*tensors), of which only the tensors are kept: f runs again for their gradient."""

    @staticmethod
    def forward(ctx: Any, function: Callable[..., Tensor], *tensors: Tensor | None) -> Tensor:
        """f(*tensors)."""
        ctx.function = function
        ctx.save_for_backward(*tensors)
        return function(*tensors)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor | None, ...]:
        """The gradients of the tensors that need one."""
        with torch.enable_grad():
            tensors = [
                tensor.detach().requires_grad_(True) if needed else tensor
                for tensor, needed in zip(ctx.saved_tensors, ctx.needs_input_grad[1:], strict=True)
            ]
            wanted = [tensor for tensor, needed in zip(tensors, ctx.needs_input_grad[1:], strict=True) if needed]
            gradients = iter(torch.autograd.grad(ctx.function(*tensors), wanted, slope, allow_unused=True))
        return None, *(next(gradients) if needed else None for needed in ctx.needs_input_grad[1:])


class Convolved(torch.autograd.Function):
    """A convolution that keeps no input: while its weights are fixed, its gradient needs the input's shape alone."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, module: Any, forward: Callable[[Tensor], Tensor], blanks: dict) -> Tensor:
        """The module's own forward; blanks: stand-ins for inputs by shape, of one number each."""
        name = (x.shape, x.dtype, x.device)
        if name not in blanks:
            blanks[name] = x.new_empty(1).expand(x.shape)
        ctx.module, ctx.weight, ctx.blank = module, module.weight, blanks[name]
        return forward(x)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor, None, None, None]:
        """The gradient of the input."""
        own, only_input = ctx.module, (True, False, False)
        settings = (None, own.stride, own.padding, own.dilation, False, (0, 0), own.groups, only_input)
        return torch.ops.aten.convolution_backward(slope, ctx.blank, ctx.weight, *settings)[0], None, None, None


class Checkpoints:
    """Forwards that keep less for a gradient, for the parts of a model, found once.

    Always: a feed-forward's gate is computed again, which costs next to no time. With `recompute` also whole
    feed-forwards, self-attentions, and the norms and activations in front of convolutions, which keep nothing.
    """

    def __init__(self, model: torch.nn.Module, recompute: bool) -> None:
        find = _dear_parts if recompute else _gates
        self.parts = [found for module in model.modules() for found in find(module)]

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """The model keeps less inside; parts that another pack gave a forward of its own stay as they are."""
        replaced = [(part, forward) for part, forward in self.parts if "forward" not in part.__dict__]
        try:
            for part, forward in replaced:
                part.forward = forward
            yield
        finally:
            for part, _ in replaced:
                part.__dict__.pop("forward", None)


def _gates(module: Any) -> Forwards:
    return [(module, partial(_gated, module))] if type(module).forward is GEGLU.forward else []


def _gated(module: Any, x: Tensor) -> Tensor:
    return Recomputed.apply(_gate, module.proj(x))


def _gate(projected: Tensor) -> Tensor:
    """The gate's own forward, of what was projected already."""
    return GEGLU.forward(_Projected(projected), projected)


class _Projected:
    """Stands for a gated layer whose projection is there already."""

    def __init__(self, projected: Tensor) -> None:
        self.projected = projected

    def proj(self, _x: Tensor) -> Tensor:
        """What was projected."""
        return self.projected


def _dear_parts(module: Any) -> Forwards:
    if isinstance(module, ResBlock):
        return [(layers, partial(_before_last, layers)) for layers in (module.in_layers, module.out_layers)]
    if isinstance(module, torch.nn.Conv2d):
        return [(module, partial(_convolved, module, module.forward, {}))] if _has_fixed_weights(module) else []
    if type(module) is BasicTransformerBlock:
        norm, inner = module.norm3, module.ff.forward
        normed = partial(_normed, norm.forward, inner)
        return [_attention(module), (norm, lambda x: x), (module.ff, partial(Recomputed.apply, normed))]
    if hasattr(module, "attn2") and hasattr(module, "ff"):  # blocks of another pack
        return [_attention(module), (module.ff, partial(Recomputed.apply, module.ff.forward))]
    return []


def _normed(norm: Callable, inner: Callable, x: Tensor) -> Tensor:
    """A feed-forward with the norm in front of it, so that what is between them is not kept."""
    return inner(norm(x))


def _before_last(layers: Any, x: Tensor) -> Tensor:
    """A sequence of layers of which all but the last are computed again."""
    *first, last = layers
    return last(Recomputed.apply(partial(_in_turn, first), x))


def _in_turn(layers: list, x: Tensor) -> Tensor:
    for layer in layers:
        x = layer(x)
    return x


def _has_fixed_weights(module: Any) -> bool:
    """Whether a convolution takes its weights as they are: not cast or changed at every call."""
    changing = ("comfy_cast_weights", "weight_function", "bias_function")
    return module.padding_mode == "zeros" and not any(getattr(module, n, None) for n in changing)


def _convolved(module: Any, forward: Callable, blanks: dict, x: Tensor) -> Tensor:
    return Convolved.apply(x, module, forward, blanks)


def _attention(module: Any) -> tuple[Any, Callable]:
    own = module.attn1.forward

    def again(x: Tensor, context: Tensor | None = None, value: Tensor | None = None, **named: Any) -> Tensor:
        return Recomputed.apply(lambda *tensors: own(*tensors, **named), x, context, value)

    return module.attn1, again
