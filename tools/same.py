"""Do two checkouts of this repository give the same, byte for byte?

    python3 tools/bootstrap.py -- python tools/same.py OLD NEW [--only votes graphs demo] [--cache DIR]

votes: the file that HRV Build makes of the prompts `pocket_quick` on the pocket model. graphs: every latent, image and
mask of the graphs that load no checkpoint, and the vectors they save. demo: the misreading rates of tools.demo. Texts
that differ are shown and fail nothing. Results are cached by a checkout's place and contents.
"""

from __future__ import annotations

import argparse
import atexit
import hashlib
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from functools import cache
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np
import requests
from comfy_cli.workflow_to_api import convert_ui_to_api
from PIL import Image
from safetensors.numpy import load_file

PARTS = ("votes", "graphs", "demo")
SHOWN = {"LATENT": ("SaveLatent", "samples"), "IMAGE": ("SaveImage", "images")}  # type -> what shows it, its input
SHOWN |= {"MASK": ("MaskPreview", "mask"), "STRING": ("PreviewAny", "source")}
SHOWING = {"PreviewImage", *(kind for kind, _ in SHOWN.values())}
QUIET = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "HF_HUB_OFFLINE": "1"}  # no files in a checkout
Nodes = dict[str, Any]  # by id or by class
Given = dict[str, Any]  # arrays by name, those of kind "U" texts


class Server:
    """A headless ComfyUI on the CPU with a checkout as custom node; a prompt runs all its nodes."""

    def __init__(self, checkout: Path) -> None:
        self.folder = tempfile.TemporaryDirectory(prefix="hrv-same-", ignore_cleanup_errors=True)
        self.base, self.log = Path(self.folder.name), Path(self.folder.name) / "log"
        (self.base / "custom_nodes").mkdir()
        (self.base / "custom_nodes" / "comfyui-hrv").symlink_to(checkout)
        with socket.create_server(("127.0.0.1", 0)) as probe:
            port = str(probe.getsockname()[1])
        self.url = f"http://127.0.0.1:{port}/"
        place = ["--base-directory", str(self.base), "--port", port, "--database-url", "sqlite:///:memory:"]
        command = [sys.executable, "main.py", *place, "--cpu", "--cache-none", "--disable-api-nodes"]
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(command, cwd=QUIET["COMFYUI_PATH"], env=QUIET, stdout=log, stderr=log)
        atexit.register(self.stop)

    def ask(self, path: str, **data: Any) -> Any:
        """The answer to GET, or POST with data, once the server listens."""
        while self.process.poll() is None:
            try:
                return requests.request("POST" if data else "GET", self.url + path, json=data).json()
            except requests.ConnectionError:
                time.sleep(0.5)
        raise RuntimeError(f"ComfyUI ended:\n{self.log.read_text()[-3000:]}")

    def run(self, prompt: Nodes) -> Nodes:
        answer = self.ask("prompt", prompt=prompt)
        if "prompt_id" not in answer:
            raise RuntimeError(answer)
        while not (entry := self.ask(f"history/{answer['prompt_id']}")):
            time.sleep(0.2)
        (done,) = entry.values()
        if answer["node_errors"] or done["status"]["status_str"] != "success":
            raise RuntimeError(answer["node_errors"] or done["status"]["messages"][-1])
        return done["outputs"]

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait()
        self.folder.cleanup()


server_of = cache(Server)


def showing_all(prompt: Nodes, schemas: Nodes) -> tuple[Nodes, dict[str, str]]:
    """The prompt with every output of a type in SHOWN shown once, and names for what shows them."""
    whole, names, seen = {}, {}, Counter[str]()
    for number, node in prompt.items():
        if (kind := node["class_type"]) in SHOWING:
            continue
        whole[number] = node
        seen[kind] += 1
        for place, output in enumerate(map(str, schemas[kind]["output"])):
            if output in SHOWN:
                by, (showing, field) = f"{number} {place}", SHOWN[output]
                whole[by] = {"class_type": showing, "inputs": {field: [number, place], "filename_prefix": "same"}}
                names[by] = f"{kind} {seen[kind]} [{place}] {output}"  # "KSampler 2 [0] LATENT"
    return whole, names


def saved(base: Path) -> Given:
    """The bytes and the tensors of files of vectors; takes the files away."""
    given: Given = {}
    for path in sorted(base.glob("models/hrv/**/*.safetensors")):
        given |= {f"{path.stem} {key}": tensor for key, tensor in load_file(path).items()}
        given[f"{path.stem} bytes"] = np.fromfile(path, np.uint8)
        path.unlink()
    return given


