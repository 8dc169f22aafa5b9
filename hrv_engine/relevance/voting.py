"""Algorithm 1: which concept does a head's query attend to most? One vote a head, image, step and draw."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from ..errors import HRVError
from .concepts import ConceptSet

PER_LAYER, PER_HEAD, PER_STEP = "per layer", "per head", "per step"
SAMPLING = (PER_LAYER, PER_HEAD, PER_STEP)


@dataclass(frozen=True)
class WordBank:
    """Text embeddings of every concept word, row 0 being the begin-of-text token.

    embeddings: [tokens channels]; spans[concept][word] = (first row, row count). has_begin: whether the text encoder
    has such a token; without it row 0 is empty and takes part in no vote.
    """

    embeddings: Tensor
    spans: tuple[tuple[tuple[int, int], ...], ...]
    has_begin: bool = True

    @classmethod
    def of(cls, concepts: ConceptSet, encoded: dict[str, Tensor], begin: Tensor | None) -> "WordBank":
        """Stack each word's semantic-token embeddings [tokens channels] below the begin-of-text row [channels]."""
        some = next(iter(encoded.values()))
        rows, spans, used = [some.new_zeros(1, some.shape[1]) if begin is None else begin[None]], [], 1
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
        return cls(torch.cat(rows), tuple(spans), begin is not None)


@dataclass(frozen=True)
class Ballot:
    """Which bank rows take part in one vote of each head: `rows` and `concept` int64 [images draws voters keys].

    voters = heads ("per head") or 1 (shared by the layer's heads). Every concept has places of its own, as
    many as its longest word has tokens; places a shorter word leaves unused have concept -1. concepts: how many.
    """

    rows: Tensor
    concept: Tensor
    concepts: int


@dataclass(frozen=True)
class DrawnWords:
    """The words of one layer's votes as `choices` reads them, the begin-of-text key first if it takes part.

    index: bank rows int64 [voters images draws keys]; bias: 0, or -inf for unused places, the same shape; share: 1 over
    the tokens of each concept's word [voters images draws concepts]; concepts: [keys concepts], 1 where a place belongs
    to a concept. alone: one image whose heads share their words; then index and bias are [draws*keys] and share is
    [draws concepts]. whole: then there are no other keys, and these are in the order of `index`.
    """

    index: Tensor
    bias: Tensor
    share: Tensor
    concepts: Tensor
    alone: bool
    whole: bool = False


