"""What several workflow tests need in the server's models folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from comfyui_hrv.tests import workflows
from comfyui_hrv.tests.engine.examples import sd1_layout
from comfyui_hrv.tools.server import ComfyServer
from hrv_engine.relevance import files
from hrv_engine.relevance.concepts import ConceptSet
from hrv_engine.relevance.relevance import HeadRelevance


@pytest.fixture(scope="module")
def sd15_vectors(server, repository) -> None:
    """Vectors of the paper's concepts over SD1.5's heads, random, under the name the workflow asks for."""
    path = server.models / "hrv" / "sd15_paper34.safetensors"
    concepts = ConceptSet.load(repository / "hrv_presets" / "concepts" / "paper34.yaml")
    values = np.random.default_rng(0).random((len(concepts.names), 128)).astype(np.float32)
    path.parent.mkdir(exist_ok=True)
    files.save(path, HeadRelevance(values, concepts, sd1_layout()))


@pytest.fixture(scope="module")
def random_clip(server) -> str:
    """A CLIP of OpenCLIP's smallest architecture with random weights in models/clip_vision."""
    import open_clip
    import torch
    from safetensors.torch import save_file

    torch.manual_seed(0)
    model = open_clip.create_model(workflows.SMALLEST_CLIP)
    (server.models / "clip_vision").mkdir(exist_ok=True)
    weights = {name: value.half() for name, value in model.state_dict().items()}
    save_file(weights, server.models / "clip_vision" / "random_clip.safetensors")
    return "random_clip.safetensors"


@pytest.fixture(scope="session")
def tiny_server(tmp_path_factory) -> Iterator[ComfyServer]:
    """A server with a node that makes tiny transformers."""
    base = tmp_path_factory.mktemp("tiny")
    (base / "custom_nodes").mkdir()
    (base / "custom_nodes" / "tiny_loaders.py").symlink_to(Path(__file__).with_name("tiny_loaders.py"))
    with ComfyServer(base) as running:
        yield running
