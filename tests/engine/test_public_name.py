"""Other packs import this one by a name of its own, and get the very modules that ComfyUI loaded by path."""

from __future__ import annotations

import subprocess
import sys

CODE = """
import importlib, importlib.util, sys
root, name = sys.argv[1], "/anywhere/custom_nodes/comfyui-hrv"
spec = importlib.util.spec_from_file_location(name, root + "/__init__.py", submodule_search_locations=[root])
sys.modules[name] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(sys.modules[name])
importlib.import_module(name + ".public_name").give_public_name(name)
from comfyui_hrv.hrv_engine.attention.heads import HeadLayout
import comfyui_hrv.hrv_engine.errors as errors
assert HeadLayout is sys.modules[name + ".hrv_engine.attention.heads"].HeadLayout
assert errors is sys.modules[name + ".hrv_engine.errors"] and errors.__spec__.name == name + ".hrv_engine.errors"
assert importlib.util.find_spec("comfyui_hrv.nothing") is None
"""


def test_the_public_name_gives_the_modules_that_run(repository):
    done = subprocess.run([sys.executable, "-c", CODE, str(repository)], capture_output=True, text=True, cwd="/")
    assert done.returncode == 0, done.stderr
