"""Algorithm 1: votes equal a slow reference, and neither batches nor order change them."""

import numpy as np
import pytest
import torch
from torch import Tensor

from hrv_engine.attention.values import split_heads
from hrv_engine.errors import HRVError
from hrv_engine.relevance.concepts import Concept, ConceptSet
from hrv_engine.relevance.voting import SAMPLING, Ballot, DrawnWords, WordBank, WordSampler, choices, counted, word_keys

HEADS, DIM, PIXELS = 3, 4, 11
TOKENS = {"red": 1, "rose-colored": 3, "blue": 1, "square": 1, "polka dot": 2, "big": 1, "very tiny": 2}
CONCEPTS = ConceptSet(
    "test",
    (
        Concept("Color", ("red", "rose-colored", "blue")),
        Concept("Shape", ("square", "polka dot")),
        Concept("Size", ("big", "very tiny")),
    ),
)


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def bank() -> WordBank:
    encoded = {word: random(count, HEADS * DIM, seed=place) for place, (word, count) in enumerate(TOKENS.items())}
    return WordBank.of(CONCEPTS, encoded, random(HEADS * DIM, seed=99))


def sampler(**changes) -> WordSampler:
    return WordSampler(**({"bank": bank(), "seed": 5, "draws": 2} | changes))


def vote(query: Tensor, keys: Tensor, words: DrawnWords, heads: int = HEADS) -> Tensor:
    """Counts int64 [images concepts heads]."""
    chosen, concepts = choices(split_heads(query, heads), word_keys(keys, heads), words), words.concepts.shape[1]
    return torch.cat([counted(of_image[None, None], [0], (1, concepts)) for of_image in chosen])


def drawn(sampler: WordSampler, images: list[int], call: int = 0) -> DrawnWords:
    """The words of a model of one layer in one call."""
    return sampler.drawn(images, range(call, call + 1), [HEADS], "cpu")[0][0]


def words_of(ballot: Ballot, image: int, draw: int, voter: int) -> list[list[int]]:
    """The bank rows of each concept's drawn word."""
    rows, concept = ballot.rows[image, draw, voter].tolist(), ballot.concept[image, draw, voter].tolist()
    return [[row for row, of in zip(rows, concept, strict=True) if of == n] for n in range(len(CONCEPTS.concepts))]


def algorithm_1(query: Tensor, keys: Tensor, ballot: Ballot, bos_key: bool) -> np.ndarray:
    """The paper's Algorithm 1, one head of one image at a time, in float64; counts [images concepts heads]."""
    query, keys = query.double().numpy(), keys.double().numpy()
    images, draws, voters, _ = ballot.rows.shape
    counts = np.zeros((images, len(CONCEPTS.concepts), HEADS), np.int64)
    for image in range(images):
        for draw in range(draws):
            for head in range(HEADS):
                channels = slice(head * DIM, (head + 1) * DIM)
                words = words_of(ballot, image, draw, head if voters > 1 else 0)
                kept = ([0] if bos_key else []) + [row for word in words for row in word]
                logits = query[image][:, channels] @ keys[kept][:, channels].T / np.sqrt(DIM)  # [pixels tokens]
                weights = np.exp(logits - logits.max(axis=1, keepdims=True))
                attention = weights / weights.sum(axis=1, keepdims=True)
                score = [
                    np.mean([attention[:, kept.index(row)] for row in word], axis=0).mean()  # over tokens, then pixels
                    for word in words
                ]
                counts[image, int(np.argmax(score)), head] += 1
    return counts


@pytest.mark.parametrize("bos_key", [True, False])
@pytest.mark.parametrize("sampling", SAMPLING)
@pytest.mark.parametrize("images, draws", [(1, 1), (1, 4), (3, 4)])
def test_votes_equal_the_slow_reference(sampling, bos_key, images, draws):
    winners = set()
    for call in range(6):
        [ballot] = sampler(sampling=sampling, draws=draws, bos_key=bos_key).ballots(list(range(images)), call, [HEADS])
        query, keys = random(images, PIXELS, HEADS * DIM, seed=call) * 3, bank().embeddings
        words = drawn(sampler(sampling=sampling, draws=draws, bos_key=bos_key), list(range(images)), call)
        counts = vote(query, keys, words)
        assert counts.dtype == torch.int64
        assert (counts.numpy() == algorithm_1(query, keys, ballot, bos_key)).all()
        assert (counts.sum(dim=1) == draws).all()  # every head of every image votes once a draw
        winners |= set(counts.sum(dim=(0, 2)).nonzero().flatten().tolist())
    assert winners == {0, 1, 2}


@pytest.mark.parametrize("sampling", SAMPLING)
def test_splitting_a_batch_changes_no_vote(sampling):
    images, keys = [4, 0, 9, 2], bank().embeddings
    query = random(len(images), PIXELS, HEADS * DIM, seed=1) * 3
    counts = vote(query, keys, drawn(sampler(sampling=sampling), images, 3))
    for place, image in enumerate(images):
        alone = drawn(sampler(sampling=sampling), [image], 3)
        assert torch.equal(vote(query[place : place + 1], keys, alone), counts[place : place + 1])


