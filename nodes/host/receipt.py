"""What a control did in one run, and the error when it was asked to act and could not."""

from collections import Counter
from collections.abc import Collection
from typing import Any

from ...hrv_engine.attention.heads import SiteKey
from ...hrv_engine.errors import HRVError

OPTIONS = ("model_function_wrapper", "sampler_calc_cond_batch_function", "context_handler")  # of model_options
STOCK = ("comfy.samplers", "comfy.k_diffusion.sampling")  # the host's own guider and samplers, which hide nothing


class Receipt:
    """Counts sites, steps and rows a control acted on in one run, and what it left alone with the reason."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.asked: set[int] = set()
        self.steps: set[int] = set()
        self.sites: Counter[SiteKey] = Counter()
        self.rows = 0
        self.left: Counter[str] = Counter()
        self.expected: set[SiteKey] = set()
        self.total_steps = 0

    def ask(self, step: int) -> None:
        """Note that it is to act at a step."""
        self.asked.add(step)

    def expect(self, sites: Collection[SiteKey]) -> None:
        """Note at which sites it is to act."""
        self.expected |= set(sites)

    def act(self, step: int, site: SiteKey, rows: int) -> None:
        """Note that it acted on some rows at a site."""
        self.steps.add(step)
        self.sites[site] += 1
        self.rows += rows

    def leave(self, reason: str) -> None:
        """Note rows, sites or steps that it left alone, by reason."""
        self.left[reason] += 1

    @property
    def text(self) -> str:
        """In one line: layers of layers, steps of steps, attention calls, rows, and what was left alone."""
        if not self.asked:
            return f"{self.name}: nothing to do in this run, no prompt asked for it"
        skipped = len(self.asked - self.steps)
        parts = [
            f"{len(self.sites)} of {len(self.expected)} layers",
            f"{len(self.steps)} of {max(self.total_steps, len(self.asked))} steps",
            f"{self.rows} rows in {sum(self.sites.values())} attention calls",
        ]
        parts += [f"{skipped} steps without the model (a cache)"] if skipped else []
        parts += [f"left alone: {reason} ({count})" for reason, count in self.left.items()]
        return f"{self.name}: {', '.join(parts)}"

    def check(self, neighbours: Collection[str]) -> None:
        """Raise HRVError when it was asked to act and acted nowhere, or not at every site."""
        missed = self.expected - set(self.sites)
        if not self.asked or self.sites and not missed:
            return
        how = "did not act at all" if not self.sites else f"acted at {len(self.sites)} of {len(self.expected)} layers"
        why = f" Reasons noted: {'; '.join(self.left)}." if self.left else ""
        there = f" On this model there are also: {', '.join(sorted(neighbours))}." if neighbours else ""
        raise HRVError(
            f"{self.name} was asked to act in {len(self.asked)} steps and {how}: its attention calls never came.{why}"
            f"{there} A cache that skips the model, a node that replaces attention or whole blocks, or a model compiled"
            " elsewhere may stand in between. Take them off the MODEL one by one, or take the HRV node away."
        )


def neighbours(model_options: dict[str, Any], *more: Any) -> list[str]:
    """The packs and nodes, as far as they can be known, that patch the attention of this model or wrap its calls.

    more: other things that may stand in between: a guider, a sampler, exchanged parts of the model.
    """
    transformer = model_options.get("transformer_options", {})
    found: list[Any] = [transformer.get("optimized_attention_override"), *map(model_options.get, OPTIONS), *more]
    for patches in transformer.get("patches", {}).values():
        found += patches
    for patches in transformer.get("patches_replace", {}).values():
        found += patches.values()
    for kind in transformer.get("wrappers", {}).values():
        for wrappers in kind.values():
            found += wrappers
    return list(dict.fromkeys(name for name in map(owner, found) if name))


def owner(patch: Any) -> str:
    """The pack or the host's module that a patch comes from, empty for ours, for the host's samplers and for none."""
    if patch is None:
        return ""
    patch = getattr(patch, "func", patch)
    module = getattr(patch, "__module__", None) or type(patch).__module__
    name = getattr(patch, "__qualname__", type(patch).__qualname__).split(".")[0]
    if module in STOCK or module.startswith(__name__.rpartition(".")[0]):
        return ""
    pack = module.replace("\\", "/").rpartition("/")[2].split(".")[0] if "/" in module else module
    return f"{name} ({pack})"
