"""Attend-and-Excite's and SynGen's losses: their arithmetic, against slow references written from the papers."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from torch.nn import functional

from hrv_engine.guidance.losses import GAUSSIAN_DEVIATION, ORIGINAL_DEVIATION, Binding, MaxActivation, distances
from hrv_engine.guidance.readings import blurred


def random_maps(sets: int = 1, images: int = 2, tokens: int = 77, side: int = 6, seed: int = 0) -> torch.Tensor:
    """Softmaxed over tokens, so that they look like attention."""
    logits = torch.randn(sets, images, tokens, side, side, generator=torch.Generator().manual_seed(seed))
    return torch.softmax(3 * logits, dim=2)


def by_the_paper(map_of_image: torch.Tensor, subjects: list[int]) -> float:
    """max over subjects of 1 - peak for [tokens height width], pixel by pixel, with the official kernel."""
    shares = torch.softmax(100 * map_of_image[1:-1], dim=0)
    line = [math.exp(-((d / (2 * 0.5)) ** 2)) for d in (-1, 0, 1)]
    losses = []
    for subject in subjects:
        padded = functional.pad(shares[subject - 1][None, None], (1, 1, 1, 1), mode="reflect")[0, 0]
        height, width = shares.shape[1:]
        peak = 0.0
        for y, x in itertools.product(range(height), range(width)):
            total = sum(line[i] * line[j] * float(padded[y + i, x + j]) for i in range(3) for j in range(3))
            peak = max(peak, total / sum(line) ** 2)
        losses.append(max(0.0, 1 - peak))
    return max(losses)


def test_max_activation_is_the_papers_loss_for_every_image_of_a_batch():
    maps = random_maps()
    found = MaxActivation(((2,), (5,)))(maps)
    assert found.tolist() == pytest.approx([by_the_paper(one, [2, 5]) for one in maps[0]], abs=1e-5)
    assert found[0] != found[1]


@pytest.mark.parametrize(
    "deviation, middle, side", [(ORIGINAL_DEVIATION, 0.576, 0.212), (GAUSSIAN_DEVIATION, 0.787, 0.107)]
)
def test_the_smoothing_kernels_are_the_official_one_and_the_ordinary_gaussian(deviation, middle, side):
    dot = torch.zeros(1, 1, 5, 5)
    dot[..., 2, 2] = 1
    seen = blurred(dot, 3, deviation)[0, 0]
    assert seen[2, 1:4].div(seen[2].sum()).tolist() == pytest.approx([side, middle, side], abs=1e-3)
    assert float(seen.sum()) == pytest.approx(1)


def test_the_loss_lies_between_zero_and_one_and_is_zero_when_every_subject_owns_a_patch():
    maps = torch.full((1, 1, 77, 8, 8), 0.001)
    loss = MaxActivation(((2,), (5,)))
    assert 0.9 < float(loss(maps)) <= 1
    maps[:, :, 2, :4], maps[:, :, 5, 4:] = 0.9, 0.9
    assert float(loss(maps)) == pytest.approx(0, abs=1e-6)
    for seed in range(20):
        found = loss(random_maps(seed=seed))
        assert found.min() >= 0 and found.max() <= 1


def test_the_begin_of_text_token_and_the_last_column_do_not_compete():
    maps = random_maps()
    changed = maps.clone()
    changed[:, :, [0, 76]] = 0.7
    assert torch.equal(MaxActivation(((2,),))(changed), MaxActivation(((2,),))(maps))
    assert not torch.equal(MaxActivation(((2,),), stop=None)(changed), MaxActivation(((2,),), stop=None)(maps))


def test_with_rivals_named_only_they_compete():
    maps = random_maps()
    changed = maps.clone()
    changed[:, :, 8:] = 0.9
    loss = MaxActivation(((2,), (5,)), rivals=tuple(range(1, 8)))
    assert torch.equal(loss(changed), loss(maps)) and (loss(maps) < MaxActivation(((2,), (5,)))(changed)).all()


def test_in_a_long_prompt_the_begin_of_text_token_of_every_chunk_is_left_out():
    maps = random_maps(tokens=154)
    changed = maps.clone()
    changed[:, :, [0, 77, 153]] = 0.7
    assert torch.equal(MaxActivation(((90,),))(changed), MaxActivation(((90,),))(maps))


def test_a_subject_of_several_tokens_has_the_sum_of_their_shares():
    maps = torch.full((1, 1, 77, 4, 4), 0.001)
    maps[:, :, 3:5] = 0.5  # two tokens share every pixel
    assert float(MaxActivation(((3,),))(maps)) == pytest.approx(0.5, abs=1e-3)
    assert float(MaxActivation(((3, 4),))(maps)) == pytest.approx(0, abs=1e-3)


def test_with_one_set_a_subject_each_subject_reads_its_own_set():
    maps = random_maps(sets=2)
    loss = MaxActivation(((2,), (5,)))
    alone = [MaxActivation((columns,))(maps[i : i + 1]) for i, columns in enumerate(((2,), (5,)))]
    assert torch.equal(loss(maps), torch.maximum(*alone))
    assert not torch.equal(loss(maps), loss(maps[:1]))


def test_a_small_step_against_the_gradient_lowers_both_losses():
    for loss in (MaxActivation(((2,), (5,))), Binding((((2,), (3,)), ((5,), (6,))), tuple(range(1, 8)))):
        logits = torch.randn(1, 2, 77, 6, 6, generator=torch.Generator().manual_seed(3), requires_grad=True)
        before = loss(torch.softmax(logits, 2))
        (gradient,) = torch.autograd.grad(before.sum(), logits)
        assert gradient.isfinite().all() and gradient.abs().max() > 0
        after = loss(torch.softmax(logits - 0.01 * gradient / gradient.norm(), 2))
        assert (after < before).all()


def kl(p: torch.Tensor, q: torch.Tensor) -> float:
    return float((p * (p / q).log()).sum())


def test_distances_are_symmetric_kullback_leibler_of_distributions_over_pixels():
    maps = random_maps()[0, :, 1:6].flatten(2)
    far = distances(maps)
    shares = maps[1] / maps[1].sum(-1, keepdim=True)
    for m, n in itertools.product(range(5), range(5)):
        expected = kl(shares[m], shares[n]) / 2 + kl(shares[n], shares[m]) / 2
        assert float(far[1, m, n]) == pytest.approx(expected, rel=1e-4, abs=1e-6)
    assert torch.equal(far, far.transpose(1, 2)) and (far.diagonal(dim1=1, dim2=2) == 0).all()
    assert (far[:, 0, 1:] > 0).all()
    assert torch.allclose(distances(maps * torch.tensor([1, 5, 0.1, 2, 7.0])[:, None]), far, rtol=1e-4)


def test_binding_is_syngens_loss_written_out():
    maps, everything = random_maps(images=1), tuple(range(1, 8))
    groups = (((2,), (3,)), ((6,), (4,), (7,)))  # one modifier; two modifiers
    far = distances(maps[0][:, list(everything)].flatten(2))[0]

    def between(a, b):
        return far[a - 1, b - 1]

    total = 0.0
    for *modifiers, noun in [[word[0] for word in group] for group in groups]:
        others = [u for u in everything if u not in (*modifiers, noun)]
        for modifier in modifiers:
            total += between(noun, modifier)
            total -= sum(between(noun, u) + between(modifier, u) for u in others) / (2 * len(others))
    assert float(Binding(groups, everything)(maps)) == pytest.approx(float(total), rel=1e-4)


def test_aligned_words_lose_less_than_misaligned_ones_and_order_within_a_pair_does_not_matter():
    maps = torch.full((1, 1, 77, 8, 8), 0.01)
    maps[..., :4][:, :, [2, 3]], maps[..., 4:][:, :, [5, 6]] = 0.5, 0.5
    maps = maps.clone()
    maps[:, :, 2:4, :, :4], maps[:, :, 5:7, :, 4:] = 0.5, 0.5
    everything = tuple(range(1, 7))
    aligned = Binding((((2,), (3,)), ((5,), (6,))), everything)(maps)
    crossed = Binding((((2,), (6,)), ((5,), (3,))), everything)(maps)
    assert float(aligned) < float(crossed)
    assert torch.allclose(Binding((((3,), (2,)), ((6,), (5,))), everything)(maps), aligned)


def test_no_group_is_a_loss_of_zero_and_a_noun_alone_is_only_kept_apart():
    maps, everything = random_maps(images=1), tuple(range(1, 5))
    assert Binding((), everything)(maps).tolist() == [0.0]
    far = distances(maps[0][:, list(everything)].flatten(2))[0]
    assert float(Binding((((2,),),), everything)(maps)) == pytest.approx(-float(far[1, [0, 2, 3]].mean()), rel=1e-4)
    assert float(Binding((((1,), (2,)),), (1, 2))(maps)) == pytest.approx(float(far[0, 1]), rel=1e-4)  # nobody else


def test_a_word_of_several_tokens_counts_by_its_furthest_token():
    maps, everything = random_maps(images=1), (1, 2, 3)
    far = distances(maps[0][:, list(everything)].flatten(2))[0]
    assert float(Binding((((1, 2), (3,)),), everything)(maps)) == pytest.approx(float(far[2, :2].max()), rel=1e-4)
