"""Algorithm 1: which concept does a head's query attend to most? One vote a head, image, step and draw."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ..attention.values import split_heads
from ..errors import HRVError
from .concepts import ConceptSet

SAMPLING = ("per layer", "per head")


@dataclass(frozen=True)
class WordBank:
    """Text embeddings of every concept word, row 0 being the begin-of-text token.

    embeddings: [tokens channels]; spans[concept][word] = (first row, row count).
    """

    embeddings: Tensor
    spans: tuple[tuple[tuple[int, int], ...], ...]

    @classmethod
    def of(cls, concepts: ConceptSet, encoded: dict[str, Tensor], begin: Tensor) -> "WordBank":
        """Stack each word's semantic-token embeddings [tokens channels] below the begin-of-text row [channels]."""
        rows, spans, used = [begin[None]], [], 1
        for concept in concepts.concepts:
            of_words = []
            for word in concept.words:
                tokens = encoded[word]
                if len(tokens) == 0:
                    raise HRVError(
                        f'The word "{word}" of the concept "{concept.name}" has no tokens: the text encoder reads'
                        " nothing there. Choose another word."
                    )
                of_words.append((used, len(tokens)))
                rows.append(tokens)
                used += len(tokens)
            spans.append(tuple(of_words))
        return cls(torch.cat(rows), tuple(spans))


@dataclass(frozen=True)
class Ballot:
    """Which bank rows take part in one vote of each head: `rows` and `concept` int64 [images draws voters keys].

    voters = heads ("per head") or 1 ("per layer", shared by the layer's heads). Unused places have concept -1;
    concepts: how many there are.
    """

    rows: Tensor
    concept: Tensor
    concepts: int