@pytest.mark.parametrize("sampling", SAMPLING)
def test_draws_accumulate_and_more_draws_begin_with_the_same_words(sampling):
    query, keys = random(2, PIXELS, HEADS * DIM, seed=2) * 3, bank().embeddings
    [five] = sampler(sampling=sampling, draws=5).ballots([0, 1], 0, [HEADS])
    [two] = sampler(sampling=sampling, draws=2).ballots([0, 1], 0, [HEADS])
    assert torch.equal(five.rows[:, :2], two.rows) and torch.equal(five.concept[:, :2], two.concept)
    of_five, of_two = (
        choices(
            split_heads(query, HEADS), word_keys(keys, HEADS), drawn(sampler(sampling=sampling, draws=draws), [0, 1])
        )
        for draws in (5, 2)
    )
    assert of_five.shape == (2, HEADS, 5) and torch.equal(of_five[..., :2], of_two)
    assert not torch.equal(of_five.amin(dim=-1), of_five.amax(dim=-1))  # the draws do not all say the same


def hand_made(spans: list[int], bos_key: bool) -> DrawnWords:
    """One image, draw and voter whose concept n has a word of spans[n] tokens, from bank row 1 on."""
    owner = torch.tensor([-1] * bos_key + [n for n, count in enumerate(spans) for _ in range(count)])
    index = torch.arange(1 - bos_key, 1 + sum(spans))
    concepts = (owner[:, None] == torch.arange(len(spans))).float()
    return DrawnWords(index, torch.zeros(len(index)), 1 / torch.tensor([spans], dtype=torch.float32), concepts, True)


def winner(query: list[float], keys: list[float], spans: list[int], bos_key: bool = False) -> int:
    """The concept that wins with one head of one channel: logits are products of numbers."""
    words = hand_made(spans, bos_key)
    return int(vote(torch.tensor(query)[None, :, None], torch.tensor(keys)[:, None], words, 1).argmax())


def test_a_words_tokens_count_by_their_mean_so_that_long_words_have_no_advantage():
    shares = torch.tensor([0.4, 0.3, 0.3]).log().tolist()
    assert winner([1.0], [0.0, *shares], [1, 2]) == 0  # 0.4 against a mean of 0.3, though 0.6 in sum


def test_pixels_are_averaged_before_the_vote_and_do_not_vote_themselves():
    keys = [0.0, 3.0, -0.1]
    assert winner([1.0], keys, [1, 1]) == 0
    assert [winner([q], keys, [1, 1]) for q in (-0.2, -0.2, 3.0)] == [1, 1, 0]
    assert winner([-0.2, -0.2, 3.0], keys, [1, 1]) == 0  # two of three pixels lean to concept 1, slightly


def test_the_begin_of_text_key_weights_pixels_by_what_it_leaves_them():
    keys = [5.0, 1.0, 0.0]  # begin-of-text, concept 0, concept 1
    query = [0.8, -0.7]
    assert winner(query, keys, [1, 1], bos_key=False) == 0
    assert winner(query, keys, [1, 1], bos_key=True) == 1  # the first pixel looks at begin-of-text almost only


def test_ties_go_to_the_first_concept():
    assert winner([0.0, 0.0], [9.0, 1.0, 2.0, 3.0], [1, 1, 1]) == 0


def test_half_precision_queries_are_counted_in_single_precision():
    words = drawn(sampler(draws=3), [0, 1])
    query, keys = (random(2, PIXELS, HEADS * DIM, seed=4) * 30).half(), bank().embeddings.half()
    assert torch.equal(vote(query, keys, words), vote(query.float(), keys.float(), words))


def test_every_vote_holds_one_whole_word_of_each_concept():
    spans = bank().spans
    for sampling, voters in (("per layer", [1, 1]), ("per head", [2, 5])):
        drawn = sampler(sampling=sampling, draws=6).ballots([0, 7], 1, [2, 5])
        assert [ballot.rows.shape[:3] for ballot in drawn] == [(2, 6, count) for count in voters]
        for ballot, count in zip(drawn, voters, strict=True):
            for image, draw, voter in np.ndindex(2, 6, count):
                for word, legal in zip(words_of(ballot, image, draw, voter), spans, strict=True):
                    assert (word[0], len(word)) in legal and word == list(range(word[0], word[0] + len(word)))


def test_all_words_of_a_concept_are_drawn_equally_often():
    drawn = [ballot for call in range(400) for ballot in sampler(draws=3).ballots([0, 1], call, [1] * 5)]
    first = torch.cat([ballot.rows.flatten(0, 2)[:, 0] for ballot in drawn])  # the word of Color
    shares = [float((first == row).double().mean()) for row, _ in bank().spans[0]]
    assert len(first) == 12000 and sum(shares) == pytest.approx(1)
    assert shares == pytest.approx([1 / 3] * 3, abs=0.02)  # 4.6 standard deviations


