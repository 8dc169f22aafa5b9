"""`make docs`: README, docs/, the help pages and a gallery of the workflows as one site: output/site/index.html."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path, PurePosixPath
from urllib.parse import quote, unquote

import yaml

from hrv_engine.paths import ROOT, WORKFLOWS

PAGES = ROOT / "output" / "site_pages"
SITE = ROOT / "output" / "site"
GENERATOR, THEME = "mkdocs==1.6.1", "mkdocs-material==9.8.2"
LINK = re.compile(r"(?<!`)\[([^\[\]]*)\]\(([^)\s:#]+)(#[^)\s]*)?\)")
FILES = {".png", ".jpg", ".webp", ".gif"}


def main() -> None:
    """Gather the pages, then let MkDocs build the site; a link to nothing is an error."""
    shutil.rmtree(PAGES, ignore_errors=True)
    places = pages()
    for source, place in places.items():
        _write(place, relinked(source.read_text(encoding="utf-8"), source, places))
    _write("gallery.md", gallery())
    for picture in sorted(WORKFLOWS.glob("*.jpg")):
        _copy(picture, f"pictures/{picture.name}")
    config = PAGES.parent / "mkdocs.yml"
    config.write_text(yaml.safe_dump(settings(places), sort_keys=False), encoding="utf-8")
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    command = ["uv", "tool", "run", "--from", GENERATOR, "--with", THEME, "mkdocs", "build"]
    command += ["--strict", "--quiet", "-f", str(config)]
    if subprocess.run(command, env=environment).returncode:
        sys.exit("The site was not built: MkDocs said why above.")
    sys.stdout.write(f"{SITE.relative_to(ROOT)}/index.html\n")


def pages() -> dict[Path, str]:
    """Every page's file and its place in the site."""
    found = {ROOT / "README.md": "index.md", ROOT / "CHANGELOG.md": "changelog.md"}
    found |= {path: path.name for path in sorted((ROOT / "docs").glob("*.md"))}
    found |= {path: f"nodes/{path.name}" for path in sorted((ROOT / "web" / "docs").glob("*.md"))}
    return found | {ROOT / "hrv_presets" / "pocket" / "README.md": "pocket_squares.md"}


def relinked(text: str, source: Path, places: dict[Path, str]) -> str:
    """The text with links that lead from its place in the site; what is not in the site is only named.

    Raises FileNotFoundError for a link to a file that is not in the repository.
    """
    here = PurePosixPath(places[source]).parent

    def place(match: re.Match[str]) -> str:
        target = (source.parent / unquote(match[2])).resolve()
        if not target.exists():
            raise FileNotFoundError(f"{source.relative_to(ROOT)} links to {match[2]}, which is not there")
        if target.suffix in FILES:
            at = f"pictures/{target.name}"
            _copy(target, at)
        elif target in places:
            at = places[target]
        else:
            return match[1]
        return f"[{match[1]}]({quote(_from(here, at))}{match[3] or ''})"

    return LINK.sub(place, text)


def gallery() -> str:
    """Every workflow with its picture and what its note begins with."""
    lines = ["# Gallery", "", "The workflow templates of the pack, as they are in ComfyUI's template browser.", ""]
    for path in sorted(WORKFLOWS.glob("*.json")):
        nodes = json.loads(path.read_text(encoding="utf-8"))["nodes"]
        notes = [node for node in nodes if node["type"] == "MarkdownNote"]
        title, _, text = notes[0]["widgets_values"][0].strip().partition("\n")
        first = text.strip().split("\n\n")[0]
        picture = f"![{path.stem}]({quote(f'pictures/{path.stem}.jpg')})"
        lines += [f"## {title.lstrip('# ')}", "", picture, "", first, "", f"`{path.stem}`", ""]
    return "\n".join(lines)


def settings(places: dict[Path, str]) -> dict[str, object]:
    """MkDocs' configuration."""
    own = [place for place in places.values() if "/" not in place and place not in ("index.md", "changelog.md")]
    nodes = [place for place in places.values() if place.startswith("nodes/")]
    return {
        "site_name": "comfyui-hrv",
        "docs_dir": str(PAGES),
        "site_dir": str(SITE),
        "use_directory_urls": False,
        "theme": {"name": "material", "features": ["navigation.sections", "content.code.copy"], "font": False},
        "plugins": ["search"],
        "markdown_extensions": ["tables", "admonition", "pymdownx.superfences"],
        "validation": {"links": {"anchors": "warn"}},
        "nav": [
            {"Start": "index.md"},
            {"Gallery": "gallery.md"},
            {"Guides": [{_title(PAGES / place): place} for place in own]},
            {"Nodes": [{_title(PAGES / place): place} for place in nodes]},
            {"Changes": "changelog.md"},
        ],
    }


def _title(page: Path) -> str:
    return next(line for line in page.read_text(encoding="utf-8").splitlines() if line.startswith("# "))[2:]


def _from(folder: PurePosixPath, place: str) -> str:
    return "../" * len(folder.parts) + place


def _write(place: str, text: str) -> None:
    path = PAGES / place
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def _copy(file: Path, place: str) -> None:
    path = PAGES / place
    path.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(file, path)


if __name__ == "__main__":
    main()
