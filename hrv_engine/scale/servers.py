"""One build over running ComfyUI servers: a shipped graph's build in parts, each fetched as it is finished."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..benchmarks.prompts import PLAIN, PromptSet, is_list
from ..errors import HRVError
from ..experiments.store import digest
from ..paths import PRESETS
from ..relevance.concepts import ConceptSet
from ..relevance.parts import Numbered
from ..relevance.samples import SampleSet, Templates
from ..remote.client import Server
from ..remote.graphs import WORKFLOWS, Template, free_id, is_link, missing_files
from ..remote.runner import Work, run
from ..text.lists import listed
from .tally import Tally

VOTES = "votes"
BUILDS = {"HRVBuild": "HRV Build", "HRVBuildByEffect": "HRV Build by Effect"}


@dataclass(frozen=True)
class Asked:
    """A graph with one building node of a kind on these servers, and what of it decides how it is parted."""

    servers: Sequence[Server]
    template: Template
    kind: str
    build: str
    prompts: Numbered
    seed: int
    batch_size: int

    @classmethod
    def read(cls, workflow: str, addresses: Sequence[str], values: Mapping[str, Any]) -> "Asked":
        """The workflow (a file, or a name of the pack's) with inputs set; raises HRVError if it cannot be shared.

        values: {"NODE.INPUT": value}; an INPUT alone is one of the building node.
        """
        servers = [Server(address) for address in addresses]
        schemas = [server.schemas for server in servers]
        path = Path(workflow) if workflow.endswith(".json") else WORKFLOWS / f"{workflow}.json"
        template = Template.read(path.stem, schemas[0], path.parent)
        builds = [number for number, node in template.prompt.items() if node["class_type"] in BUILDS]
        if len(builds) != 1:
            raise HRVError(f"{path.name} has {len(builds)} HRV Build nodes. Give a graph with one, such as 05 or 01.")
        kind = template.prompt[builds[0]]["class_type"]
        template = template.setting({name if "." in name else f"{kind}.{name}": one for name, one in values.items()})
        for server, schema in zip(servers, schemas, strict=True):
            _check(server, schema, template, kind)
        inputs = template.prompt[builds[0]]["inputs"]
        numbers = [inputs["seed"], inputs["batch_size"]]
        if not all(isinstance(number, int) for number in numbers):
            raise HRVError(
                f"seed and batch_size of {BUILDS[kind]} must be typed in the node, not come from another node."
            )
        whole = _prompts(template, inputs["prompts"]) if kind == "HRVBuild" else _samples(template, inputs)
        return cls(servers, template, kind, builds[0], whole, *numbers)

    def work(self, part: range, name: str) -> Work:
        """The prompt that builds one part on a server and hands out its vote file."""
        report = {"report": f"{self.kind}.report"}
        same = digest(self.template.collecting(report)[0])[:8]  # settings of their own, a file of their own
        save_as = f"parts/{name}_{same}_{part.start:05d}_{part.stop - 1:05d}"
        values = {"start": part.start, "count": len(part), "save_as": save_as, "resume": True}
        template = self.template.setting({f"{self.kind}.{field}": value for field, value in values.items()})
        prompt, shown = template.collecting(report)
        save = free_id(prompt)
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


def _check(server: Server, schema: Mapping[str, Any], template: Template, build: str) -> None:
    """Raise HRVError for a server with an old pack, or without a file that the graph names."""
    for kind, field in ((build, "start"), ("HRVSave", "download")):
        groups = schema[kind]["input"]
        if field not in {**groups.get("required", {}), **groups.get("optional", {})}:
            raise HRVError(f"The pack at {server.url} is too old to build parts ({kind} has no {field}). Update it.")
    lacking = missing_files(template.collecting({"report": f"{build}.report"})[0], schema)
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
    elif is_list(inputs["preset"]):
        raise HRVError(
            f'The list "{inputs["preset"]}" lies on a server, where this command cannot read it. Paste its lines into'
            " custom of HRV Prompt Set."
        )
    else:
        prompts = PromptSet.load(PRESETS / "prompts" / f"{inputs['preset']}.yaml")
    return prompts.read_as(inputs.get("reading", PLAIN)).first(inputs["limit"])


def _samples(template: Template, inputs: Mapping[str, Any]) -> SampleSet:
    """The samples of HRV Build by Effect, as this pack has them; every part that comes back is checked against them."""
    link, concepts = inputs["concepts"], {}
    if is_link(link, template.prompt) and template.prompt[link[0]]["class_type"] == "HRVConcepts":
        concepts = template.prompt[link[0]]["inputs"]
    own = [inputs[name] for name in ("templates", "custom_templates", "samples_per_word")]
    if not concepts or any(is_link(value, template.prompt) for value in (*own, *concepts.values())):
        raise HRVError(
            "The concepts of HRV Build by Effect must come from an HRV Concepts, and its templates and samples_per_word"
            " must be typed in the node, not come from another node."
        )
    if concepts["custom_yaml"].strip():
        chosen = ConceptSet.parse(concepts["custom_yaml"], folder=PRESETS / "concepts")
    else:
        chosen = ConceptSet.load(PRESETS / "concepts" / f"{concepts['preset']}.yaml")
    chosen = chosen.keep(listed(concepts["keep"])) if listed(concepts["keep"]) else chosen
    if inputs["custom_templates"].strip():
        templates = Templates.parse(inputs["custom_templates"], legal=chosen.names)
    else:
        templates = Templates.load(PRESETS / "templates" / f"{inputs['templates']}.txt")
    return SampleSet(chosen, templates, int(inputs["samples_per_word"]))
