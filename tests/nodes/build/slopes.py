"""f as a function of the heads' factors, by plain calls of the model: what derivatives are compared with."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from comfyui_hrv.hrv_engine.relevance.effect import share
from comfyui_hrv.nodes.host import effect as host_effect
from comfyui_hrv.nodes.host.effect import FACTORS, Factors, Measurement


class Values:
    """f(r) of every measured step of one sample, as a function of r, by plain calls of the model."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.steps: list[Any] = []
        measured = Measurement._measure

        def measure(own: Measurement, guider: Any, x: Any, sigma: Any, options: dict) -> None:
            inner, conds = guider.inner_model, dict(guider.conds)
            with_word, without = host_effect.predictions(
                inner, [conds["positive"], conds["without"]], x, sigma, options
            )
            d = with_word - without

            def f(r: np.ndarray) -> float:
                factors = Factors(torch.from_numpy(r).float()[None].expand(len(x), -1), own.columns)
                given = {**options, "transformer_options": {**options["transformer_options"], FACTORS: factors}}
                (out,) = host_effect.predictions(inner, [conds["positive"]], x, sigma, given)
                return float(share(out.double(), d.double())[0])

            direction = np.random.default_rng(0).normal(size=(4, own.layout.total))
            self.steps.append(
                {
                    "slopes": [(f(1 + 1e-2 * v) - f(1 - 1e-2 * v)) / 2e-2 for v in direction],
                    "directions": direction,
                    "all": (f(np.full(own.layout.total, 1.01)) - f(np.full(own.layout.total, 0.99))) / 2e-2,
                    "layers": {
                        site.key: (f(lifted(own, site.key, 1.01)) - f(lifted(own, site.key, 0.99))) / 2e-2
                        for site in own.layout.sites
                    },
                    "through": f(np.ones(own.layout.total)) - f(np.zeros(own.layout.total)),
                }
            )
            measured(own, guider, x, sigma, options)

        monkeypatch.setattr(Measurement, "_measure", measure)


def lifted(own: Measurement, key: Any, factor: float) -> np.ndarray:
    r = np.ones(own.layout.total)
    r[own.layout.head_range(key)] = factor
    return r
