"""What the rooms promise: the engine knows no UNet and no nodes, files stay short, nothing is written twice."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from pathlib import Path
from statistics import median

import pytest

from hrv_engine.paths import ROOT

ENGINE = sorted((ROOT / "hrv_engine").rglob("*.py"))
SHORT = [*ENGINE, *sorted((ROOT / "nodes").rglob("*.py"))]
PRODUCT = [*SHORT, *sorted((ROOT / "tools").rglob("*.py")), ROOT / "__init__.py"]
LARGEST, MEDIAN = 15 * 1024, 6 * 1024  # bytes of a file
SHARED = 10  # lines that two places may not have in common
COLUMN = "unet_calls"  # of the tables of convergence, a file format
DRIVES_NODES = ("remote", "experiments", "scale", "pocket")  # folders that work on graphs, or on the pocket model
DEEP = ROOT / "hrv_engine" / "text" / "alignment.py"  # raised far below any node: it names the one that helps itself


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def lines_of(path: Path) -> list[tuple[int, str]]:
    """(number, text) of the lines that count: no blank ones, comments or imports, and no indentation."""
    stripped = enumerate(map(str.strip, path.read_text(encoding="utf-8").splitlines()), start=1)
    return [(number, line) for number, line in stripped if line and not line.startswith(("#", "import ", "from "))]


def repeats(paths: list[Path]) -> list[str]:
    """Places whose next SHARED lines appear again, in the same or in another file."""
    places = defaultdict(list)
    for path in paths:
        lines = lines_of(path)
        for first in range(len(lines) - SHARED + 1):
            window = tuple(line for _, line in lines[first : first + SHARED])
            places[window].append(f"{path.name}:{lines[first][0]}")
    return [" and ".join(found) for found in places.values() if len(found) > 1]


@pytest.mark.parametrize("path", [path for path in ENGINE if "pocket" not in path.parts], ids=name)
def test_the_engine_does_not_know_what_a_unet_is(path):
    text = path.read_text(encoding="utf-8").replace(COLUMN, "")
    assert not re.search("unet", text, re.IGNORECASE)


def test_the_science_names_no_node():
    texts = json.loads((ROOT / "locales" / "en" / "nodeDefs.json").read_text(encoding="utf-8"))
    titles = re.compile("|".join(rf"{re.escape(node['display_name'])}\b" for node in texts.values()))
    science = [path for path in ENGINE if path.parts[len(ROOT.parts) + 1] not in DRIVES_NODES and path != DEEP]
    named = {name(path): titles.findall(path.read_text(encoding="utf-8")) for path in science}
    assert not {path: found for path, found in named.items() if found}


@pytest.mark.parametrize("path", SHORT, ids=name)
def test_no_file_is_long(path):
    assert path.stat().st_size <= LARGEST


def test_the_median_file_is_short():
    assert median(path.stat().st_size for path in SHORT) <= MEDIAN


def test_no_two_places_share_ten_lines():
    assert not repeats(PRODUCT)


def test_ten_shared_lines_are_seen_whatever_their_indentation(tmp_path):
    one, other = tmp_path / "one.py", tmp_path / "other.py"
    shared = [f"step_{number}()" for number in range(SHARED)]
    one.write_text("\n".join(["first()", *shared]), encoding="utf-8")
    other.write_text("\n\n".join([f"    {line}" for line in shared] + ["# a comment", "last()"]), encoding="utf-8")
    assert repeats([one, other]) == ["one.py:2 and other.py:1"]
    assert not repeats([one])
