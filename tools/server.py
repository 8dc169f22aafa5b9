"""Start a real, headless ComfyUI with this pack in it, away from any other installation's files."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import TracebackType

from hrv_engine.paths import ROOT
from hrv_engine.remote.client import WITHOUT_WAITING, Server, ServerLost

PACK_FOLDER = "comfyui-hrv"  # what `git clone` makes in custom_nodes
START_SECONDS = 300  # a loaded two-core machine needs up to 100


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class ServerFailed(Exception):
    """The server did not start or died; the message ends with its log's last lines."""


class ComfyServer:
    """`with ComfyServer() as server: server.client.run(prompt)`; COMFYUI_PATH names the source.

    base: its --base-directory (models, custom_nodes, input, output, user); a temporary one if not given.
    """

    def __init__(self, base: Path | None = None, arguments: tuple[str, ...] = ("--cpu",)) -> None:
        self.temporary = base is None
        self.base = base or Path(tempfile.mkdtemp(prefix="comfyui-hrv-"))
        self.arguments = arguments
        self.log_file = self.base / "server.log"
        self.client = Server(f"127.0.0.1:{free_port()}")
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def models(self) -> Path:
        return self.base / "models"

    def log(self) -> str:
        return self.log_file.read_text(errors="replace") if self.log_file.exists() else ""

    def __enter__(self) -> ComfyServer:
        for folder in ("custom_nodes", "models/checkpoints", "models/hrv", "input", "output", "user"):
            (self.base / folder).mkdir(parents=True, exist_ok=True)
        pack = self.base / "custom_nodes" / PACK_FOLDER
        if not pack.exists():
            pack.symlink_to(ROOT, target_is_directory=True)
        comfyui, port = os.environ["COMFYUI_PATH"], self.client.url.rpartition(":")[2]
        place = ["--base-directory", str(self.base), "--port", port, "--database-url", "sqlite:///:memory:"]
        command = [sys.executable, "main.py", *place, "--disable-api-nodes", *self.arguments]
        environment = {**os.environ, "PYTHONUNBUFFERED": "1", "HF_HUB_OFFLINE": "1", "DO_NOT_TRACK": "1"}
        with open(self.log_file, "wb") as log:
            self.process = subprocess.Popen(command, cwd=comfyui, env=environment, stdout=log, stderr=log)
        try:
            self._wait_until_ready()
        except BaseException:
            self.stop()
            raise
        return self

    def _wait_until_ready(self) -> None:
        assert self.process is not None
        asking_once = Server(self.client.url, WITHOUT_WAITING.new(total=0))
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise ServerFailed(f"ComfyUI ended with code {self.process.returncode}:\n{self.log()[-4000:]}")
            try:
                asking_once.get("/system_stats")
                return
            except ServerLost:
                time.sleep(0.2)
        raise ServerFailed(f"ComfyUI did not answer within {START_SECONDS} s:\n{self.log()[-4000:]}")

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(15)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        if self.temporary:
            shutil.rmtree(self.base, ignore_errors=True)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if error is not None:
            sys.stderr.write(f"\n--- end of the ComfyUI server's log ---\n{self.log()[-4000:]}\n")
        self.stop()
