"""Find the Chromium that runs ComfyUI's frontend in tests; on Debian, as root, install it."""

from __future__ import annotations

import os
import shutil
import subprocess


def find_chromium() -> str | None:
    """Path of a Chromium, or None; COMFYUI_HRV_CHROMIUM names one of one's own."""
    named = [os.environ.get("COMFYUI_HRV_CHROMIUM"), "chromium", "chromium-browser", "google-chrome"]
    found = next((path for name in named if name and (path := shutil.which(name))), None)
    if found or os.geteuid() != 0 or not shutil.which("apt-get"):
        return found
    subprocess.run(["apt-get", "update", "-q"], capture_output=True)
    subprocess.run(["apt-get", "install", "-y", "-q", "chromium"], capture_output=True)
    return shutil.which("chromium")
