"""`python -m hrv_engine build`: one build shared by ComfyUI servers, or by the processes of a Ray cluster."""

import argparse
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tqdm import tqdm

from ..benchmarks.prompts import PLAIN, READINGS, PromptSet
from ..errors import HRVError, nearest
from ..inspection.report import report
from ..paths import PRESETS, comfyui_folder, models_folder
from ..relevance.build_settings import PAPER, EffectSettings
from ..relevance.concepts import ConceptSet
from ..relevance.parts import Numbered
from ..relevance.samples import SampleSet, Templates
from ..storage import plain_yaml
from . import cluster
from .servers import Asked, build
from .tally import Tally, split

PARTS_A_WORKER = 4  # so that none waits long for the slowest at the end
SETTINGS = asdict(PAPER)  # inputs of HRV Build and their defaults
EFFECT_SETTINGS = asdict(EffectSettings())  # those of HRV Build by Effect


def add(commands: Any) -> None:
    """Add the command to the parser's sub-commands."""
    parser = commands.add_parser("build", help="build vectors in parts, over several servers or a Ray cluster")
    parser.add_argument("--save-as", required=True, help="file name without ending; a file of that name goes on")
    parser.add_argument("--to", type=Path, help="folder to save to; default: models/hrv of the ComfyUI the pack is in")
    parser.add_argument("--parts", type=int, default=0, help="into how many parts; default: 4 for each worker")
    parser.add_argument(
        "--set",
        action="extend",
        nargs="+",
        default=[],
        metavar="INPUT=VALUE",
        help="inputs of the building node; with --server those of other nodes too: NODE.INPUT=VALUE",
    )
    servers = parser.add_argument_group("over running ComfyUI servers")
    servers.add_argument("--server", action="append", metavar="URL", help="address of one; several share the work")
    servers.add_argument(
        "--workflow", help="a graph with HRV Build: a file, or a name such as 24 SD1.5 - build head vectors by votes"
    )
    ray = parser.add_argument_group("over a Ray cluster (pip install ray)")
    ray.add_argument("--ray", metavar="ADDRESS", help="host:port, auto, or local to start Ray on this machine")
    ray.add_argument("--workers", type=int, default=2, help="parts built at a time")
    ray.add_argument("--threads", type=int, default=1, help="processor threads of a worker")
    ray.add_argument("--gpus", type=float, default=None, help="GPUs of a worker; default: 1, with --cpu 0")
    ray.add_argument("--cpu", action="store_true", help="build on processors")
    ray.add_argument("--checkpoint", help="a checkpoint file, there on every machine; or pocket")
    ray.add_argument("--concepts", default="paper34", help="a preset, or a YAML file of concepts")
    ray.add_argument("--prompts", default="quick", help="a preset, or a file of prompts: YAML, or .txt, one a line")
    ray.add_argument("--reading", default=PLAIN, choices=READINGS, help="of parentheses: characters, or weights")
    ray.add_argument("--limit", type=int, default=0, help="use only the first prompts")
    ray.add_argument("--by-effect", action="store_true", help="build by effect, from --templates, not by votes")
    ray.add_argument("--templates", default="paper34", help="a preset, or a file of templates, one a line")
    ray.add_argument("--samples-per-word", type=int, default=2, help="how often each word is measured by effect")
    ray.add_argument("--zero-negative", action="store_true", help="zeros for the negative prompt: SDXL in the paper")
    parser.set_defaults(run=_build)


def _build(options: argparse.Namespace) -> int:
    if bool(options.ray) == bool(options.server):
        raise HRVError("Say where to build: --server URL, once or more, or --ray ADDRESS (or --ray local).")
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # SIGTERM stops it like Ctrl-C
    return _over_ray(options) if options.ray else _over_servers(options)


def _over_servers(options: argparse.Namespace) -> int:
    if not options.workflow:
        raise HRVError(
            "Say what to build: --workflow with a graph that has HRV Build, such as '24 SD1.5 - build head vectors by"
            " votes'."
        )
    asked = Asked.read(options.workflow, options.server, _values(options.set))

    def work(tally: Tally, parts: Sequence[range]) -> None:
        build(asked, parts, tally, options.save_as)

    return into_file(options, asked.prompts, asked.seed, asked.batch_size, len(asked.servers), work)


