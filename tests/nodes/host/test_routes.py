"""What the browser may ask the server: concept names by where a graph's vectors come from."""

from __future__ import annotations

import pytest

from comfyui_hrv.hrv_engine.errors import HRVError
from comfyui_hrv.hrv_engine.paths import PRESETS
from comfyui_hrv.hrv_engine.relevance import files
from comfyui_hrv.nodes.host.folders import register_folders
from comfyui_hrv.nodes.host.routes import concepts_asked

SHIPPED = "pocket_effect.safetensors"


def test_concepts_are_read_from_a_file_as_hrv_load_lists_it():
    names = concepts_asked({"file": f"preset: {SHIPPED}"})
    assert names == files.load(PRESETS / "hrv" / SHIPPED).concepts.names


def test_published_vectors_have_the_concepts_of_their_preset_before_they_are_fetched():
    names = concepts_asked({"published": "sd14"})
    assert names == concepts_asked({"preset": "paper34"}) and len(names) == 34


def test_a_pocket_model_has_the_concepts_of_the_vectors_that_ship_for_it():
    assert concepts_asked({"pocket": "squares"}) == concepts_asked({"file": f"preset: {SHIPPED}"})


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ({}, "Concepts of what.*file=NAME.*pocket=NAME"),
        ({"file": "../../secret.safetensors"}, "There is no HRV file"),
        ({"preset": "paper35"}, "no concepts preset.*paper34"),
        ({"pocket": "circles"}, 'no pocket model "circles".*drawings, squares'),
    ],
)
def test_a_question_without_an_answer_is_refused_with_the_legal_ones(query, message):
    register_folders()
    with pytest.raises(HRVError, match=message):
        concepts_asked(query)
