"""The nodes that draw and list HRVs, executed on the vectors that ship with the pack: pictures, tables and refusals."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np
import pytest
import torch

from comfyui_hrv.hrv_engine import files
from comfyui_hrv.hrv_engine.relevance import HeadRelevance
from comfyui_hrv.nodes.heatmap import HRVHeatmap

SHIPPED = Path(__file__).parents[2] / "hrv_presets" / "hrv" / "pocket.safetensors"


@pytest.fixture(scope="module")
def hrv() -> HeadRelevance:
    return files.load(SHIPPED)


def rows_of(table: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(table)))


def is_image(tensor: torch.Tensor) -> bool:
    """ComfyUI's IMAGE: float32 [1 height width 3] within 0..1, and not of one colour."""
    return (
        tensor.dtype == torch.float32
        and tensor.ndim == 4
        and tuple(tensor.shape[::3]) == (1, 3)
        and 0 <= float(tensor.min()) < float(tensor.max()) <= 1
    )


@pytest.mark.parametrize("concept, drawn", [("", 12), ("color, Plant", 2)])
def test_the_heat_map_comes_with_the_numbers_it_draws(hrv, concept, drawn):
    image, table = HRVHeatmap.execute(hrv, concept).args
    rows = rows_of(table)
    assert is_image(image) and len(rows) == drawn * hrv.layout.total
    assert [row["concept"] for row in rows[:: hrv.layout.total]][:1] == ["Color"]
    np.testing.assert_allclose(
        [float(row["relevance"]) for row in rows[: hrv.layout.total]], hrv.row("Color"), rtol=1e-5
    )
