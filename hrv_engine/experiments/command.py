"""`python -m hrv_engine experiment NAME --server URL`: an experiment of the paper, from its graph to its table."""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from tqdm import tqdm

from ..benchmarks.weakening import parse_seeds
from ..errors import HRVError
from ..remote.client import Server
from ..remote.graphs import Template, missing_files
from ..remote.runner import Work, run
from ..storage import plain_yaml
from ..tables import as_csv
from . import plan, results
from .cases import cases
from .measures import MEASURES
from .plan import Experiment, Job
from .readers_from import add_options, readers_from
from .store import Store, digest, write_whole

FAILURES = "failures.csv"
HINTS = {  # what to do about a file the server does not have
    "CheckpointLoaderSimple": "Put it into models/checkpoints there",
    "HRVLoad": "Build it there (graph 24 or `experiment construction`), or fetch the paper's (HRV Fetch)",
}


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command `experiment` to a parser."""
    parser = commands.add_parser("experiment", help="run an experiment of the paper on ComfyUI servers")
    parser.add_argument("name", help=f"`list` for a line each, or: {', '.join(plan.names())}")
    parser.add_argument(
        "--server", action="append", help="address of a running ComfyUI; several share the work", metavar="URL"
    )
    parser.add_argument("--to", type=Path, default=Path("output/experiments"), help="folder for results")
    parser.add_argument(
        "--set", action="append", default=[], metavar="NODE.INPUT=VALUE", help="another value of an input of the graph"
    )
    parser.add_argument("--keep", type=int, help="how many prompts of each group to use; default: the experiment's")
    parser.add_argument("--seeds", help='other seeds, e.g. "1, 2, 3"')
    parser.add_argument("--prompts", type=Path, help="for building vectors: your own prompts after the preset's")
    parser.add_argument("--tables", action="store_true", help="draw nothing: score and tabulate what is finished")
    add_options(parser)
    parser.set_defaults(run=command)


def command(options: argparse.Namespace) -> int:
    """Run, tabulate, and say where the results are; 1 if a prompt failed."""
    if options.name == "list":
        sys.stdout.writelines(f"{name}: {Experiment.load(name).about}\n" for name in plan.names())
        return 0
    experiment = _asked(Experiment.load(options.name), options)
    store = Store(options.to / experiment.name)
    jobs = list(plan.jobs(experiment, cases(experiment, options.prompts)))
    readers = readers_from(options, experiment)
    failed: dict[str, str] = {}
    needed = [*experiment.pictures, *experiment.texts]
    if not options.tables:
        servers = [Server(address) for address in options.server or ["http://127.0.0.1:8188"]]
        works = prepare(experiment, jobs, servers, options.set)
        with tqdm(total=len(works), desc=experiment.name, unit="job", smoothing=0.1) as bar:
            failed = run(works, servers, store, bar.update)
        finished = [job for job, work in zip(jobs, works, strict=True) if store.done(work.name, work.digest, needed)]
    else:
        finished = [job for job in jobs if store.finished(job.name, needed)]
    _record(store, failed)
    if not finished:
        raise HRVError(f"Nothing of {experiment.name} is finished, so there is no table. {_why(failed)}")
    measured = MEASURES[experiment.measure](experiment, finished, store, readers)
    counted = f"{len(finished)} of {len(jobs)} jobs are finished."
    written = results.write(store.folder, experiment, measured, counted)
    sys.stdout.write(f"{results.as_markdown(measured.tables['summary'])}\n{counted} {written[0]}\n")
    if failed:
        sys.stderr.write(f"{len(failed)} of {len(jobs)} jobs failed, see {store.folder / FAILURES}. {_why(failed)}\n")
    return 1 if failed else 0


def prepare(
    experiment: Experiment, jobs: Sequence[Job], servers: Sequence[Server], overrides: Sequence[str] = ()
) -> list[Work]:
    """Every job as a prompt for these servers; raises HRVError for a server without the pack or without a file."""
    schemas = [server.schemas for server in servers]
    base = Template.read(experiment.workflow, schemas[0]).replacing(experiment.replace).setting(experiment.set)
    works = []
    for job in jobs:
        asked = {address: _field(job, name) for address, name in experiment.ask.items()}
        template = base.setting(asked).setting(experiment.variants[job.variant]).setting(_overrides(overrides))
        prompt, shown = template.collecting({**experiment.pictures, **experiment.texts})
        pictures = {name: shown[name] for name in experiment.pictures}
        texts = {name: shown[name] for name in experiment.texts}
        works.append(Work(job.name, prompt, digest(prompt), pictures, texts))
    for server, schema in zip(servers, schemas, strict=True):
        lacking = [entry for work in works[:1] for entry in missing_files(work.prompt, schema)]
        if lacking:
            kind, field, value = lacking[0]
            raise HRVError(
                f'The server at {server.url} has no "{value}" ({field} of {kind}).'
                f" {HINTS.get(kind, 'Install it there')},"
                f" or name another one with --set {kind}.{field}=FILE."
            )
    return works


def _field(job: Job, name: str) -> Any:
    if name not in job.case.asked:
        raise HRVError(f'A case has no field "{name}". It has: {", ".join(job.case.asked)}.')
    return job.case.asked[name]


def _asked(experiment: Experiment, options: argparse.Namespace) -> Experiment:
    """The experiment with what the command line changes."""
    changes: dict[str, Any] = {}
    if options.keep is not None:
        changes["keep"] = options.keep
    if options.seeds:
        changes["seeds"] = parse_seeds(options.seeds, ())
    return replace(experiment, **changes)


def _overrides(texts: Sequence[str]) -> dict[str, Any]:
    values = {}
    for text in texts:
        address, equals, value = text.partition("=")
        if not equals or "." not in address:
            raise HRVError(f'--set "{text}" is not understood. Write NODE.INPUT=VALUE, e.g. KSampler.steps=30.')
        try:
            values[address.strip()] = plain_yaml.parse(value)
        except ValueError as error:
            raise HRVError(f'The value of --set "{text}" cannot be read: {error}.') from error
    return values


def _record(store: Store, failed: dict[str, str]) -> None:
    """failures.csv, only while there are failures."""
    if failed:
        rows = [{"job": name, "reason": failed[name]} for name in sorted(failed)]
        write_whole(store.folder / FAILURES, as_csv(rows))
    else:
        (store.folder / FAILURES).unlink(missing_ok=True)


def _why(failed: dict[str, str]) -> str:
    return f"The first says: {next(iter(failed.values()))}" if failed else "Run it without --tables."
