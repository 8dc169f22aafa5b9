"""One build over running ComfyUI servers: a shipped graph's HRV Build in parts, each fetched as it is finished."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..benchmarks.prompts import LINES, PLAIN, PromptSet
from ..errors import HRVError
from ..experiments.store import digest
from ..paths import PRESETS
from ..remote.client import Server
from ..remote.graphs import WORKFLOWS, Template, is_link, missing_files
from ..remote.runner import Work, run
from .tally import Tally

VOTES, REPORT = "votes", "HRVBuild.report"


@dataclass(frozen=True)
class Asked:
    """A graph with one HRV Build on these servers, and what of it decides how it is parted."""

    servers: Sequence[Server]
    template: Template
    build: str
    prompts: PromptSet
    seed: int
    batch_size: int

    @classmethod
    def read(cls, workflow: str, addresses: Sequence[str], values: Mapping[str, Any]) -> "Asked":
        """The workflow (a file, or a name of the pack's) with inputs set; raises HRVError if it cannot be shared."""
        servers = [Server(address) for address in addresses]
        schemas = [server.schemas for server in servers]
        path = Path(workflow) if workflow.endswith(".json") else WORKFLOWS / f"{workflow}.json"
        template = Template.read(path.stem, schemas[0], path.parent)
        builds = [number for number, node in template.prompt.items() if node["class_type"] == "HRVBuild"]
        if len(builds) != 1:
            raise HRVError(f"{path.name} has {len(builds)} HRV Build nodes. Give a graph with one, such as 05 or 01.")
        template = template.setting(values)
        for server, schema in zip(servers, schemas, strict=True):
            _check(server, schema, template)
        inputs = template.prompt[builds[0]]["inputs"]
        numbers = [inputs["seed"], inputs["batch_size"]]
        if not all(isinstance(number, int) for number in numbers):
            raise HRVError("seed and batch_size of HRV Build must be typed in the node, not come from another node.")
        return cls(servers, template, builds[0], _prompts(template, inputs["prompts"]), *numbers)

    def work(self, part: range, name: str) -> Work:
        """The prompt that builds one part on a server and hands out its vote file."""
        same = digest(self.template.collecting({"report": REPORT})[0])[:8]  # settings of their own, a file of their own
        save_as = f"parts/{name}_{same}_{part.start:05d}_{part.stop - 1:05d}"
        values = {"start": part.start, "count": len(part), "save_as": save_as, "resume": True}
        template = self.template.setting({f"HRVBuild.{field}": value for field, value in values.items()})
        prompt, shown = template.collecting({"report": REPORT})
        save = str(max(map(int, prompt)) + 1)
        asked = {"hrv": [self.build, 0], "filename": save_as, "download": True}
        prompt[save] = {"class_type": "HRVSave", "inputs": asked}
        return Work(f"images {part.start} to {part.stop - 1}", prompt, digest(prompt), {VOTES: save}, shown)


@dataclass(frozen=True)
class _Parts:
    """What the runner takes as its store: every part that comes is added to the tally."""

    tally: Tally

    def done(self, name: str, asked: str, keys: Iterable[str] = ()) -> bool:
        """Nothing that is asked for was done: the tally has left out what was."""
        return False

    def save(self, name: str, asked: str, files: Mapping[str, list[bytes]], texts: Mapping[str, str]) -> None:
        """Add a part."""
        for payload in files[VOTES]:
            self.tally.add(payload)


def build(asked: Asked, parts: Sequence[range], tally: Tally, name: str) -> None:
    """Build every part on the servers and add it to the tally as it comes.

    A part that is interrupted goes on from its own file on the server that has it. Raises HRVError when a part failed,
    after the others are done.
    """
    failed = run([asked.work(part, name) for part in parts], asked.servers, _Parts(tally))
    if failed:
        first = next(iter(failed))
        raise HRVError(
            f"{len(failed)} of {len(parts)} parts failed; the others are kept, and the same command goes on. The first,"
            f" {first}: {failed[first]}"
        )


def _check(server: Server, schema: Mapping[str, Any], template: Template) -> None:
    """Raise HRVError for a server with an old pack, or without a file that the graph names."""
    for kind, field in (("HRVBuild", "start"), ("HRVSave", "download")):
        groups = schema[kind]["input"]
        if field not in {**groups.get("required", {}), **groups.get("optional", {})}:
            raise HRVError(f"The pack at {server.url} is too old to build parts ({kind} has no {field}). Update it.")
    lacking = missing_files(template.collecting({"report": REPORT})[0], schema)
    if lacking:
        kind, field, value = lacking[0]
        raise HRVError(
            f'The server at {server.url} has no "{value}" ({field} of {kind}). Put it there, or name another one with'
            f" --set {kind}.{field}=FILE."
        )


def _prompts(template: Template, link: Any) -> PromptSet:
    """The prompts of HRV Prompt Set, as this pack has them; every part that comes back is checked against them."""
    kind, inputs = "", {}
    if is_link(link, template.prompt):
        kind, inputs = template.prompt[link[0]]["class_type"], template.prompt[link[0]]["inputs"]
    if kind != "HRVPromptSet" or any(is_link(value, template.prompt) for value in inputs.values()):
        raise HRVError("The prompts of HRV Build must come from an HRV Prompt Set whose inputs are typed in the node.")
    if inputs["custom"].strip():
        prompts = PromptSet.of_lines(inputs["custom"])
    elif inputs["preset"].endswith(LINES):
        raise HRVError(
            f'The list "{inputs["preset"]}" lies on a server, where this command cannot read it. Paste its lines into'
            " custom of HRV Prompt Set."
        )
    else:
        prompts = PromptSet.load(PRESETS / "prompts" / f"{inputs['preset']}.yaml")
    return prompts.read_as(inputs.get("reading", PLAIN)).first(inputs["limit"])
