"""How each kind of experiment is read and tabulated, with the columns of the paper."""

from collections.abc import Callable

from .measure_methods import editing, several
from .measure_misreading import misreading
from .measure_vectors import vectors
from .measure_weakening import weakening
from .plan import Experiment, Job
from .readers import Readers
from .results import Results
from .store import Store

Measure = Callable[[Experiment, list[Job], Store, Readers], Results]
MEASURES: dict[str, Measure] = {
    "misreading": misreading,
    "weakening": weakening,
    "editing": editing,
    "several": several,
    "vectors": vectors,
}
