"""The scorers that the command line gives weights for."""

import argparse
from pathlib import Path

from ..scoring.background import BackgroundSimilarity
from ..scoring.caption_scorer import CaptionScorer
from ..scoring.captions import Captioner
from ..scoring.clip_scorer import ARCHITECTURE, CLIPScorer, imagenet_templates
from ..scoring.grounded_segments import GroundedSegmenter
from ..scoring.hub import Download, download_from
from ..scoring.min_object import MinObjectScorer
from ..scoring.pretrained import BLIP2, CLIPSEG, DETECTOR, DINOV2, SAM2, Kind
from ..scoring.scorers import ImageScorer
from ..scoring.segments import Segmenter, WordSegmenter
from .plan import Experiment
from .readers import Readers, check_names

PLACE = "FILE"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that name weights; nothing is downloaded unless a name to download is given."""
    group = parser.add_argument_group(
        "scoring",
        "weights are files or folders, or a download: a model this pack knows, NAME@COMMIT, or NAME@newest for whatever"
        " it holds then; without them columns stay empty",
    )
    group.add_argument("--clip", metavar=PLACE, help="OpenCLIP: similarity of images and texts")
    group.add_argument("--clip-architecture", default=ARCHITECTURE, help=f"its architecture; default {ARCHITECTURE}")
    group.add_argument("--captions", metavar=PLACE, help="BLIP-2: captions, compared with the prompt by --clip")
    group.add_argument("--dino", metavar=PLACE, help="DINOv2: what of the background an edit keeps")
    group.add_argument("--segmenter", metavar=PLACE, help="CLIPSeg: where the edited object is, for --dino")
    group.add_argument("--sam", metavar=PLACE, help="SAM 2: then --segmenter is a Grounding DINO, as in the paper")
    group.add_argument("--device", default="cpu", help="where scorers run, e.g. cuda")


def readers_from(options: argparse.Namespace, experiment: Experiment) -> Readers:
    """The scorers an experiment asks for, as far as their weights are given; raises HRVError for bad weights.

    Prompts of several objects are put into ImageNet's sentences first, as Attend-and-Excite's metrics do.
    """
    check_names(experiment.score, experiment.name)
    if "pocket" in experiment.score:
        return Readers({"pocket": Readers().pocket})
    scorers: dict[str, ImageScorer] = {}
    if options.clip:
        sentences = imagenet_templates() if experiment.measure == "several" else ("{}",)
        clip = CLIPScorer(
            _path(options.clip) or options.clip, options.clip_architecture, options.device, templates=sentences
        )
        scorers |= {"clip": clip, "minimum": MinObjectScorer(clip)}
        if options.captions:
            scorers["caption"] = CaptionScorer(Captioner(_place(options.captions, BLIP2), options.device), clip)
    background = BackgroundSimilarity(_place(options.dino, DINOV2), options.device) if options.dino else None
    given = (options.clip, options.clip_architecture, options.captions, options.dino, options.segmenter, options.sam)
    return Readers(scorers, background, _segmenter(options), " ".join(map(str, given)))


def _segmenter(options: argparse.Namespace) -> Segmenter | None:
    if not options.segmenter:
        return None
    if options.sam:
        return GroundedSegmenter(_place(options.segmenter, DETECTOR), _place(options.sam, SAM2), options.device)
    return WordSegmenter(_place(options.segmenter, CLIPSEG), options.device)


def _place(text: str, kind: Kind) -> Path | Download:
    """A path if it is there or looks like one, else a download; raises HRVError for one without a commit."""
    return path if (path := _path(text)) else download_from(text, kind.download)


def _path(text: str) -> Path | None:
    path = Path(text)
    return path if path.exists() or path.suffix in (".safetensors", ".bin", ".pt") or text[:1] in "./~" else None