@dataclass(frozen=True)
class WordSampler:
    """Draws one word a concept for every vote, from a counter: image i, model call c always see the same words.

    So votes depend neither on batch size nor on the order of images, and partial builds merge exactly. sampling: who
    draws words of their own; "per step" is one drawing for all heads of a model call.
    """

    bank: WordBank
    seed: int
    draws: int = 1
    sampling: str = PER_LAYER
    bos_key: bool = True

    def __post_init__(self) -> None:
        if self.sampling not in SAMPLING:
            raise HRVError(f'The word sampling "{self.sampling}" is unknown. Legal: {", ".join(SAMPLING)}.')
        if self.draws < 1:
            raise HRVError(f"draws = {self.draws} is too small. At least one draw of words is needed for a vote.")

    @property
    def begins(self) -> bool:
        """Whether the begin-of-text key takes part: asked for, and there."""
        return self.bos_key and self.bank.has_begin

    def ballots(
        self, images: list[int], call: int, heads: list[int], device: torch.device | str = "cpu"
    ) -> list[Ballot]:
        """One ballot a layer; `heads` is the head count of each layer, `call` counts model calls of the image."""
        voters = self._voters(heads)
        rows, concept = (torch.from_numpy(each).to(device) for each in self._rows(self._words(images, call, voters)))
        edges = np.cumsum([0, *voters])
        concepts = len(self.bank.spans)
        return [
            Ballot(rows[:, :, a:b], concept[:, :, a:b], concepts) for a, b in zip(edges[:-1], edges[1:], strict=True)
        ]

    def drawn(
        self, images: list[int], calls: range, heads: list[int], device: torch.device | str
    ) -> list[list[DrawnWords]]:
        """The words of several model calls, one list a call with an entry a layer, moved to the device together."""
        voters, begin = self._voters(heads), int(self.begins)
        index, bias, share = [], [], []
        for call in calls:
            words = self._words(images, call, voters)
            rows, concept = self._rows(words)
            rows = np.pad(rows, ((0, 0), (0, 0), (0, 0), (begin, 0)))
            unused = np.pad(concept, ((0, 0), (0, 0), (0, 0), (begin, 0))) < 0
            index.append(rows)
            bias.append(np.where(unused, -np.inf, 0).astype(np.float32))
            share.append((1 / self._tables[1][np.arange(len(self.bank.spans)), words]).astype(np.float32))
        # [calls images draws voters n] -> [calls voters images draws n], so that a layer's part is contiguous
        moved = [
            torch.from_numpy(np.stack(each).transpose(0, 3, 1, 2, 4).copy()).to(device) for each in (index, bias, share)
        ]
        alone = len(images) == 1 and self.sampling != PER_HEAD
        if alone:  # [calls layers draws * n] and one operation to tell layers apart
            moved = [moved[0].flatten(2), moved[1].flatten(2), moved[2][:, :, 0]]
        concepts = self._concepts.to(device)
        return [
            [
                DrawnWords(own_index, own_bias, own_share, concepts, alone)
                for own_index, own_bias, own_share in zip(
                    *(self._by_layer(of_calls[number], voters, alone) for of_calls in moved), strict=True
                )
            ]
            for number in range(len(calls))
        ]

    @staticmethod
    def _by_layer(tensor: Tensor, voters: list[int], alone: bool) -> tuple[Tensor, ...]:
        return tensor.unbind() if alone else tensor.split(voters)

    def _voters(self, heads: list[int]) -> list[int]:
        return heads if self.sampling == PER_HEAD else [1] * len(heads)

    def words(self, images: list[int], call: int, heads: list[int]) -> list[set[tuple[int, int]]]:
        """The (concept, word) numbers drawn for each image in one model call, by all its heads."""
        drawn = self._words(images, call, self._voters(heads))
        return [
            {(concept, int(word)) for concept in range(drawn.shape[-1]) for word in np.unique(of_image[..., concept])}
            for of_image in drawn
        ]

    def _words(self, images: list[int], call: int, voters: list[int]) -> np.ndarray:
        """The number of each drawn word in its concept, int64 [images draws voters concepts]."""
        sizes = np.array([len(words) for words in self.bank.spans])
        total = sum(voters)
        shape = (self.draws, 1 if self.sampling == PER_STEP else total, len(sizes))
        draws = []
        for image in images:
            generator = np.random.Generator(np.random.Philox(key=self.seed % 2**64, counter=[0, 0, call, image]))
            draws.append((generator.random(shape) * sizes).astype(np.int64))
        return np.broadcast_to(np.stack(draws), (len(images), self.draws, total, len(sizes)))

    def _rows(self, words: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Bank rows and concept numbers [images draws voters keys] of the drawn words, each in its concept's places.

        The places are those of the longest words of all concepts: they must not depend on what was drawn, or rounding,
        and with it a close vote, would depend on the batch.
        """
        first, length = self._tables
        number, place, _ = self._places
        starts, counts = first[np.arange(len(self.bank.spans)), words], length[np.arange(len(self.bank.spans)), words]
        used = place < counts[..., number]  # [... keys]
        rows = np.where(used, starts[..., number] + place, 0)
        return rows, np.where(used, number, -1)

    @cached_property
    def _places(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """For every place of a ballot: its concept, its place in the word; and the longest word of every concept."""
        longest = self._tables[1].max(axis=1)
        number: np.ndarray = np.repeat(np.arange(len(longest)), longest)
        return number, np.concatenate([np.arange(size) for size in longest]), longest

    @cached_property
    def _concepts(self) -> Tensor:
        """1 where a place belongs to a concept, float32 [keys concepts]; the begin-of-text key belongs to none."""
        number = self._places[0]
        member: np.ndarray = np.zeros((int(self.begins) + len(number), len(self.bank.spans)), np.float32)
        member[int(self.begins) + np.arange(len(number)), number] = 1
        return torch.from_numpy(member)

    @cached_property
    def _tables(self) -> tuple[np.ndarray, np.ndarray]:
        """First bank row and row count of every word [concepts words], 0 where a concept has fewer words."""
        widest = max(len(words) for words in self.bank.spans)
        padded = [list(words) + [(0, 0)] * (widest - len(words)) for words in self.bank.spans]
        table = np.array(padded)  # [concepts words 2]
        return table[..., 0], table[..., 1]


def choices(query: Tensor, keys: Tensor, words: DrawnWords) -> Tensor:
    """The concept every head attends to most, for every image and draw (Algorithm 1); int64 [images heads draws].

    query: [images heads pixels dim], conditional rows only; keys: from `word_keys`. Softmax over the semantic tokens
    (and the begin-of-text key), mean over pixels, mean over a word's tokens, argmax over concepts (ties: the first).
    All draws in one attention.
    """
    heads = query.shape[1]
    if words.alone:
        return choices_alone(query[0], keys, words).view(1, heads, -1)
    images, draws = words.index.shape[1:3]
    q = query.float().flatten(0, 1)  # [images*heads pixels dim]
    index = words.index.flatten(2).transpose(0, 1)  # [images voters draws*keys]
    head = torch.arange(heads, device=keys.device)[:, None]
    k = keys.transpose(1, 2)[head, index].flatten(0, 1).transpose(1, 2)  # [images*heads dim draws*keys]
    bias = words.bias.flatten(2).transpose(0, 1).expand(-1, heads, -1).flatten(0, 1)[:, None]
    logits = torch.baddbmm(bias, q, k, alpha=q.shape[-1] ** -0.5)
    share = logits.unflatten(-1, (draws, -1)).softmax(dim=-1).mean(dim=1).unflatten(0, (images, heads))
    return ((share @ words.concepts) * words.share.transpose(0, 1)).argmax(dim=-1)


def choices_alone(query: Tensor, keys: Tensor, words: DrawnWords) -> Tensor:
    """`choices` of one image [heads pixels dim] whose heads share their words, in few operations; int64 [heads draws].

    With one draw the last axis is left out: [heads].
    """
    q = query if query.dtype == torch.float32 else query.float()
    keys = keys if words.whole else keys.index_select(2, words.index)
    logits = torch.baddbmm(words.bias, q, keys, alpha=q.shape[-1] ** -0.5)
    draws = words.share.shape[0]
    if draws == 1:
        return ((logits.softmax(dim=-1).mean(dim=1) @ words.concepts) * words.share).argmax(dim=-1)
    share = logits.unflatten(-1, (draws, -1)).softmax(dim=-1).mean(dim=1)  # [heads draws keys]
    return ((share @ words.concepts) * words.share).argmax(dim=-1)


def word_keys(keys: Tensor, heads: int) -> Tensor:
    """The bank after a layer's own to_k [tokens heads*dim] as `choices` reads it, float32 [heads dim tokens]."""
    return keys.unflatten(-1, (heads, -1)).float().permute(1, 2, 0).contiguous()


def counted(chosen: Tensor, steps: list[int], shape: tuple[int, int]) -> Tensor:
    """Votes int64 [steps concepts heads] of choices [images calls heads draws], in one scatter.

    steps: the step each call votes in; shape: (steps, concepts).
    """
    total, concepts = shape
    place = chosen + torch.tensor(steps, device=chosen.device)[:, None, None] * concepts
    place = place.permute(2, 0, 1, 3).flatten(1)  # [heads images*calls*draws]
    votes = torch.zeros(place.shape[0], total * concepts, dtype=torch.int64, device=place.device)
    return votes.scatter_add_(1, place, torch.ones_like(place)).T.unflatten(0, (total, concepts)).contiguous()


def logit_sizes(query: Tensor, keys: Tensor, ballot: Ballot) -> Tensor:
    """Mean |q k / sqrt(d)| of each head over pixels, tokens of drawn words, and draws (equation 6); [images heads].

    query, keys: as in `choices`; the begin-of-text key does not count.
    """
    heads = query.shape[1]
    q, k = query.float(), keys.transpose(1, 2)  # [heads tokens dim]
    head = torch.arange(heads, device=k.device)[:, None]
    total = torch.zeros(q.shape[:2], device=q.device)
    for draw in range(ballot.rows.shape[1]):
        rows = ballot.rows[:, draw].to(k.device).expand(-1, heads, -1)  # [images heads keys]
        used = (ballot.concept[:, draw].to(k.device) >= 0).expand(-1, heads, -1)
        sizes = (q @ k[head, rows].transpose(-1, -2)).abs().mean(dim=2) * q.shape[-1] ** -0.5
        total += (sizes * used).sum(dim=-1) / used.sum(dim=-1)
    return total / ballot.rows.shape[1]
