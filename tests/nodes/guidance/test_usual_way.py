"""Altered steps against the same steps taken the usual way, with every map kept for autograd and no early end."""

from __future__ import annotations

import pytest
import torch

from comfyui_hrv.tests.benchmarks.guided import (
    ALTERED,
    BOTH,
    PLAIN,
    SAVING,
    USUAL,
    USUAL_HRVS,
    WITH_HRVS,
    guided_steps,
)

from ..explicit import relative

COMPARED = (PLAIN, ALTERED, SAVING, WITH_HRVS, BOTH, USUAL, USUAL_HRVS)


@pytest.fixture(scope="module")
def latents(trio) -> dict[str, torch.Tensor]:
    """Name -> the latent after two altered steps, all layers read."""
    with torch.inference_mode():
        steps = guided_steps(trio.model, trio.clip, 16)
        return {name: steps[name](2)[0]["samples"] for name in COMPARED}


@pytest.mark.parametrize("ours, theirs", [(ALTERED, USUAL), (WITH_HRVS, USUAL_HRVS)])
def test_the_latent_moves_as_it_does_with_every_map_kept(latents, ours, theirs):
    assert relative(latents[ours], latents[theirs]) <= 1e-4
    assert relative(latents[ours], latents[PLAIN]) > 1e-2


@pytest.mark.parametrize("saving, whole", [(SAVING, ALTERED), (BOTH, WITH_HRVS)])
def test_saving_memory_changes_no_bit(latents, saving, whole):
    assert torch.equal(latents[saving], latents[whole])
