"""Which column of a context comes from which token: the host's own code, run on numbers instead of embeddings.

Text encoders drop their template's tokens, join several encoders, cut padding. None of it is known here: a copy of the
encoder whose transformers give back each token's number is asked to encode, and the numbers are read from the context.
"""

import copy
from collections.abc import Iterator
from functools import partial
from typing import Any

import torch
from torch import Tensor

Tokens = dict[str, list[list[tuple]]]  # what the host's tokenizers give: chunks of (token, weight, ...) by encoder
Columns = dict[str, dict[int, int]]  # by encoder: number of a token in its chunks -> column
MOST = 1 << 20  # tokens of one encoder; float32 counts sixteen times as far
BESIDE = ("conditioning_llama3", "conditioning_mt5xl")  # contexts that models append to the main one


def context_columns(encoder: Any, tokens: Tokens) -> tuple[int, Columns]:
    """The length of the context that a text encoder makes of tokens, and the column of every token in it.

    Columns of a context beside the main one come after it; of an encoder whose adapter goes by the tokens of another
    (Anima) they are those of that one.
    """
    trace = _Trace(tokens)
    given = {key: [[(token, 1.0) for token, *_ in chunk] for chunk in chunks] for key, chunks in tokens.items()}
    with torch.no_grad():
        context, _, *more = trace.numbered(encoder, given).encode_token_weights(given)
    extra = more[0] if more else {}
    length = int(context.shape[1])
    if "t5xxl_ids" in extra:
        return length, {"t5xxl": {number: number for number in range(len(extra["t5xxl_ids"]))}}
    found: Columns = {}
    for key, number, column in trace.read(context[0, :, 0]):
        found.setdefault(key, {})[number] = column
    for name in BESIDE:
        if name in extra:
            row = extra[name].flatten(0, -3)[0, :, 0]
            for key, number, column in trace.read(row):
                found.setdefault(key, {})[number] = length + column
    if not found and len(tokens) == 1:  # what came out was projected: only padding in front may have been cut
        ((key, chunks),) = tokens.items()
        cut = sum(map(len, chunks)) - length
        found[key] = {number: number - cut for number in range(cut, cut + length)}
    return length, found


class _Trace:
    """Makes the copy of an encoder, and reads the numbers it gives back."""

    def __init__(self, tokens: Tokens) -> None:
        self.tokens = tokens
        self.keys: list[str] = []

    def numbered(self, encoder: Any, given: Tokens) -> Any:
        """A copy of a text encoder whose parts give back numbers: those of a part after `MOST` times its place."""
        clone = copy.copy(encoder)
        clone._modules = dict(encoder._modules)
        clone.execution_device = torch.device("cpu")  # LTX-2's has none before its first prompt, and bfloat16 on a card
        for name, part in encoder._modules.items():
            if hasattr(part, "transformer") and hasattr(part, "encode_token_weights"):
                clone._modules[name] = self._part(part, given)
            elif part is not None and name.endswith("_projection"):
                clone._modules[name] = _Through()
        return clone

    def read(self, row: Tensor) -> Iterator[tuple[str, int, int]]:
        """(encoder, number of the token, column) of the columns that hold a token's number."""
        for column, value in enumerate(row.float().tolist()):
            place, number = divmod(int(value), MOST)
            if value == int(value) and 0 < place <= len(self.keys):
                yield self.keys[place - 1], number, column

    def _part(self, part: Any, given: Tokens) -> Any:
        clone = copy.copy(part)
        clone._modules = dict(part._modules)
        numbers = _Numbers(part.transformer)
        clone._modules["transformer"] = numbers
        clone.execution_device = torch.device("cpu")
        clone.encode_token_weights = partial(self._encode, clone, numbers, given)
        return clone

    def _encode(self, part: Any, numbers: "_Numbers", given: Tokens, pairs: list) -> Any:
        self.keys.append(next(key for key, chunks in given.items() if chunks is pairs))
        numbers.first = MOST * len(self.keys)
        return type(part).encode_token_weights(part, pairs)


class _Through(torch.nn.Module):
    """Stands for a projection of an encoder's output (LTX-2), which is large and changes no token's place."""

    def forward(self, output: Tensor) -> Tensor:
        """[batch (layers) tokens channels] -> [batch tokens channels]."""
        return output if output.ndim == 3 else output.movedim(1, -1).flatten(2)


class _Embedding:
    """Stands for a transformer's table of tokens: nothing is looked up."""

    def __init__(self, width: int) -> None:
        self.width, self.weight = width, torch.zeros(1, width)

    def __call__(self, tokens: Tensor, out_dtype: torch.dtype | None = None) -> Tensor:
        return torch.zeros(*tokens.shape, self.width)


class _Numbers(torch.nn.Module):
    """Stands for a transformer: its output is the number of each token, in every channel and layer."""

    def __init__(self, transformer: Any) -> None:
        super().__init__()
        table = transformer.get_input_embeddings()
        self.width = int(getattr(table, "embedding_dim", 0) or table.weight.shape[-1])
        self.layers = int(transformer.num_layers)
        self.first = 0

    def get_input_embeddings(self) -> _Embedding:
        return _Embedding(self.width)

    def forward(self, _tokens: Any, _mask: Any = None, *, embeds: Tensor, intermediate_output: Any = None, **_: Any):
        """(last layer, intermediate layers, pooled, projected pooled) as the host's transformers give them."""
        rows, length = embeds.shape[:2]
        numbers = (self.first + torch.arange(rows * length, dtype=torch.float32)).view(rows, length, 1)
        last = numbers.repeat(1, 1, self.width)
        several = intermediate_output == "all" or isinstance(intermediate_output, list)
        count = self.layers + 1 if intermediate_output == "all" else len(intermediate_output) if several else 1
        middle = last[:, None].repeat(1, count, 1, 1) if several else last
        pooled = torch.zeros(rows, self.width)
        return last, middle, pooled, pooled
