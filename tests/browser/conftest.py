"""ComfyUI's own frontend, in headless Chromium, on the session's server."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from comfyui_hrv.tests import skips
from comfyui_hrv.tools.chromium import find_chromium

READY = "() => window.app?.graph && window.LiteGraph?.registered_node_types?.HRVPrompt"
SECONDS = 1000


@pytest.fixture(scope="session")
def page(server, sd15_checkpoint, stand_ins) -> Iterator:
    """A page on which the frontend is up and knows the pack's nodes and the files the workflows name."""
    from playwright.sync_api import sync_playwright

    chromium = find_chromium()
    if chromium is None:
        pytest.skip(skips.NO_CHROMIUM)
    # nothing over the graph: no welcome dialog, no map, no counters
    hidden = {"Comfy.Minimap.Visible": False, "Comfy.Graph.CanvasInfo": False}
    server.client.fetch("/settings", {"Comfy.TutorialCompleted": True, **hidden})
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1600, "height": 1000})
        page.set_default_timeout(180 * SECONDS)
        page.goto(f"{server.client.url}/")
        page.wait_for_function(READY)
        page.wait_for_selector(".p-blockui-mask", state="detached")  # it takes the clicks while the page loads
        yield page
        browser.close()
