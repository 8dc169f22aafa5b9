"""Tables as CSV text, for people's spreadsheets and for scripts."""

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any

MINUS = "\N{MINUS SIGN}"  # in what people read


def as_csv(rows: Sequence[Mapping[str, Any]]) -> str:
    """A header line and one line per row; floats with six significant digits. All rows have the keys of the first."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]) if rows else [], lineterminator="\n")
    writer.writeheader()
    writer.writerows(
        {key: f"{value:.6g}" if isinstance(value, float) else value for key, value in row.items()} for row in rows
    )
    return text.getvalue()