def _over_ray(options: argparse.Namespace) -> int:
    if not options.checkpoint:
        raise HRVError("Say what to build on: --checkpoint with a checkpoint file, or --checkpoint pocket.")
    if options.workers < 1 or options.threads < 1:
        raise HRVError(f"--workers {options.workers} --threads {options.threads}: give one of each or more.")
    settings = _settings(options.set, EFFECT_SETTINGS if options.by_effect else SETTINGS)
    concepts = ConceptSet.load(_preset("concepts", options.concepts))
    whole, asked = _by_effect(options, concepts) if options.by_effect else _by_votes(options)
    pocket = options.checkpoint == "pocket"
    job = {
        "comfyui": str(comfyui_folder()),
        "arguments": ["--cpu"] if options.cpu else [],
        "checkpoint": options.checkpoint if pocket else str(Path(options.checkpoint).absolute()),
        "concepts": concepts.to_json(),
        **asked,
        "settings": settings,
        "zero_negative": options.zero_negative,
    }
    gpus = (0.0 if options.cpu else 1.0) if options.gpus is None else options.gpus

    def work(tally: Tally, parts: Sequence[range]) -> None:
        cluster.run(job, parts, tally, options.ray, options.workers, options.threads, gpus)

    return into_file(options, whole, settings["seed"], settings["batch_size"], options.workers, work)


def _by_votes(options: argparse.Namespace) -> tuple[Numbered, dict[str, Any]]:
    """The prompts of a build by votes, and what a worker is told of them."""
    prompts = PromptSet.load(_preset("prompts", options.prompts)).read_as(options.reading).first(options.limit)
    return prompts, {"prompts": {"name": prompts.name, "prompts": list(prompts.prompts), "reading": prompts.reading}}


def _by_effect(options: argparse.Namespace, concepts: ConceptSet) -> tuple[Numbered, dict[str, Any]]:
    """The samples of a build by effect, and what a worker is told of them."""
    path = _preset("templates", options.templates)
    samples = SampleSet(concepts, Templates.load(path), options.samples_per_word)
    told = {"name": path.stem, "text": path.read_text(encoding="utf-8-sig"), "rounds": options.samples_per_word}
    return samples, {"samples": told}


def into_file(
    options: argparse.Namespace,
    prompts: Numbered,
    seed: int,
    batch: int,
    workers: int,
    work: Callable[[Tally, Sequence[range]], Any],
) -> int:
    """Let `work` build the parts that the file lacks, with a progress bar; 0 when all images are counted."""
    path = (options.to or models_folder()) / f"{options.save_as}.safetensors"
    total = len(prompts.prompts)
    with tqdm(total=total, unit="image", desc=options.save_as) as bar:
        tally = Tally(path, prompts, seed, bar.update)
        bar.update(len(tally.counted))
        parts = split(total, options.parts or workers * PARTS_A_WORKER, batch, tally.counted)
        try:
            work(tally, parts)
        except KeyboardInterrupt:
            bar.close()
            kept = total - tally.missing
            sys.stderr.write(f"Stopped. {kept} of {total} images are kept in {path}; the same command goes on.\n")
            return 130
    if tally.votes is not None:
        sys.stdout.write(f"{path}\n{report(tally.votes.relevance())}\n")
    return 1 if tally.missing else 0


def _values(given: Sequence[str]) -> dict[str, Any]:
    """{"NODE.INPUT": value} of NODE.INPUT=VALUE; INPUT=VALUE is for the building node."""
    pairs = [(text, *text.partition("=")) for text in given]
    return {name: _value(text, value) for text, name, _, value in pairs}


def _value(text: str, value: str) -> Any:
    try:
        return plain_yaml.parse(value)
    except ValueError as error:
        raise HRVError(f'The value of "{text}" cannot be read: {error}.') from error


def _settings(given: Sequence[str], usual: Mapping[str, Any]) -> dict[str, Any]:
    """The usual settings with INPUT=VALUE applied; raises HRVError for an unknown input or another kind of value."""
    settings = dict(usual)
    for text in given:
        name, _, value = text.partition("=")
        name = name.removeprefix("HRVBuildByEffect.").removeprefix("HRVBuild.")
        if name not in settings:
            raise HRVError(
                f'"{text}" sets no input of the build. Nearest: {nearest(name, settings)}. Legal:'
                f" {', '.join(settings)}."
            )
        parsed, kind = _value(text, value), type(settings[name])
        if kind is float and type(parsed) is int:
            parsed = float(parsed)
        if type(parsed) is not kind:
            raise HRVError(f'"{text}" is no {kind.__name__}. The default is {name}={settings[name]}.')
        settings[name] = parsed
    return settings


def _preset(kind: str, name: str) -> Path:
    """The file of a preset, or one's own."""
    presets = {path.stem: path for path in sorted((PRESETS / kind).glob("*.*")) if path.suffix in (".yaml", ".txt")}
    listed = list(presets)
    if name in listed:
        return presets[name]
    if Path(name).is_file():
        return Path(name)
    raise HRVError(f'"{name}" is neither a file nor one of the {kind} presets: {", ".join(listed)}.')
