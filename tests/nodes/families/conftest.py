"""Every family's tiny model, made once."""

from __future__ import annotations

from typing import Any

import pytest

from .tiny_models import TINY, Tiny

_models: dict[str, Any] = {}


@pytest.fixture(params=list(TINY))
def tiny(request) -> Tiny:
    return TINY[request.param]


@pytest.fixture
def model(request, tiny) -> Any:
    name = request.node.callspec.params["tiny"]
    if name not in _models:
        _models[name] = tiny.model()
    return _models[name]
