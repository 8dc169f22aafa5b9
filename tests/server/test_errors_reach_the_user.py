"""What ComfyUI shows when an input is wrong: our own words, with the input quoted and the way out."""

from __future__ import annotations

import pytest

from comfyui_hrv.tests.workflows import with_values
from hrv_engine.remote.prompt import PromptFailed

from .squares_graphs import build_graph, draw_graph

ASKED = {"text": "a rose square", "word": "rose", "desired": "Color", "undesired": "Plant"}
FILE = "errors.safetensors"


@pytest.fixture(scope="module")
def steered(server) -> dict:
    """A working prompt with vectors of its own."""
    server.client.run(with_values(build_graph("errors", "Color"), limit=2))
    return draw_graph(ASKED, 5, FILE)


@pytest.mark.parametrize(
    ("values", "quoted"),
    [
        ({"word": "rosy"}, ("rosy", "a rose square", "rose")),
        ({"desired": "Colour"}, ("Colour", "Color")),
        ({"word": ""}, ("word",)),
    ],
    ids=["a word that is not in the prompt", "an unknown concept", "no word"],
)
def test_a_wrong_input_is_quoted_with_what_is_legal(server, steered, values, quoted):
    with pytest.raises(PromptFailed) as failure:
        server.client.run(with_values(steered, **values))
    assert failure.value.node_type == "HRVConceptAdjust"
    assert [word for word in quoted if word not in failure.value.message] == []


def test_a_prompt_encoded_by_the_core_node_is_answered_with_the_node_to_use(server, steered):
    graph = {**steered, "positive": {"class_type": "CLIPTextEncode", "inputs": steered["positive"]["inputs"]}}
    with pytest.raises(PromptFailed, match="HRV Prompt"):
        server.client.run(graph)


@pytest.mark.parametrize(
    ("typed", "read"),
    [
        ("rose\ud83c", r"rose\ud83c"),
        ("\ude00\ud83d", r"\ude00\ud83d"),
        ("\x1b[5m\x1b]0;owned\x07", r"\x1b[5m\x1b]0;owned\x07"),
        ("ro\x00se\x9b", r"ro\x00se\x9b"),
        ("\u202eesor", r"\u202eesor"),
    ],
)
@pytest.mark.parametrize("field", ["word", "desired", "undesired"])
def test_a_text_that_no_log_can_take_is_quoted_with_escapes_and_the_server_goes_on(server, steered, field, typed, read):
    with pytest.raises(PromptFailed) as failure:
        server.client.run(with_values(steered, **{field: typed}))
    assert failure.value.node_type == "HRVConceptAdjust" and read in failure.value.message
    assert "\x1b[5m" not in server.log() and "\x1b]0;" not in server.log()
    graph = with_values(steered, word="rosy")
    with pytest.raises(PromptFailed, match="rosy"):  # the next prompt is taken and answered
        server.client.run(graph)