@dataclass(frozen=True)
class WordSampler:
    """Draws one word a concept for every vote, from a counter: image i, UNet call c always see the same words.

    So votes depend neither on batch size nor on the order of images, and partial builds merge exactly.
    """

    bank: WordBank
    seed: int
    draws: int = 1
    sampling: str = "per layer"
    bos_key: bool = True

    def __post_init__(self) -> None:
        if self.sampling not in SAMPLING:
            raise HRVError(f'The word sampling "{self.sampling}" is unknown. Legal: {", ".join(SAMPLING)}.')
        if self.draws < 1:
            raise HRVError(f"draws = {self.draws} is too small. At least one draw of words is needed for a vote.")

    def ballots(
        self, images: list[int], call: int, heads: list[int], device: torch.device | str = "cpu"
    ) -> list[Ballot]:
        """One ballot a layer; `heads` is the head count of each layer, `call` counts UNet calls of the image."""
        voters = heads if self.sampling == "per head" else [1] * len(heads)
        sizes = np.array([len(words) for words in self.bank.spans])
        draws = []
        for image in images:
            generator = np.random.Generator(np.random.Philox(key=self.seed % 2**64, counter=[0, 0, call, image]))
            draws.append((generator.random((self.draws, sum(voters), len(sizes))) * sizes).astype(np.int64))
        words = np.stack(draws)  # [images draws voters concepts]
        rows, concept = (torch.from_numpy(each).to(device) for each in self._rows(words))
        edges = np.cumsum([0, *voters])
        return [
            Ballot(rows[:, :, a:b], concept[:, :, a:b], len(sizes)) for a, b in zip(edges[:-1], edges[1:], strict=True)
        ]

    def _rows(self, words: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Bank rows and concept numbers [images draws voters keys] of the drawn words, side by side, padded at the end.

        The padded length is that of the longest words of all concepts: it must not depend on what was drawn, or
        rounding, and with it a close vote, would depend on the batch.
        """
        first, length = self._tables
        number = np.arange(len(self.bank.spans))
        starts, counts = first[number, words], length[number, words]  # [... concepts]
        place = np.arange(int(length.max()))
        used = place < counts[..., None]  # [... concepts longest]
        key = (counts.cumsum(axis=-1) - counts)[..., None] + place
        where = np.nonzero(used)
        rows = np.zeros((*words.shape[:-1], int(length.max(axis=1).sum())), np.int64)
        concept = np.full_like(rows, -1)
        cells = (*where[:-2], key[used])
        rows[cells] = (starts[..., None] + place)[used]
        concept[cells] = where[-2]
        return rows, concept

    @property
    def _tables(self) -> tuple[np.ndarray, np.ndarray]:
        widest = max(len(words) for words in self.bank.spans)
        padded = [list(words) + [(0, 0)] * (widest - len(words)) for words in self.bank.spans]
        table = np.array(padded)  # [concepts words 2]
        return table[..., 0], table[..., 1]


def vote(query: Tensor, keys: Tensor, ballot: Ballot, heads: int, bos_key: bool) -> Tensor:
    """One vote of every head for every image and draw (Algorithm 1).

    query: [images pixels heads*dim], conditional rows only; keys: the bank after the layer's own to_k
    [tokens heads*dim].
    Softmax over the semantic tokens (and the begin-of-text key if `bos_key`), mean over pixels, mean over a word's
    tokens, argmax over concepts (ties: the first). Returns counts int64 [images concepts heads], summed over draws.
    """
    begin = int(bos_key)
    q = split_heads(query, heads).float()  # [images heads pixels dim]
    q = q * q.shape[-1] ** -0.5
    k = keys.unflatten(-1, (heads, -1)).float().transpose(0, 1)  # [heads tokens dim]
    head = torch.arange(heads, device=k.device)[:, None]
    counts = torch.zeros(q.shape[0], ballot.concepts, heads, dtype=torch.int64, device=q.device)
    for draw in range(ballot.rows.shape[1]):
        rows = ballot.rows[:, draw].to(k.device).expand(-1, heads, -1)  # [images heads keys]
        concept = ballot.concept[:, draw].to(k.device).expand(-1, heads, -1)
        unused = functional.pad(concept < 0, (begin, 0))
        logits = q @ k[head, functional.pad(rows, (begin, 0))].transpose(
            -1, -2
        )  # [images heads pixels keys], row 0 first
        logits.masked_fill_(unused[:, :, None], -torch.inf)
        share = torch.softmax(logits, dim=-1).mean(dim=2)[..., begin:]  # [images heads keys]
        score = _mean_by_concept(share, concept, ballot.concepts)
        counts.scatter_add_(1, score.argmax(dim=-1)[:, None], torch.ones_like(counts[:, :1]))
    return counts


def logit_sizes(query: Tensor, keys: Tensor, ballot: Ballot, heads: int) -> Tensor:
    """Mean |q k / sqrt(d)| of each head over pixels, tokens of drawn words, and draws (equation 6); [images heads].

    query, keys: as in `vote`; the begin-of-text key does not count.
    """
    q = split_heads(query, heads).float()
    k = keys.unflatten(-1, (heads, -1)).float().transpose(0, 1)  # [heads tokens dim]
    head = torch.arange(heads, device=k.device)[:, None]
    total = torch.zeros(q.shape[:2], device=q.device)
    for draw in range(ballot.rows.shape[1]):
        rows = ballot.rows[:, draw].to(k.device).expand(-1, heads, -1)  # [images heads keys]
        used = (ballot.concept[:, draw].to(k.device) >= 0).expand(-1, heads, -1)
        sizes = (q @ k[head, rows].transpose(-1, -2)).abs().mean(dim=2) * q.shape[-1] ** -0.5
        total += (sizes * used).sum(dim=-1) / used.sum(dim=-1)
    return total / ballot.rows.shape[1]


def _mean_by_concept(share: Tensor, concept: Tensor, concepts: int) -> Tensor:
    """Mean over each word's tokens: [images heads keys] -> [images heads concepts]."""
    into = concept.clamp(min=0)
    used = (concept >= 0).to(share.dtype)
    zeros = share.new_zeros(*share.shape[:-1], concepts)
    return zeros.scatter_add(-1, into, share * used) / zeros.scatter_add(-1, into, used)