def drawn(checkout: Path, job: str) -> Given:
    """Run a graph: all it draws, says and saves."""
    graph = checkout / "workflows" / f"{'22 Build head vectors by votes' if job == 'votes' else Path(job).name}.json"
    server = server_of(checkout)
    schemas = server.ask("object_info")
    if "HRVBuild" not in schemas:
        raise RuntimeError(f"no nodes\n{server.log.read_text()[-3000:]}")
    prompt, names = showing_all(convert_ui_to_api(json.loads(graph.read_text()), schemas), schemas)
    for node in prompt.values():
        if job == "votes" and node["class_type"] == "HRVPromptSet":
            node["inputs"]["preset"] = "pocket_quick"
    saved(server.base)  # what a graph that failed has left
    outputs, given = server.run(prompt), saved(server.base)
    for number, name in names.items():
        shown = outputs[number]
        if "text" in shown:
            given[name] = np.array("\n".join(shown["text"]))
        for count, file in enumerate(shown.get("images", []) + shown.get("latents", []), 1):
            path = server.base / file["type"] / file["subfolder"] / file["filename"]
            array = load_file(path)["latent_tensor"] if "latents" in shown else np.array(Image.open(path))
            given[f"{name} #{count}"] = array
    return given


def demo(checkout: Path) -> Given:
    if subprocess.run([sys.executable, "-m", "tools.demo"], cwd=checkout, env=QUIET, stdout=sys.stderr).returncode:
        raise RuntimeError("it failed")
    report = json.loads((checkout / "output" / "demo" / "report.json").read_text())
    return {f"misread, {name}": np.array(rate) for name, rate in report["misread_rate"].items()}


def digest(checkout: Path) -> str:
    """Names a checkout's place and what its files hold, committed or not, without tests and prose."""
    command = ["git", "ls-files", "-coz", "--exclude-standard", "--", ".", ":!tests", ":!*.md"]
    listed = subprocess.check_output(command, cwd=checkout, text=True).split("\0")
    contents = [(name, (checkout / name).read_bytes()) for name in sorted(set(listed)) if (checkout / name).is_file()]
    return f"{checkout.name}-{hashlib.sha256(repr((checkout, contents)).encode()).hexdigest()[:12]}"


def jobs(checkout: Path, parts: list[str]) -> list[str]:
    """What is run and cached in one: "votes", "graphs/01_...", "demo"."""
    every = sorted((checkout / "workflows").glob("*.json"))
    graphs = [f"graphs/{path.stem}" for path in every if '"HRVPocketModel"' in path.read_text()]
    return [job for job in ("votes", *graphs, "demo") if job.split("/")[0] in parts]


def result(checkout: Path, folder: Path, job: str) -> Given:
    """What a job gives, or its file in the folder if there; nothing if it fails, which is told."""
    path, started = folder / f"{job}.npz", time.monotonic()
    if not path.exists():
        try:
            given = demo(checkout) if job == "demo" else drawn(checkout, job)
        except (RuntimeError, LookupError, OSError) as error:
            sys.stderr.write(f"{checkout} {job}: {type(error).__name__} {error!s:.4000}\n")
            return {}
        if digest(checkout) != folder.name:
            sys.exit(f"{checkout} was changed while it ran")
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez(part := path.with_suffix(".part.npz"), **given)
        part.replace(path)
        sys.stderr.write(f"{checkout} {job}: {time.monotonic() - started:.0f} s\n")
    return dict(np.load(path))


def compared(old: Any, new: Any) -> str:
    if old is None or new is None:
        return f"missing in {'OLD' if old is None else 'NEW'}"
    if old.dtype.kind == "U":
        lines = zip_longest(str(old).splitlines(), str(new).splitlines())
        return next((f"text {one!r:.200} is now {other!r:.200}" for one, other in lines if one != other), "same")
    if old.shape != new.shape:
        return f"DIFFERS {old.shape} is now {new.shape}"
    if old.dtype == new.dtype and old.tobytes() == new.tobytes():
        return "same"
    return f"DIFFERS max |difference| {np.abs(old.astype(float) - new.astype(float)).max():.3g}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkouts", type=Path, nargs=2)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()) / "hrv-same")
    asked = parser.parse_args()
    results = []
    for checkout in map(Path.resolve, asked.checkouts):
        folder = asked.cache / digest(checkout)
        results.append({job: result(checkout, folder, job) for job in jobs(checkout, asked.only)})
    counts = Counter[str]()
    for job in results[0] | results[1]:
        old, new = (given.get(job, {}) for given in results)
        for name in old | new or ["all of it"]:
            line = compared(old.get(name), new.get(name))
            counts[line.split()[0]] += 1
            sys.stdout.write(f"{job} {name}: {line}\n")
    sys.stdout.write(", ".join(f"{count} {what}" for what, count in counts.items()) + "\n")
    sys.exit(1 if counts["DIFFERS"] or counts["missing"] else 0)


if __name__ == "__main__":
    main()
