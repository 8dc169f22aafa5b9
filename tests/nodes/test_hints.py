"""A node's sentence behind an error of the engine."""

import pytest

from comfyui_hrv.hrv_engine.errors import HRVError
from comfyui_hrv.nodes.hints import hint
from comfyui_hrv.nodes.measure.weaken_curve import HRVWeakenCurve


def test_an_error_of_the_engine_ends_with_what_the_node_knows():
    with pytest.raises(HRVError, match="^The table is empty. Connect one.$"), hint("Connect one."):
        raise HRVError("The table is empty.")


def test_a_curve_without_scores_names_the_node_that_scores():
    with pytest.raises(HRVError, match="no scores, .*Connect the table of HRV Score Images"):
        HRVWeakenCurve.execute(['{"order": "MoRHF"}'], [""], [0.95])
