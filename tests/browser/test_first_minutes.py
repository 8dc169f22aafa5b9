"""What a new person does: from the templates to a word read right, in as few clicks as we say."""

from __future__ import annotations

import numpy as np

from comfyui_hrv.tests import workflows

from .test_frontend import finished_runs, next_finished

NAME = "01 Fix a misread word"
MOST_CLICKS = 5
SHORT = """() => {
    for (const widget of app.graph.nodes.flatMap(node => node.widgets ?? [])) {
        const values = { amount: 1, steps: 8 };
        if (widget.name in values) widget.value = values[widget.name];
    }
}"""


def test_from_the_templates_to_a_word_read_right(page, server):
    page.evaluate("() => app.graph.clear()")  # what an earlier test has left is not taken for the template
    clicks = 0

    def click(selector: str) -> None:
        nonlocal clicks
        page.click(selector)
        clicks += 1

    click(".templates-tab-button")
    page.get_by_role("dialog").get_by_placeholder("Search").first.fill("misread word")
    clicks += 1
    click(f"[data-testid='template-workflow-{NAME}']")
    page.wait_for_function("() => app.graph.nodes.some(node => node.type === 'HRVFixWord')")
    page.evaluate(SHORT)  # for the time of this test
    before = finished_runs(server)
    click("[data-testid='queue-button']")
    outputs = server.client.wait(next_finished(server, before))
    prompt = workflows.converted(NAME, server.client.object_info())
    (slider,) = workflows.nodes_of(prompt, "HRVBeforeAfter")
    plain, fixed = (np.asarray(image, int) for image in server.client.images(outputs, slider))
    assert clicks <= MOST_CLICKS and np.abs(plain - fixed).mean() > 1
