"""Value scaling is map scaling: out[h] = M[h] (W[h] V[h])."""

import pytest
import torch
from torch import Tensor

from hrv_engine.attention.values import attention_map, scale_values, split_heads

BATCH, PIXELS, TOKENS, HEADS, DIM = 4, 9, 7, 3, 5


def tensors(seed: int, tokens: int = TOKENS, dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return tuple(torch.randn(BATCH, n, HEADS * DIM, generator=generator, dtype=dtype) for n in (PIXELS, tokens, tokens))


def weights(rows: slice, columns: list[int], factors: Tensor, tokens: int = TOKENS) -> Tensor:
    """W [batch tokens heads]: factors [columns heads] on some columns of some rows, else 1."""
    each = torch.ones(BATCH, tokens, HEADS, dtype=factors.dtype)
    each[rows, columns] = factors
    return each


def apply(maps: Tensor, value: Tensor) -> Tensor:
    """[batch heads pixels tokens] x [batch tokens heads*dim] -> [batch pixels heads*dim]."""
    return (maps @ split_heads(value, HEADS)).transpose(1, 2).flatten(2)


def explicit(query, key, value, rows: slice, columns: list[int], factors: Tensor) -> Tensor:
    """The paper's form: one map at a time, one column at a time."""
    maps = attention_map(query, key, HEADS)
    for row in range(BATCH)[rows]:
        for head in range(HEADS):
            for place, column in enumerate(columns):
                maps[row, head, :, column] *= factors[place, head]
    return apply(maps, value)


def relative(one: Tensor, other: Tensor) -> float:
    return float((one - other).abs().max() / other.abs().max())


@pytest.mark.parametrize("rows", [slice(0, 4), slice(1, 3), slice(3, 4), slice(2, 2)], ids=str)
@pytest.mark.parametrize("columns", [[2], [1, 2, 5], [6, 0], []], ids=str)
def test_scaling_value_rows_equals_scaling_map_columns(rows, columns):
    for seed in range(5):
        query, key, value = tensors(seed)
        factors = (
            torch.randn(len(columns), HEADS, dtype=torch.float64, generator=torch.Generator().manual_seed(seed)) * 5
        )
        scaled = scale_values(value, weights(rows, columns, factors))
        ours = apply(attention_map(query, key, HEADS), scaled)
        assert relative(ours, explicit(query, key, value, rows, columns, factors)) <= 1e-12


def test_a_context_repeated_to_a_common_length_takes_the_factor_on_every_copy_of_the_column():
    query, key, value = tensors(1)
    columns, factors = [2, 4], torch.tensor([[0.5, -3.0, 8.0], [2.0, 1.0, 0.0]], dtype=torch.float64)
    once = explicit(query, key, value, slice(0, 4), columns, factors)
    spread = [column + copy * TOKENS for copy in range(3) for column in columns]
    value3 = scale_values(value.repeat(1, 3, 1), weights(slice(0, 4), spread, factors.repeat(3, 1), 3 * TOKENS))
    assert relative(apply(attention_map(query, key.repeat(1, 3, 1), HEADS), value3), once) <= 1e-12


def test_scaling_touches_only_the_rows_and_columns_it_was_given_and_never_its_input():
    _, _, value = tensors(2)
    before = value.clone()
    scaled = scale_values(value, weights(slice(1, 3), [4], torch.tensor([[2.0, 3.0, 4.0]])))
    assert torch.equal(value, before)
    changed = (scaled != value).flatten(2).any(-1).nonzero().tolist()
    assert changed == [[1, 4], [2, 4]]
    ratio = (scaled / value)[1, 4].unflatten(0, (HEADS, DIM))
    torch.testing.assert_close(ratio, torch.tensor([[2.0], [3.0], [4.0]], dtype=torch.float64).expand(HEADS, DIM))


def test_two_scalings_of_one_word_multiply():
    _, _, value = tensors(3)
    a, b = torch.tensor([[2.0, -1.0, 0.5]]), torch.tensor([[3.0, 4.0, 6.0]])
    a, b, product = (weights(slice(0, 4), [3], factors) for factors in (a, b, a * b))
    torch.testing.assert_close(scale_values(scale_values(value, a), b), scale_values(value, product))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_values_keep_their_type(dtype):
    _, _, value = tensors(4, dtype=dtype)
    scaled = scale_values(value, weights(slice(0, 4), [1], torch.full((1, HEADS), 2.0)))
    assert scaled.dtype == dtype
    assert torch.equal(scaled[:, 1], value[:, 1] * 2)


def test_an_attention_map_is_the_softmax_of_each_heads_scaled_products():
    query, key, _ = tensors(5)
    maps = attention_map(query, key, HEADS)
    assert maps.shape == (BATCH, HEADS, PIXELS, TOKENS)
    torch.testing.assert_close(maps.sum(-1), torch.ones_like(maps[..., 0]))
    q, k = query[2, :, DIM : 2 * DIM], key[2, :, DIM : 2 * DIM]  # row 2, head 1 by hand
    torch.testing.assert_close(maps[2, 1], torch.softmax(q @ k.T / DIM**0.5, dim=-1))


def test_heads_are_consecutive_channels():
    value = torch.arange(2 * HEADS * DIM).reshape(1, 2, -1)
    assert split_heads(value, HEADS)[0, 1, 0].tolist() == list(range(DIM, 2 * DIM))
