"""What runs in a process of the cluster: the pack around this file is loaded there, and builds one part."""

import importlib
import importlib.util
import sys
from collections.abc import Mapping
from typing import Any

from ..errors import HRVError
from ..paths import ROOT

PACK = "comfyui_hrv"


def build_part(job: Mapping[str, Any], start: int, count: int) -> bytes:
    """The vote file of one part; see nodes/host/headless.py. Its HRVError comes back as the driver's own."""
    if PACK not in sys.modules:  # a package under a fixed name, whatever its folder is called
        door = ROOT / "__init__.py"
        spec = importlib.util.spec_from_file_location(PACK, door, submodule_search_locations=[str(ROOT)])
        assert spec is not None and spec.loader is not None
        sys.modules[PACK] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[PACK])
    headless = importlib.import_module(f"{PACK}.nodes.host.headless")
    try:
        return headless.build_part(job, start, count)
    except headless.HRVError as error:
        raise HRVError(str(error)) from None
