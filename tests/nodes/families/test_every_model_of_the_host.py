"""Every diffusion model of the installed host has a family, or one reason why it has none."""

from __future__ import annotations

from typing import Any

import comfy.ldm.modules.diffusionmodules.openaimodel as openaimodel
import comfy.model_base
import comfy.supported_models
import pytest
import torch

from comfyui_hrv.hrv_engine.errors import HRVError
from comfyui_hrv.nodes.host.families import families, family_of
from comfyui_hrv.nodes.host.families._unreachable import REASONS


class Found(Exception):
    """Carries the class of a diffusion model out of the host's constructor."""


def diffusion_model_of(kind: Any, monkeypatch: pytest.MonkeyPatch) -> type:
    """The class that the host would make for a supported configuration, which is not made."""

    def init(self, config, *_, unet_model=openaimodel.UNetModel, **__):
        raise Found(unet_model)

    monkeypatch.setattr(comfy.model_base.BaseModel, "__init__", init)
    sizes = {"hidden_size": 64, "dim": 64, "in_channels": 4, "out_channels": 4, "num_attention_heads": 4}
    with pytest.raises(Found) as found:
        kind({**sizes, **kind.unet_config}).get_model(
            {"cc_projection.weight": torch.zeros(1, 1), "cc_projection.bias": torch.zeros(1)}, ""
        )
    return found.value.args[0]


KINDS = comfy.supported_models.models


@pytest.mark.parametrize("kind", KINDS, ids=[kind.__name__ for kind in KINDS])
def test_a_family_or_a_reason(kind, monkeypatch):
    made = diffusion_model_of(kind, monkeypatch)
    names = {f"{base.__module__}.{base.__qualname__}" for base in made.__mro__}
    having = [family.name for family in families() if names & set(getattr(family, "classes", ()))]
    having += ["UNet"] if issubclass(made, openaimodel.UNetModel) else []
    reasons = names & set(REASONS)
    assert len(having) + len(reasons) == 1, f"{made.__module__}.{made.__name__}: {having or 'no family'}, {reasons}"


def test_every_reason_is_said_by_name():
    for name, reason in REASONS.items():
        home, _, kind = name.rpartition(".")
        module = type(kind, (), {"__module__": home, "__qualname__": kind})()
        with pytest.raises(HRVError, match=kind) as error:
            family_of(module)
        assert reason in str(error.value)
