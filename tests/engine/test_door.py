"""What a registry, a host of repositories and a new contributor look at first."""

import re
from pathlib import Path
from urllib.parse import unquote

import pytest
import yaml

ROOT = Path(__file__).parents[2]
YAML = sorted((ROOT / ".github").rglob("*.yml"))
PAGES = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md")]
PAGES += sorted((ROOT / "docs").glob("README.*.md"))


@pytest.fixture
def project(capfd):
    """pyproject.toml as the registry's own tool reads it, without a warning."""
    parser = pytest.importorskip("comfy_cli.registry.config_parser")
    read = parser.extract_node_configuration(str(ROOT / "pyproject.toml"))
    assert "Warning" not in capfd.readouterr().out
    return read


def test_the_registry_reads_every_field_that_it_asks_for(project):
    about, comfy = project.project, project.tool_comfy
    assert re.fullmatch(r"\d+\.\d+\.\d+", about.version) and about.license.text == "GPL-3.0-only"
    assert about.supported_comfyui_version == ">=0.30.0"
    assert about.supported_os == ["OS Independent"] and len(about.supported_accelerators) == 4
    assert about.urls.repository.startswith("https://") and about.urls.issues.startswith(about.urls.repository)
    assert comfy.publisher_id and comfy.display_name == "Head Relevance Vectors"


def test_the_icon_is_a_file_of_the_repository(project):
    place = project.tool_comfy.icon.partition("/main/")[2]
    assert place and (ROOT / place).read_text(encoding="utf-8").startswith("<svg")


def test_no_code_is_run_from_text():
    """The registry's validation warns of it, and announces to refuse it."""
    name = re.compile(r"^[^#\n\"']*(?<![\w.])(exec|eval)\(", re.MULTILINE)
    assert [path for path in ROOT.rglob("*.py") if name.search(path.read_text(encoding="utf-8"))] == []


@pytest.mark.parametrize("path", YAML, ids=lambda path: path.stem)
def test_files_of_the_host_are_yaml(path: Path):
    assert yaml.safe_load(path.read_text(encoding="utf-8"))


def test_a_bug_report_asks_for_the_receipt_and_the_hosted_run_is_make_test():
    bug = yaml.safe_load((ROOT / ".github/ISSUE_TEMPLATE/bug.yml").read_text(encoding="utf-8"))
    required = {part["id"] for part in bug["body"] if part.get("validations", {}).get("required")}
    assert {"receipt", "graph"} <= required
    steps = yaml.safe_load((ROOT / ".github/workflows/test.yml").read_text(encoding="utf-8"))["jobs"]["test"]["steps"]
    assert [step["run"] for step in steps if "run" in step] == ["make test"]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_of_the_front_pages_lead_to_files(page: Path):
    targets = re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text(encoding="utf-8"))
    assert [target for target in targets if not (page.parent / unquote(target)).exists()] == []


def test_commands_that_pages_and_the_makefile_name_exist():
    folders = (ROOT / name for name in ("docs", "web/docs", "hrv_presets"))
    pages = [ROOT / "Makefile", *ROOT.glob("*.md"), *(page for folder in folders for page in folder.rglob("*.md"))]
    texts = [page.read_text(encoding="utf-8") for page in pages]
    named = {name for text in texts for name in re.findall(r"python3? -m ((?:tools|hrv_engine)[\w.]*\w)", text)}
    files = {name: ROOT.joinpath(*name.split(".")) for name in named}
    assert [name for name, path in files.items() if not (path.with_suffix(".py").exists() or path.is_dir())] == []
    targets = set(re.findall(r"^([a-z-]+):", texts[0], re.MULTILINE))
    asked = {name for text in texts for name in re.findall(r"`make ([a-z-]+)[` ]", text)}
    assert len(named) > 20 and asked and asked <= targets
