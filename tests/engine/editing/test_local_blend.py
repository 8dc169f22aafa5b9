"""Local blend: which places may change, and what stays the source's."""

import torch

from hrv_engine.editing.local_blend import blend_mask, blended


def maps(*places: tuple[int, int] | None) -> torch.Tensor:
    """One 8x8 map a row with a peak at the place, nothing for None."""
    found = torch.zeros(len(places), 8, 8)
    for row, place in enumerate(places):
        if place:
            found[row][place] = 0.5
    return found


def test_a_place_may_change_where_the_source_or_the_target_looks_and_one_pixel_around():
    mask = blend_mask(maps((1, 1), (6, 6)), 2, (16, 16), 0.3)
    assert mask.shape == (2, 1, 16, 16)
    assert mask[1, 0, :6, :6].all() and mask[1, 0, 10:, 10:].all()
    assert mask[1].sum() == 2 * 36 and mask[0].sum() == 36


def test_a_word_that_is_nowhere_gives_nothing():
    assert not blend_mask(maps(None, None), 2, (8, 8), 0.3).any()


def test_pairs_do_not_mix():
    mask = blend_mask(maps((1, 1), None, (6, 6), None), 2, (8, 8), 0.3)
    assert torch.equal(mask[1], mask[0]) and torch.equal(mask[3], mask[2]) and not torch.equal(mask[0], mask[2])


def test_outside_the_mask_the_target_is_the_source_and_inside_it_is_its_own():
    latents = torch.randn(4, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    nothing, everything = torch.zeros(4, 1, 8, 8, dtype=torch.bool), torch.ones(4, 1, 8, 8, dtype=torch.bool)
    assert torch.equal(blended(latents, everything, 2), latents)
    assert torch.equal(blended(latents, nothing, 2)[1], latents[0])
    assert torch.equal(blended(latents, nothing, 2)[::2], latents[::2])
