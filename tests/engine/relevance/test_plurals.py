"""A concept is found by its plural or singular where only one fits: nodes' defaults then fit other sets' names."""

from __future__ import annotations

import pytest

from hrv_engine.errors import HRVError
from hrv_engine.relevance.concepts import Concept, ConceptSet


def concepts(*names: str) -> ConceptSet:
    return ConceptSet("test", tuple(Concept(name, ("word",)) for name in names))


def test_plants_finds_plant_and_the_other_way_round():
    assert concepts("Color", "Plant").index("Plants") == 1
    assert concepts("Color", "Plants").index("plant") == 1
    assert concepts("Berry", "Glass").index("berries") == 0
    assert concepts("Color", "Material").index("Materials") == 1


def test_the_exact_name_comes_first_and_several_that_fit_are_refused():
    assert concepts("Plants", "Plant").index("Plant") == 1 and concepts("Plants", "Plant").index("plants") == 0
    with pytest.raises(HRVError, match='no concept "Glasss"'):
        concepts("Glas", "Glass").index("Glasss")
