"""The websocket part of the client: what it needs, and what it says when there is no server."""

from __future__ import annotations

import sys

import pytest

from hrv_engine.errors import HRVError
from hrv_engine.remote.client import Server, ServerLost
from hrv_engine.remote.progress import events


def test_without_its_package_it_says_which_to_install(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "websocket", None)
    with (
        pytest.raises(HRVError, match="needs the Python package websocket-client"),
        events(Server("127.0.0.1:9")),
    ):
        pass


def test_a_server_that_is_not_there_is_named():
    pytest.importorskip("websocket")
    with pytest.raises(ServerLost, match=r"http://127\.0\.0\.1:9 sends no messages"), events(Server("127.0.0.1:9")):
        pass
