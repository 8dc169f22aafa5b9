"""HRV Suggest and HRV Suggest LLM through the real server: the workflow, wired to steering, and refusals."""

from __future__ import annotations

import time

import numpy as np
import pytest

from comfyui_hrv.tests import workflows
from comfyui_hrv.tests.chatserver import chatting
from comfyui_hrv.tests.oddserver import OK, dripping, sending
from comfyui_hrv.tools.thumbnails import write_thumbnail
from hrv_engine.remote.prompt import PromptCancelled, PromptFailed

NAME = "05 Let HRV Suggest choose the meaning"


@pytest.fixture(scope="module")
def prompt(server) -> dict:
    quick = workflows.quick(NAME, server.client.object_info())
    return quick if workflows.WRITE_THUMBNAILS else workflows.with_values(quick, value="a rose square")


def titled(title: str) -> str:
    """The id of the workflow's node by its title."""
    return next(str(node["id"]) for node in workflows.read(NAME)["nodes"] if node.get("title") == title)


def pictures(server, outputs: dict, title: str) -> np.ndarray:
    """A preview's images, [images height width 3] in 0..255."""
    return np.stack([np.asarray(image) for image in server.client.images(outputs, titled(title))]).astype(int)


@pytest.mark.thumbnail
def test_05_steers_the_word_as_it_was_proposed(server, prompt):
    outputs = server.client.run(prompt)
    report = outputs[titled("Report")]["text"][0]
    if not workflows.WRITE_THUMBNAILS:
        assert "> rose: Plant" in report and "desired Color, undesired Plant" in report and "46 of 59" in report
    plain, proposed = (pictures(server, outputs, title) for title in ("Plain", "As proposed"))
    assert np.abs(plain - proposed).mean() > 1, "the adjusted images are the plain ones"
    if not workflows.WRITE_THUMBNAILS:
        (adjust,) = workflows.nodes_of(prompt, "HRVConceptAdjust")
        typed = {"word": "rose", "desired": "Color", "undesired": "Plant"}
        by_hand = {**prompt, adjust: {**prompt[adjust], "inputs": prompt[adjust]["inputs"] | typed}}
        np.testing.assert_array_equal(pictures(server, server.client.run(by_hand), "As proposed"), proposed)
    if workflows.WRITE_THUMBNAILS:
        rows = {"plain": "Plain", "as proposed": "As proposed"}
        write_thumbnail(NAME, {said: server.client.images(outputs, titled(of))[:2] for said, of in rows.items()})


def test_05_with_another_prompt_steers_another_word(server, prompt):
    outputs = server.client.run(workflows.with_values(prompt, value="a lime heart in the city", amount=1))
    assert "> lime: Fruit" in outputs[titled("Report")]["text"][0]


@pytest.mark.parametrize(
    ("values", "quoted"),
    [({"value": ""}, ("empty",)), ({"value": "a rose", "words": "rosy"}, ("rosy", "a rose"))],
    ids=["no prompt", "an absent word"],
)
def test_a_wrong_input_reaches_the_user(server, prompt, values, quoted):
    with pytest.raises(PromptFailed) as failure:
        server.client.run(workflows.with_values(prompt, **values))
    assert failure.value.node_type == "HRVSuggest"
    assert [text for text in quoted if text not in failure.value.message] == []


def asking(prompt: dict, address: str, **values) -> dict:
    """The workflow with HRV Suggest LLM in place of HRV Suggest, and only its report shown."""
    (suggest,) = workflows.nodes_of(prompt, "HRVSuggest")
    links = {name: prompt[suggest]["inputs"][name] for name in ("prompt", "hrv", "clip")}
    asked = {"words": "", "base_url": address, "model": "tiny", "key_variable": "", "timeout": 20, **values}
    show = {number: node for number, node in prompt.items() if node["class_type"] != "PreviewImage"}
    return {**show, suggest: {"class_type": "HRVSuggestLLM", "inputs": links | asked}}


def test_a_language_model_is_asked_and_its_proposal_comes_out(server, prompt):
    with chatting() as chat:
        chat.says({"word": "rose", "senses": ["Plant", "Color", "Wine"], "meant": "Color", "misread_as": "Plant"})
        outputs = server.client.run(asking(prompt, chat.address))
    text = outputs[titled("Report")]["text"][0]
    assert "> rose: Plant, Color" in text and '"Wine" (no concept)' in text
    assert "a rose square" in chat.asked[0]["body"]["messages"][1]["content"]


def test_40_steers_as_a_language_model_proposed(server):
    prompt = workflows.quick("40 Ask a language model for the meaning", server.client.object_info())
    few = workflows.with_values(prompt, steps=4, amount=1, value="a rose square")
    with chatting() as chat:
        chat.says({"word": "rose", "senses": ["Plant", "Color"], "meant": "Color", "misread_as": "Plant"})
        outputs = server.client.run(workflows.with_values(few, base_url=chat.address))
    plain, steered = (
        np.asarray(server.client.images(outputs, node)[0], int) for node in workflows.nodes_of(few, "PreviewImage")
    )
    assert np.abs(plain - steered).mean() > 1 and chat.asked[0]["body"]["model"] == "qwen3:8b"


def test_a_language_model_that_is_not_there_stops_the_run_with_its_address(server, prompt):
    with pytest.raises(PromptFailed, match="127.0.0.1:9/v1.*cannot be reached.*HRV Suggest needs no") as failure:
        server.client.run(asking(prompt, "http://127.0.0.1:9/v1"))
    assert failure.value.node_type == "HRVSuggestLLM"


@pytest.mark.parametrize("ending", ["#", "?x=", "/../..", "/%2e%2e", " ", "\\"])
def test_a_workflow_can_ask_no_other_path_or_host_than_the_one_it_shows(server, prompt, ending):
    with chatting() as chat, pytest.raises(PromptFailed, match="is no address of a language model"):
        server.client.run(asking(prompt, f"{chat.address}{ending}/jobs"))
    assert chat.asked == []


@pytest.mark.parametrize("status", [200, 404])
def test_what_another_kind_of_server_answers_is_shown_nowhere(server, prompt, status):
    with chatting() as chat:
        chat.status, chat.raw = status, b'{"admin_password": "hunter2"}'
        with pytest.raises(PromptFailed, match=f"{status} .*application/json") as failure:
            server.client.run(asking(prompt, chat.address))
    assert "hunter2" not in failure.value.message + failure.value.traceback + server.log()


@pytest.mark.parametrize("steps", [[(60.0, b"")], [(0.0, OK), dripping()]], ids=["silent", "a byte at a time"])
def test_a_language_model_that_never_ends_is_cancelled_and_the_next_prompt_runs(server, prompt, steps):
    with sending(*steps) as odd, chatting() as chat:
        prompt_id = server.client.submit(asking(prompt, odd.address, timeout=3600))
        while not odd.asked:
            time.sleep(0.05)
        start = time.monotonic()
        server.client.stop(prompt_id)
        assert time.monotonic() - start < 2
        with pytest.raises(PromptCancelled):
            server.client.outputs(prompt_id)
        chat.says({"word": "rose", "senses": ["Plant", "Color"], "meant": "Color", "misread_as": "Plant"})
        assert "> rose" in server.client.run(asking(prompt, chat.address))[titled("Report")]["text"][0]


def test_a_key_of_the_server_is_not_sent_where_a_workflow_wants_it(server, prompt):
    with chatting() as chat, pytest.raises(PromptFailed, match="The key in PATH is not sent to"):
        server.client.run(asking(prompt, chat.address, key_variable="PATH"))
    assert chat.asked == []
