"""The report of a build: what was counted, how, and what is too little."""

from dataclasses import replace

import numpy as np

from comfyui_hrv.tests.engine.examples import PART, RECIPE, ballot, concept_set, small_layout
from hrv_engine.inspection.report import FEW_VOTES, report
from hrv_engine.relevance.relevance import HeadRelevance


def lines(votes) -> list[str]:
    return report(votes.relevance()).splitlines()


def test_a_report_names_layout_images_settings_and_shares_most_voted_first():
    counts = np.array([[200] * 8, [500] * 8, [300] * 8])
    layout, images, settings, shares = lines(ballot(counts, parts=(PART, replace(PART, start=9, images=1))))
    assert layout == "3 concepts (test), 3 layers, 8 heads"
    assert images == '5 images: prompts "quick" 0 to 3, seed 0; prompts "quick" 9 to 9, seed 0'
    assert all(f"{key} {value}" in settings for key, value in RECIPE.items())
    assert shares == "Votes: Shape 50.0%, Size 30.0%, Color 20.0%"


def test_concepts_with_few_votes_are_named_as_noisy():
    enough = FEW_VOTES * small_layout().total
    counts = np.zeros((3, 8), np.int64)
    counts[:, 0] = (enough, enough - 1, 0)
    warning = lines(ballot(counts))[-1]
    assert warning.startswith(f"Few votes (under {FEW_VOTES} a head)") and "noisy: Shape, Size." in warning
    assert "More prompts" in warning


def test_a_build_without_any_image_reports_shares_of_zero():
    report_lines = lines(ballot(np.zeros((2, 8), np.int64), parts=()))
    assert report_lines[1].startswith("0 images")
    assert "Shape 0.0%, Color 0.0%" in report_lines[3]


def test_imported_vectors_say_where_they_are_from_and_that_settings_are_unknown():
    values = np.ones((2, 8), np.float32)
    hrv = HeadRelevance(values, concept_set("A", "B"), small_layout(), source={"imported_from": "vectors.npy"})
    assert "Imported from vectors.npy" in report(hrv) and "nothing is known" in report(hrv)
