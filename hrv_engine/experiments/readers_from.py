"""The scorers that the command line gives weights for."""

import argparse
from pathlib import Path

from ..clip_scorer import ARCHITECTURE, CLIPScorer
from ..scorers import ImageScorer
from .plan import Experiment
from .readers import Readers, check_names


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that name weights; nothing is downloaded unless a name to download is given."""
    group = parser.add_argument_group("scoring", "without weights the columns they fill stay empty")
    group.add_argument("--clip", metavar="FILE", help="OpenCLIP weights, or the name of weights to download")
    group.add_argument("--clip-architecture", default=ARCHITECTURE, help=f"their architecture; default {ARCHITECTURE}")
    group.add_argument("--device", default="cpu", help="where scorers run, e.g. cuda")


def readers_from(options: argparse.Namespace, experiment: Experiment) -> Readers:
    """The scorers an experiment asks for, as far as their weights are given; raises HRVError for bad weights."""
    check_names(experiment.score, experiment.name)
    scorers: dict[str, ImageScorer] = {}
    identity = []
    if "pocket" in experiment.score:
        return Readers({"pocket": Readers().pocket})
    if options.clip:
        weights: Path | str = Path(options.clip) if Path(options.clip).suffix else options.clip
        scorers["clip"] = CLIPScorer(weights, options.clip_architecture, options.device)
        identity.append(f"{options.clip} {options.clip_architecture}")
    return Readers(scorers, identity=", ".join(identity))
