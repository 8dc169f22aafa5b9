"""What web/js names exists: inputs that get a pick list, link types that get a colour, files that it imports."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from comfyui_hrv.tests import skips

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


@pytest.fixture(scope="module")
def words_offered(tmp_path_factory) -> list[list[str]]:
    """The words that the pick list offers for each prompt of WORDS."""
    if shutil.which("node") is None:
        pytest.skip(skips.NO_NODE)
    module = tmp_path_factory.mktemp("js") / "tracing.mjs"
    calls = f"console.log(JSON.stringify({json.dumps(list(WORDS))}.map(wordsOf)));"
    module.write_text(f"{script('tracing.js')}\n{calls}", encoding="utf-8")
    done = subprocess.run(["node", module], capture_output=True, check=True, timeout=60, encoding="utf-8")
    return json.loads(done.stdout)


WORDS = {
    "a red car, a (red:1.2) cat": ["a", "red", "car", "cat"],
    r"a \(lavender\) field": ["a", "lavender", "field"],
    "a embedding:foo-v1.5 cat": ["a", "embedding:foo-v1.5", "cat"],
    "(embedding:foo:1.2), cat": ["embedding:foo", "cat"],
    "(cat: 1.2) dog": ["cat", "dog"],
    "(cat:+1.2) (dog : -.5 )": ["cat", "dog"],
    "{red|blue} car": ["red", "blue", "car"],
    "ein Käfer; 猫和狗": ["ein", "Käfer", "猫", "和", "狗"],
    " ": [],
}


@pytest.mark.parametrize("prompt, words", WORDS.items())
def test_the_words_offered_are_those_of_the_prompt(words_offered, prompt: str, words: list[str]):
    assert words_offered[list(WORDS).index(prompt)] == words
