"""The one idea: every published operation on a cross-attention map is linear in its columns, so it acts on values.

    out[h] = M[h] (W[h] V[h]),   M = softmax(Q K^T / sqrt(d)), never materialised

Scaling column j of the map of head h by r is scaling row j of V[h] by r; any attention backend may compute the rest.
"""

import torch
from torch import Tensor


def scale_values(value: Tensor, weights: Tensor) -> Tensor:
    """W[h] V[h]: scale row j of V[h], and thereby column j of the map of head h, by its weight; out of place.

    value: [batch tokens heads*dim]; weights: [batch tokens heads], 1 where nothing changes (and then nothing does, to
    the bit). Returns value's shape and type; no renormalisation, negative weights are intended (section 5).
    """
    heads = value.unflatten(-1, (weights.shape[-1], -1))  # [batch tokens heads dim]
    return (heads * weights.to(value.dtype)[..., None]).flatten(2)


FULL_WEIGHTS = 1 << 20  # elements up to which weights fill a head's channels: one operation, not three


def join_weights(weights: Tensor, value: Tensor) -> Tensor:
    """W [batch tokens heads] made ready for `scale_joined` on a value [batch tokens heads*dim] of this shape and type.

    Small ones are repeated over the channels of their head; the others stay as [batch tokens heads 1].
    """
    weights = weights.to(value.dtype)[..., None]
    if value.numel() > FULL_WEIGHTS:
        return weights
    return weights.expand(*weights.shape[:-1], value.shape[-1] // weights.shape[-2]).flatten(2)


def scale_joined(value: Tensor, weights: Tensor) -> Tensor:
    """W[h] V[h] with weights from `join_weights`: row j of V[h] times its weight; out of place.

    value: [batch tokens heads*dim]; no renormalisation, negative weights are intended (section 5).
    """
    if weights.ndim == value.ndim:
        return value * weights
    return (value.unflatten(-1, (weights.shape[-2], -1)) * weights).flatten(2)


def join_heads(tensor: Tensor) -> Tensor:
    """[batch heads n dim] -> [batch n heads*dim], the inverse of `split_heads`."""
    return tensor.transpose(1, 2).flatten(2)


def mix_values(value: Tensor, mixing: Tensor) -> Tensor:
    """W V, common to all heads: row i is the sum over j of W[i, j] V[j], so M (W V) reads M's columns remapped.

    value: [batch tokens channels]; mixing: [rows tokens] -> [batch rows channels].
    """
    return mixing.to(value.dtype) @ value


def indicator_values(groups: list[list[int]], key: Tensor) -> Tensor:
    """Values whose attention output is the token maps themselves: M[h] 1_g, where group g sums the columns it names.

    groups: column lists, at most as many as a head has channels; key: [batch heads tokens dim], for shape and type.
    Returns [batch heads tokens dim]: channel g is 1 at the columns of group g, the others are 0; so the output of the
    attention holds the map of group g in its channel g.
    """
    values = key.new_zeros(*key.shape[2:])
    for number, columns in enumerate(groups):
        values[columns, number] = 1
    return values.expand(*key.shape[:2], -1, -1)


def attention_map(query: Tensor, key: Tensor, heads: int) -> Tensor:
    """The softmaxed map M [batch heads pixels tokens] of projected query and key [batch n heads*dim].

    Only statistics and parity tests may call it: maps cost memory that the value form never needs.
    """
    q, k = split_heads(query, heads), split_heads(key, heads)
    return torch.softmax(q @ k.transpose(-1, -2) * q.shape[-1] ** -0.5, dim=-1)


def split_heads(tensor: Tensor, heads: int) -> Tensor:
    """[batch n heads*dim] -> [batch heads n dim]."""
    return tensor.unflatten(-1, (heads, -1)).transpose(1, 2)
