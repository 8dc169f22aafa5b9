"""The docs' site: every relative link of README, docs/ and help pages leads somewhere, in the repository and in it."""

import re
from pathlib import PurePosixPath
from urllib.parse import unquote

import pytest

from comfyui_hrv.tools import docs_site

PLACES = docs_site.pages()


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.setattr(docs_site, "PAGES", tmp_path)


def test_links_lead_from_a_page_s_new_place_to_pages_and_pictures_of_the_site(tmp_path):
    for source, place in PLACES.items():
        docs_site._write(place, docs_site.relinked(source.read_text(encoding="utf-8"), source, PLACES))
    missing = []
    for place in PLACES.values():
        for target in re.findall(r"\]\(([^)\s:#]+)(?:#[^)]*)?\)", (tmp_path / place).read_text(encoding="utf-8")):
            if not (tmp_path / PurePosixPath(place).parent / unquote(target)).exists():
                missing.append(f"{place}: {target}")
    assert missing == []


def test_a_link_to_nothing_is_an_error_that_names_it():
    source = docs_site.ROOT / "docs" / "effect.md"
    with pytest.raises(FileNotFoundError, match=r"docs/effect.md links to nowhere.md"):
        docs_site.relinked("[this](nowhere.md)", source, PLACES)


def test_what_is_not_in_the_site_keeps_its_name_without_a_link():
    source = docs_site.ROOT / "README.md"
    assert docs_site.relinked("see [the nodes](nodes) and [effect](docs/effect.md#using-it)", source, PLACES) == (
        "see the nodes and [effect](effect.md#using-it)"
    )


def test_the_gallery_shows_every_workflow_with_its_picture():
    text = docs_site.gallery()
    pictures = {unquote(target) for target in re.findall(r"!\[[^\]]*\]\(([^)\s]+)\)", text)}  # no blanks in an address
    assert pictures == {f"pictures/{path.stem}.jpg" for path in docs_site.WORKFLOWS.glob("*.json")}
    assert text.count("\n## ") == len(pictures)
