"""BG-DINO and word masks on tiny models of the real classes: transformers' own numbers; only the background counts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from comfyui_hrv.tests import tiny_eval
from hrv_engine.errors import HRVError
from hrv_engine.scoring.background import BackgroundSimilarity, without_object
from hrv_engine.scoring.segments import WordSegmenter


@pytest.fixture(scope="module")
def dino(tmp_path_factory) -> Path:
    """A tiny DINOv2 as a model folder."""
    return tiny_eval.save_dinov2(tmp_path_factory.mktemp("models") / "dino-tiny")


@pytest.fixture(scope="module")
def clipseg(tmp_path_factory) -> Path:
    """A tiny CLIPSeg as a model folder."""
    return tiny_eval.save_clipseg(tmp_path_factory.mktemp("models") / "clipseg-tiny")


def pictures(count: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(count, 40, 56, 3, generator=torch.Generator().manual_seed(seed))


def box(count: int = 1) -> torch.Tensor:
    """A mask over rows 10 to 20 and columns 20 to 36."""
    mask = torch.zeros(count, 40, 56)
    mask[:, 10:20, 20:36] = 1
    return mask


def test_the_similarity_is_the_cosine_of_transformers_own_embeddings_of_the_blackened_images(dino):
    from transformers import AutoImageProcessor, Dinov2Model

    source, edited = pictures(18), pictures(18, seed=1)
    model, processor = Dinov2Model.from_pretrained(dino).eval(), AutoImageProcessor.from_pretrained(dino)
    found = BackgroundSimilarity(dino).compare(source, edited, box())
    assert found.shape == (18,) and found.dtype == np.float64 and np.ptp(found) > 1e-4
    for first, second, similarity in zip(source, edited, found, strict=True):
        seen = []
        for image in (first, second):
            picture = (image * 255).round().byte().numpy()
            picture[10:20, 20:36] = 0
            with torch.no_grad():
                seen.append(model(**processor(picture, return_tensors="pt")).pooler_output[0])
        assert similarity == pytest.approx(float(torch.cosine_similarity(*seen, dim=0)), abs=1e-5)


def test_a_change_of_the_object_counts_for_nothing_and_a_change_of_the_background_counts(dino):
    source = pictures(3)
    inside, outside = source.clone(), source.clone()
    inside[:, 12:18, 22:30] = 1 - inside[:, 12:18, 22:30]
    outside[:, 25:, 20:36] = 1 - outside[:, 25:, 20:36]
    score = BackgroundSimilarity(dino).compare
    np.testing.assert_allclose(score(source, inside, box()), 1, atol=1e-6)
    assert (score(source, inside, torch.zeros(1, 40, 56)) < 1 - 1e-6).all()
    assert (score(source, outside, box()) < 1 - 1e-6).all()


def test_each_image_may_have_its_own_object(dino):
    source, edited = pictures(2), pictures(2)
    moved = torch.zeros(2, 40, 56)
    moved[:, 25:35, 2:12] = 1
    source[:, 10:20, 20:36], edited[:, 25:35, 2:12] = 0, 0
    score = BackgroundSimilarity(dino).compare
    assert (score(source, edited, box(2)) < 1 - 1e-6).all()
    both = score(source, edited, box(2), moved)
    expected = score(source, edited, torch.zeros(1, 40, 56))  # both objects are black already
    np.testing.assert_allclose(both, expected, atol=1e-6)


def test_a_mask_of_another_size_is_stretched_over_the_image():
    mask = torch.zeros(1, 20, 28)
    mask[:, 5:10, 10:18] = 1
    small, large = without_object(pictures(2), mask), without_object(pictures(2), box())
    assert torch.equal(small, large) and (small[:, 10:20, 20:36] == 0).all() and (small[:, 20:] != 0).any()


@pytest.mark.parametrize(
    "sources, edits, mask, quoted",
    [
        (2, 3, box(), "2 source images do not pair with 3"),
        (0, 0, box(), "0 source images"),
        (3, 3, box(2), "2 masks do not fit 3 images"),
        (2, 2, torch.stack([box()[0], torch.ones(40, 56)]), "mask of image 2 covers all of it"),
    ],
)
def test_pairs_and_masks_that_do_not_fit_are_refused_with_the_fix(dino, sources, edits, mask, quoted):
    with pytest.raises(HRVError, match=quoted):
        BackgroundSimilarity(dino).compare(pictures(sources), pictures(edits), mask)


def test_word_masks_are_clipsegs_own_probabilities_over_the_threshold(clipseg):
    from transformers import CLIPSegForImageSegmentation, CLIPSegProcessor

    images = pictures(3)
    model, processor = (
        CLIPSegForImageSegmentation.from_pretrained(clipseg).eval(),
        CLIPSegProcessor.from_pretrained(clipseg),
    )
    masks = WordSegmenter(clipseg, threshold=0.5).masks(images, "car")
    assert masks.shape == (3, 40, 56) and 0.05 < float(masks.mean()) < 0.95 and set(masks.unique().tolist()) == {0, 1}
    for image, mask in zip(images, masks, strict=True):
        given = processor(text=["car"], images=[(image * 255).round().byte().numpy()], return_tensors="pt")
        with torch.no_grad():
            logits = model(**given).logits.reshape(1, 1, 32, 32)
        whole = torch.nn.functional.interpolate(logits, (40, 56), mode="bilinear")[0, 0]
        sure = whole.sigmoid().sub(0.5).abs() > 1e-4
        assert torch.equal(mask[sure], (whole.sigmoid() > 0.5).float()[sure])


def test_several_words_mask_the_objects_of_all_of_them_and_a_higher_threshold_masks_less(clipseg):
    images = pictures(2)
    segmenter = WordSegmenter(clipseg, threshold=0.5)
    one, other, both = (segmenter.masks(images, words) for words in ("car", "bowl", "car, bowl"))
    assert torch.equal(both, torch.maximum(one, other)) and not torch.equal(one, other)
    assert WordSegmenter(clipseg, threshold=0.7).masks(images, "car").sum() < one.sum()


def test_masks_need_a_word(clipseg):
    with pytest.raises(HRVError, match="no word for the object"):
        WordSegmenter(clipseg).masks(pictures(1), " , ")


def test_folders_of_other_models_are_refused_by_name(dino, clipseg):
    with pytest.raises(HRVError, match="holds a model of type clipseg, but BG-DINO needs DINOv2"):
        BackgroundSimilarity(clipseg)
    with pytest.raises(HRVError, match="holds a model of type dinov2, but Finding objects by words needs CLIPSeg"):
        WordSegmenter(dino)


def test_half_precision_gives_nearly_the_same_similarities(dino):
    source, edited = pictures(3), pictures(3, seed=1)
    expected = BackgroundSimilarity(dino).compare(source, edited, box())
    np.testing.assert_allclose(
        BackgroundSimilarity(dino, half=True).compare(source, edited, box()), expected, atol=0.01
    )


def test_half_precision_masks_nearly_the_same(clipseg):
    whole, halved = (
        WordSegmenter(clipseg, half=half, threshold=0.5).masks(pictures(2), "car") for half in (False, True)
    )
    assert (whole != halved).float().mean() < 0.02
