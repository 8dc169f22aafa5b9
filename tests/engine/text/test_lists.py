"""Lists typed into one line."""

import pytest

from hrv_engine.text.lists import listed


@pytest.mark.parametrize(
    "text, separator, parts",
    [
        ("red, night sky ,blue", ",", ["red", "night sky", "blue"]),
        (" ,, ", ",", []),
        ("", ",", []),
        ("red, car; blue, bench;", ";", ["red, car", "blue, bench"]),
    ],
)
def test_parts_come_without_blanks_around_them_and_empty_ones_are_left_out(text, separator, parts):
    assert listed(text, separator) == parts