def rows(images: list[int], call: int, **changes) -> Tensor:
    return torch.cat(
        [ballot.rows.flatten(2) for ballot in sampler(draws=8, **changes).ballots(images, call, [2] * 4)], dim=2
    )


@pytest.mark.parametrize("sampling", SAMPLING)
def test_the_same_seed_image_and_call_draw_the_same_words_and_any_other_draws_others(sampling):
    here = rows([3], 2, sampling=sampling)
    assert torch.equal(here, rows([3], 2, sampling=sampling))
    for image, call, seed in ((4, 2, 5), (3, 1, 5), (2, 3, 5), (3, 2, 6), (3, 2, 5 + 2**40)):
        assert not torch.equal(here, rows([image], call, sampling=sampling, seed=seed))


def test_layers_draws_and_heads_draw_words_of_their_own():
    drawn = sampler(draws=8, sampling="per head").ballots([0], 0, [4, 4])
    layers = [ballot.rows for ballot in drawn]
    assert not torch.equal(*layers)
    assert len({str(layers[0][0, draw].tolist()) for draw in range(8)}) > 1
    assert len({str(layers[0][0, :, head].tolist()) for head in range(4)}) == 4


def test_per_step_all_layers_and_heads_share_the_words_of_a_draw():
    shared = sampler(draws=8, sampling="per step")
    layers = [ballot.rows for ballot in shared.ballots([0], 0, [4, 2])]
    assert torch.equal(*layers) and layers[0].shape[2] == 1
    assert len({str(layers[0][0, draw].tolist()) for draw in range(8)}) > 1


@pytest.mark.parametrize("sampling", SAMPLING)
def test_the_words_that_an_image_needs_are_those_of_its_ballots(sampling):
    asked, images = sampler(sampling=sampling), [4, 0]
    for place, words in enumerate(asked.words(images, 3, [2, 2])):
        rows = {bank().spans[concept][word][0] for concept, word in words}
        firsts = {first for concept in bank().spans for first, _ in concept}
        ballots = asked.ballots(images, 3, [2, 2])
        assert rows == {row for ballot in ballots for row in ballot.rows[place].flatten().tolist()} & firsts


def test_without_a_begin_of_text_token_none_takes_part_whatever_is_asked():
    encoded = {word: random(len(word), HEADS * DIM) for concept in CONCEPTS.concepts for word in concept.words}
    none = WordBank.of(CONCEPTS, encoded, None)
    words = [drawn(WordSampler(none, 5, 2, bos_key=asked), [0]) for asked in (True, False)]
    assert not none.has_begin and not none.embeddings[0].any()
    assert torch.equal(words[0].index, words[1].index) and (words[0].index[words[0].bias == 0] > 0).all()


def test_a_bank_stacks_begin_of_text_and_each_words_tokens_under_their_concepts():
    words = bank()
    assert words.spans == (((1, 1), (2, 3), (5, 1)), ((6, 1), (7, 2)), ((9, 1), (10, 2)))
    assert words.embeddings.shape == (12, HEADS * DIM)
    assert torch.equal(words.embeddings[0], random(HEADS * DIM, seed=99))
    assert torch.equal(words.embeddings[2:5], random(3, HEADS * DIM, seed=1))


def test_a_word_that_belongs_to_two_concepts_stands_for_both():
    both = ConceptSet("both", (Concept("Color", ("orange",)), Concept("Fruit", ("orange", "apple"))))
    words = WordBank.of(both, {"orange": random(1, 4), "apple": random(2, 4, seed=1)}, random(4))
    assert torch.equal(words.embeddings[words.spans[0][0][0]], words.embeddings[words.spans[1][0][0]])


def test_a_word_without_tokens_is_refused_with_its_concept():
    encoded = {word: random(count, 4) for word, count in TOKENS.items()} | {"big": random(0, 4)}
    with pytest.raises(HRVError, match='"big" of the concept "Size" has no tokens'):
        WordBank.of(CONCEPTS, encoded, random(4))


def test_an_unknown_sampling_and_too_few_draws_are_refused():
    with pytest.raises(HRVError, match='"per image".*per layer, per head, per step'):
        sampler(sampling="per image")
    with pytest.raises(HRVError, match="draws = 0"):
        sampler(draws=0)


def test_all_calls_of_a_batch_are_counted_by_their_step():
    chosen = torch.tensor([0, 2, 1, 1, 0, 2, 2, 2]).view(1, 4, 1, 2)  # four calls of one head, two draws
    votes = counted(chosen, [0, 1, 1, 0], (2, 3))
    assert votes[..., 0].tolist() == [[1, 0, 3], [1, 2, 1]]
