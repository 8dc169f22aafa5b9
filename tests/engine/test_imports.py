"""Arrows run one way: no ComfyUI in the engine, few packages, and folders import only what lies to their left."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MODULES = sorted(path.relative_to(ROOT) for path in (ROOT / "hrv_engine").rglob("*.py"))
ALLOWED = {"torch", "numpy", "scipy", "einops", "safetensors", "yaml", "PIL", "requests", "tqdm"}
ALLOWED |= set(sys.stdlib_module_names)

GROUND = ("errors", "tables", "paths", "optional", "storage")
ORDER = (  # a folder may import from those of earlier lines, and from its own line only itself or what comes before it
    *GROUND,
    *("text", "attention", "benchmarks", "remote"),
    *("relevance", "editing", "guidance", "pocket"),
    *("weakening", "inspection", "scoring", "suggestion"),
    *("figures", "experiments", "scale"),
    "__main__",
)
# Modules named in strings that lie outside the engine: the worker of a cluster is where a process becomes a host.
BY_NAME = {("hrv_engine/scale/worker.py", "nodes.host.headless")}
DOTTED = re.compile(r"(?:comfyui_hrv\.|\{PACK\}\.)?((?:hrv_engine|nodes|tools|tests)(?:\.[a-z_]+)+)")


def imported(path: Path) -> Iterator[str]:
    """The modules of this repository that a file imports, relative imports resolved: `hrv_engine.text.alignment`."""
    package = path.parent.parts
    for node in ast.walk(ast.parse((ROOT / path).read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = package[: len(package) - node.level + 1]
            module = ".".join([*base, *([node.module] if node.module else [])])
            yield from (f"{module}.{alias.name}" for alias in node.names)


def named(path: Path) -> Iterator[str]:
    """The modules of this repository that stand in a file's strings, f-strings included, docstrings left out."""
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    documentation = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef))
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if isinstance(node, (ast.Constant, ast.JoinedStr)) and id(node) not in documentation:
            text = ast.unparse(node)
            if isinstance(node, ast.JoinedStr) or isinstance(node.value, str):
                yield from DOTTED.findall(text)


def folder(module: str) -> str:
    return module.split(".")[1] if module.count(".") else ""


@pytest.mark.parametrize("path", MODULES, ids=str)
def test_an_engine_module_imports_only_the_standard_library_the_few_allowed_packages_and_the_engine(path):
    for node in ast.walk(ast.parse((ROOT / path).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            assert {alias.name.partition(".")[0] for alias in node.names} <= ALLOWED
        if isinstance(node, ast.ImportFrom):
            own = 0 < node.level < len(path.parts)  # relative, and not up beyond hrv_engine
            assert own or (node.level == 0 and node.module.partition(".")[0] in ALLOWED), ast.unparse(node)


@pytest.mark.parametrize("path", MODULES, ids=str)
def test_a_folder_imports_nothing_that_lies_to_its_right(path):
    own = path.with_suffix("").parts[1]
    if own == "__init__":
        return
    for module in [*imported(path), *named(path)]:
        if (path.as_posix(), module) in BY_NAME:
            continue
        assert module.startswith("hrv_engine."), f"{path} names {module}, which lies outside the engine"
        place = folder(module)
        assert place in ORDER, f"{path} imports {module}: no folder of the engine"
        assert ORDER.index(place) <= ORDER.index(own), f"{path} imports {module}, which lies to its right"


def test_the_order_names_every_folder_once():
    there = {path.parts[1].removesuffix(".py") for path in MODULES} - {"__init__"}
    assert there == set(ORDER) and len(ORDER) == len(set(ORDER))


def test_the_worker_s_import_of_the_host_is_seen():
    assert all(module in set(named(Path(path))) for path, module in BY_NAME)


SAMPLES = ('import_module("comfyui_hrv.nodes.host.build")', 'import_module(f"{PACK}.tools.demo")')


@pytest.mark.parametrize("line", SAMPLES)
def test_a_module_named_in_a_string_is_found(tmp_path, monkeypatch, line):
    (tmp_path / "sample.py").write_text(line, encoding="utf-8")
    monkeypatch.setattr(sys.modules[__name__], "ROOT", tmp_path)
    assert len(set(named(Path("sample.py")))) == 1
