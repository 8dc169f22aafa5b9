"""Workflow files: what is none is named before it is converted."""

from __future__ import annotations

import pytest

from hrv_engine.errors import HRVError
from hrv_engine.remote.graphs import Template


@pytest.mark.parametrize("name", ["nothing", "a" * 5000, "../README", "a\x00b"])
def test_a_workflow_that_is_not_there_is_named_whatever_its_name(name):
    with pytest.raises(HRVError, match="There is no workflow"):
        Template.read(name, {})


@pytest.mark.parametrize(
    "content",
    [b"", b"{}", b"[]", b"\xff", b'{"nodes": 5}', b'{"nodes": [5]}', b'{"nodes": [{"id": 1}]}', b"[" * 100_000],
)
def test_a_file_that_is_no_workflow_is_refused_in_one_sentence(tmp_path, content):
    (tmp_path / "mine.json").write_bytes(content)
    with pytest.raises(HRVError, match="mine.json is no workflow as the frontend saves it"):
        Template.read("mine", {}, tmp_path)
