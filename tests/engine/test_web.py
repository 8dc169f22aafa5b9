"""What web/js names exists: inputs that get a pick list, link types that get a colour, files that it imports."""

import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPTS = sorted((ROOT / "web" / "js").glob("*.js"))
NODES = json.loads((ROOT / "locales" / "en" / "nodeDefs.json").read_text(encoding="utf-8"))


def script(name: str) -> str:
    return (ROOT / "web" / "js" / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("kind", ["CONCEPTS", "WORDS"])
def test_fields_with_a_pick_list_are_inputs_of_a_node(kind: str):
    (listed,) = re.findall(rf"const {kind} = new Set\((\[.*\])\)", script("pick_lists.js"))
    inputs = {name for node in NODES.values() for name in node["inputs"]}
    assert json.loads(listed) and set(json.loads(listed)) <= inputs


def test_every_link_type_of_the_pack_has_a_colour_of_its_own():
    types = re.findall(r'io\.Custom\("(\w+)"\)', (ROOT / "nodes" / "types.py").read_text(encoding="utf-8"))
    colors = dict(re.findall(r'(HRV\w*): "(#\w{6})"', script("colors.js")))
    assert set(types) == set(colors) and len(set(colors.values())) == len(colors)


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_a_script_imports_files_that_exist_and_begins_with_what_it_does(path: Path):
    text = path.read_text(encoding="utf-8")
    assert text.startswith("/** ")
    for name in re.findall(r'from "(\./.*)"', text):
        assert (path.parent / name).is_file()
