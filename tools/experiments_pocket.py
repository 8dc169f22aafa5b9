"""`make experiments-pocket`: every experiment of the paper on the pocket model, through one real ComfyUI server.

Each uses the graph that ships for SD1.x or SDXL, with the pocket model in place of the checkpoint. One is killed in the
middle, resumed, and compared byte for byte with an unbroken run. Writes output/experiments/.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from hrv_engine.experiments.plan import names
from hrv_engine.paths import ROOT

from .server import ComfyServer

OUTPUT = ROOT / "output" / "experiments"
BROKEN = "pocket_misreading_sdxl"
KILLED_AFTER = 4  # finished jobs


def main() -> int:
    """Run all; 1 if one of them failed or the resumed tables differ."""
    started, failed = time.monotonic(), []
    chosen = sys.argv[1:] or [name for name in names() if name.startswith("pocket")]
    with ComfyServer() as server:
        address = server.client.url
        for name in chosen:
            if name == BROKEN:
                _kill_in_the_middle(address, name)
            if subprocess.run(_command(address, name, OUTPUT), cwd=ROOT).returncode:
                failed.append(name)
        if BROKEN in chosen and BROKEN not in failed and not _same_as_unbroken(address, BROKEN):
            failed.append(f"{BROKEN} resumed")
    minutes = (time.monotonic() - started) / 60
    print(f"{len(chosen)} experiments in {minutes:.0f} minutes, tables in {OUTPUT.relative_to(ROOT)}")
    if failed:
        print(f"failed: {', '.join(failed)}")
    return 1 if failed else 0


def _command(address: str, name: str, folder: Path) -> list[str]:
    return [sys.executable, "-m", "hrv_engine", "experiment", name, "--server", address, "--to", str(folder)]


def _kill_in_the_middle(address: str, name: str) -> None:
    """Start an experiment from nothing and kill its runner after a few finished jobs."""
    shutil.rmtree(OUTPUT / name, ignore_errors=True)
    process = subprocess.Popen(_command(address, name, OUTPUT), cwd=ROOT)
    while process.poll() is None and len(list((OUTPUT / name).glob("jobs/*/done.json"))) < KILLED_AFTER:
        time.sleep(0.05)
    process.kill()
    process.wait()
    print(f"\n{name} killed after {KILLED_AFTER} finished jobs; going on")


def _same_as_unbroken(address: str, name: str) -> bool:
    """Whether an unbroken run in another folder writes the same bytes."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(_command(address, name, Path(folder)), cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
        tables = sorted(path for path in (Path(folder) / name).iterdir() if path.is_file())
        same = all((OUTPUT / name / path.name).read_bytes() == path.read_bytes() for path in tables)
    print(f"{name}: killed and resumed, {len(tables)} files {'byte for byte the same' if same else 'DIFFER'}")
    return same


if __name__ == "__main__":
    sys.exit(main())
