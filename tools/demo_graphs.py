"""The demo's graphs in the server's format: a prompt drawn as it is and under several ways of steering one word."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from hrv_engine.remote.prompt import Prompt

SAMPLING = {"steps": 10, "cfg": 3.0, "sampler_name": "ddim", "scheduler": "ddim_uniform"}
VOTES, EFFECT = "preset: drawings.safetensors", "preset: drawings_effect.safetensors"
OWN_CLAMP = 0.0  # of the steering nodes: for vectors by effect 1, for votes none
CLAMP = 4.0  # of votes; `python -m tools.demo clamps` tries it on prompts kept for choosing
STRENGTHEN, ADJUST = "HRVConceptStrengthen", "HRVConceptAdjust"
WEIGHTS = {"desired_weight": 2.0, "undesired_weight": 1.0}


@dataclass(frozen=True)
class Condition:
    """One way to draw a prompt: no node for plain, or a steering node with vectors and a clamp, and how many images."""

    name: str
    node: str | None = None
    file: str = VOTES
    clamp: float = OWN_CLAMP
    images: int = 2

    def steering(self, asked: Mapping[str, str]) -> dict[str, Any]:
        """The values of the node's inputs for a benchmark prompt."""
        window = {"strength": 1.0, "occurrence": 0, "clamp": self.clamp, "start_percent": 0.0, "end_percent": 1.0}
        if self.node == STRENGTHEN:
            return {"word": asked["word"], "concept": asked["desired"], **window}
        return {
            "word": asked["word"],
            "desired": asked["desired"],
            "undesired": asked["undesired"],
            **WEIGHTS,
            **window,
        }


SHOWN = (
    Condition("plain"),
    Condition("strengthened", STRENGTHEN, VOTES, CLAMP),
    Condition("adjusted", ADJUST, VOTES, CLAMP),
    Condition("by effect", ADJUST, EFFECT),
)
#: File in models/hrv → the condition that steers with vectors by effect whose heads are shuffled.
SHUFFLED = {
    f"shuffled_{seed}.safetensors": Condition(
        f"heads shuffled {seed}", ADJUST, f"shuffled_{seed}.safetensors", images=1
    )
    for seed in (1, 2, 3, 4, 5)
}
CHOOSING = (
    SHOWN[0],
    *(Condition(f"strengthened, clamp {clamp:g}", STRENGTHEN, VOTES, clamp) for clamp in (1.0, 2.0, 4.0, 0.0)),
    *(Condition(f"adjusted, clamp {clamp:g}", ADJUST, VOTES, clamp) for clamp in (1.0, 2.0, 4.0, 0.0)),
    *(Condition(f"by effect, clamp {clamp:g}", ADJUST, EFFECT, clamp) for clamp in (0.5, 1.0, 2.0, 4.0)),
    Condition("strengthened by effect", STRENGTHEN, EFFECT),
)


def _node(kind: str, **inputs: Any) -> dict[str, Any]:
    return {"class_type": kind, "inputs": inputs}


def draw_graph(asked: Mapping[str, str], conditions: Sequence[Condition], seed: int) -> Prompt:
    """Images of a benchmark prompt under every condition, from the same noises; "<condition> images" previews them."""
    graph = {
        "pocket": _node("HRVPocketModel", model="drawings"),
        "positive": _node("HRVPrompt", clip=["pocket", 1], text=asked["text"]),
        "negative": _node("CLIPTextEncode", clip=["pocket", 1], text=""),
    }
    for condition in conditions:
        name, model, positive = condition.name, ["pocket", 0], ["positive", 0]
        if condition.node is not None:
            graph[f"{name} vectors"] = _node("HRVLoad", file=condition.file)
            sources = {"model": model, "positive": positive, "hrv": [f"{name} vectors", 0]}
            graph[f"{name} steered"] = _node(condition.node, **sources, **condition.steering(asked))
            model, positive = [f"{name} steered", 0], [f"{name} steered", 1]
        graph[f"{name} latent"] = _node("RepeatLatentBatch", samples=["pocket", 3], amount=condition.images)
        ends = {"model": model, "positive": positive, "negative": ["negative", 0]}
        ends["latent_image"] = [f"{name} latent", 0]
        graph[f"{name} drawn"] = _node("KSampler", **ends, **SAMPLING, seed=seed, denoise=1.0)
        graph[f"{name} pixels"] = _node("VAEDecode", samples=[f"{name} drawn", 0], vae=["pocket", 2])
        graph[f"{name} images"] = _node("PreviewImage", images=[f"{name} pixels", 0])
    return graph


def settings(conditions: Sequence[Condition]) -> dict[str, Any]:
    """All that the images depend on beside their prompts, for the report."""
    return {"sampling": SAMPLING, "weights": WEIGHTS, "conditions": [asdict(condition) for condition in conditions]}
