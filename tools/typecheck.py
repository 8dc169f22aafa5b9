"""Run mypy over the pack as package `comfyui_hrv`, whatever the clone's folder is called (arguments are passed on)."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from .pack import ROOT

PACKAGES = ("hrv_engine", "nodes", "tools")


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "comfyui_hrv").symlink_to(ROOT)
        wanted = [argument for name in PACKAGES for argument in ("-p", f"comfyui_hrv.{name}")]
        settings = ["--config-file", str(ROOT / "pyproject.toml"), "--cache-dir", str(ROOT / ".mypy_cache")]
        return subprocess.run(["mypy", *settings, *wanted, *sys.argv[1:]], cwd=folder).returncode


if __name__ == "__main__":
    sys.exit(main())
