"""HRV Weaken Sweep as its user sees it: one bar over all images and steps, previews, cancel, and no trace left."""

from __future__ import annotations

import numpy as np
import pytest

from comfyui_hrv.tests.workflows import with_values
from hrv_engine.remote.progress import events
from hrv_engine.remote.prompt import PromptCancelled, PromptFailed

from .test_weakening_curve import K, graph

ORDERS, STEPS = 2, 6
PICTURES = ORDERS * len(K)


def sweep_only(**values) -> dict:
    """One sweep of one prompt and seed, its sheet shown."""
    nodes = {name: node for name, node in graph().items() if name not in ("prompts", "scorer", "score", "curve")}
    kept = {name: node for name, node in nodes.items() if name not in ("picture", "rows", "areas", "csv")}
    whole = with_values(kept, steps=STEPS)
    whole["positive"]["inputs"]["text"] = "a red star"
    whole["sweep"]["inputs"] |= {"concept": "Color", "seed": 1, "batch_size": 2, **values}
    return whole


def sheet(server) -> np.ndarray:
    """Drawn anew: the server forgets its cached results first."""
    server.client.fetch("/free", {"free_memory": True})
    outputs = server.client.run(sweep_only())
    return np.asarray(server.client.images(outputs, "sheets")[0])


@pytest.fixture(scope="module")
def cancelled(server) -> dict:
    """Sheets before and after a sweep that was cancelled on its way, and the events of that sweep."""
    before, seen = sheet(server), []
    server.client.fetch("/free", {"free_memory": True})
    with events(server.client) as messages:
        number = server.client.submit(sweep_only(seed=2))
        for event in messages:
            seen.append(event)
            if event["type"] == "progress" and event["data"]["value"] > event["data"]["max"] // 3:
                break
        server.client.stop(number)
    with pytest.raises(PromptCancelled):
        server.client.wait(number)
    return {"before": before, "after": sheet(server), "seen": seen}


def test_one_bar_counts_all_images_and_steps_and_shows_previews(cancelled):
    bars = [event["data"] for event in cancelled["seen"] if event["type"] == "progress"]
    values = [bar["value"] for bar in bars]
    assert {bar["max"] for bar in bars} == {PICTURES * STEPS}
    assert values == sorted(values) and len(set(values)) > 2
    assert any(event["type"] == "preview" and len(event["data"]) > 100 for event in cancelled["seen"])


def test_a_sweep_after_a_cancelled_one_is_bit_identical_to_the_one_before(cancelled):
    np.testing.assert_array_equal(cancelled["after"], cancelled["before"])


def test_too_many_heads_and_an_unknown_order_are_quoted_in_the_users_window(server):
    for values, quoted in (({"heads": "0, 113"}, "H = 112"), ({"orders": "MoRHF, best"}, '"best"')):
        with pytest.raises(PromptFailed) as failure:
            server.client.run(sweep_only(**values))
        assert failure.value.node_type == "HRVWeakenSweep" and quoted in failure.value.message
