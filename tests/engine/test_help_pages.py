"""Every node has a help page that names exactly the inputs and outputs the node has."""

import json
import re
from pathlib import Path

import pytest
from PIL import Image

ROOT = Path(__file__).parents[2]
PAGES = ROOT / "web" / "docs"
NODES = json.loads((ROOT / "locales" / "en" / "nodeDefs.json").read_text(encoding="utf-8"))


def page(node: str) -> str:
    return (PAGES / f"{node}.md").read_text(encoding="utf-8")


def section(text: str, title: str) -> str:
    found = re.search(rf"^## {title}\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    return found.group(1) if found else ""


def first_column(table: str) -> list[str]:
    """Names in the first column of a Markdown table; one cell may hold several, each in backticks."""
    cells = [line.split("|")[1].strip() for line in table.splitlines() if line.startswith("|")][2:]
    return [name for cell in cells for name in (re.findall(r"`([^`]+)`", cell) or [cell])]


def ids_in_the_source() -> set[str]:
    text = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "nodes").rglob("*.py"))
    return set(re.findall(r'node_id="(\w+)"', text))


def test_every_node_of_the_source_has_a_page_and_an_entry_in_the_locale():
    assert ids_in_the_source() == set(NODES) == {path.stem for path in PAGES.glob("*.md")}


@pytest.mark.parametrize("node", NODES)
def test_a_page_opens_with_the_display_name_and_ends_with_its_source(node: str):
    text = page(node)
    assert text.startswith(f"# {NODES[node]['display_name']}\n")
    assert "arxiv.org/abs/2412.02237" in section(text, "Source")
    assert section(text, "Examples?").strip()


@pytest.mark.parametrize("node", NODES)
def test_the_input_table_names_every_input_once_and_no_other(node: str):
    named = first_column(section(page(node), "Inputs"))
    assert sorted(named) == sorted(NODES[node]["inputs"])


@pytest.mark.parametrize("node", NODES)
def test_the_output_table_names_the_outputs_in_their_order(node: str):
    outputs = NODES[node]["outputs"]
    assert first_column(section(page(node), "Outputs")) == [outputs[str(i)]["name"] for i in range(len(outputs))]


@pytest.mark.parametrize("node", NODES)
def test_a_page_shows_its_node_at_work(node: str):
    (picture,) = re.findall(r"!\[[^\]]+\]\(images/(.+?)\)", page(node))
    assert picture == f"{node}.webp"  # python -m tools.help_images makes it
    image = Image.open(PAGES / "images" / picture)
    assert (
        image.format == "WEBP" and min(image.size) > 50 and len(image.convert("RGB").getcolors(1 << 20) or "many") > 3
    )


@pytest.mark.parametrize(
    "path", sorted((ROOT / "locales").glob("*/*.json")), ids=lambda path: f"{path.parent.name}-{path.stem}"
)
def test_locale_texts_hold_no_character_that_the_frontend_would_interpret(path: Path):
    def texts(value):
        return [text for inner in value.values() for text in texts(inner)] if isinstance(value, dict) else [value]

    # vue-i18n reads {name}, @:key and a|b as syntax
    assert [text for text in texts(json.loads(path.read_text(encoding="utf-8"))) if re.search(r"[{}@|]", text)] == []
