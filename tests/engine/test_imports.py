"""Arrows run one way: the engine never imports ComfyUI, nor anything beyond what every ComfyUI brings."""

import ast
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MODULES = sorted(path.relative_to(ROOT) for path in (ROOT / "hrv_engine").rglob("*.py"))
ALLOWED = {"torch", "numpy", "scipy", "einops", "safetensors", "yaml", "PIL", "requests", "tqdm"}
ALLOWED |= set(sys.stdlib_module_names)


@pytest.mark.parametrize("path", MODULES, ids=str)
def test_an_engine_module_imports_only_the_standard_library_the_few_allowed_packages_and_the_engine(path):
    for node in ast.walk(ast.parse((ROOT / path).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            assert {alias.name.partition(".")[0] for alias in node.names} <= ALLOWED
        if isinstance(node, ast.ImportFrom):
            own = 0 < node.level < len(path.parts)  # relative, and not up beyond hrv_engine
            assert own or (node.level == 0 and node.module.partition(".")[0] in ALLOWED), ast.unparse(node)
