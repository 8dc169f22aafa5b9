"""`python -m hrv_engine`: what can be done without a ComfyUI window. Run it in the folder of the pack."""

import argparse
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from .errors import HRVError
from .experiments import command as experiment
from .inspection.report import report
from .paths import models_folder
from .relevance import fetch
from .scale import command as scale


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit code is 0 if it did what was asked. Errors are told in a few words."""
    parser = argparse.ArgumentParser(prog="python -m hrv_engine", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    _add_fetch(commands)
    experiment.add(commands)
    scale.add(commands)
    options = parser.parse_args(arguments)
    try:
        return int(options.run(options))
    except HRVError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("Stopped. What is finished is kept; the same command goes on.\n")
        return 130


def _add_fetch(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    entries = fetch.registry()
    listed = "; ".join(f"{entry.name}: {entry.about} ({entry.licence})" for entry in entries.values())
    parser = commands.add_parser("fetch", help="download vectors that the paper's authors published", epilog=listed)
    parser.add_argument("name", help=f"which: {', '.join(entries)}")
    parser.add_argument("--to", type=Path, help="folder to save to; default: models/hrv of the ComfyUI the pack is in")
    parser.add_argument("--as", dest="save_as", help="file name without ending; default: what the workflows ask for")
    parser.add_argument("--mirror", default="", help="another http(s) address of the authors' folder final_result")
    parser.set_defaults(run=_fetch)


def _fetch(options: argparse.Namespace) -> int:
    entry = fetch.published(options.name)
    path = (options.to or models_folder()) / f"{options.save_as or entry.save_as}.safetensors"
    relevance = fetch.fetch(entry, path, options.mirror)
    sys.stdout.write(f"{path}\n{report(relevance)}\n")
    return 0


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # SIGTERM ends like Ctrl-C: what runs is cancelled
    sys.exit(main())
