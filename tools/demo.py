"""`make demo`: build HRVs on the pocket model in a real ComfyUI, and count how often steering reads a word right.

Writes output/demo/: before_after.png, heatmap.png, report.json. Everything goes through the server's HTTP API; only
the shuffled control vectors are written with the engine, and the scorer counts (hrv_engine/pocket/scoring.py).
"""

from __future__ import annotations

import hashlib
import json
import platform
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
import yaml
from PIL import Image

from hrv_engine.paths import PRESETS, ROOT
from hrv_engine.pocket.scoring import Scorer, SeenSenses, read_polysemous
from hrv_engine.relevance import files

from . import demo_graphs as graphs
from .demo_sheet import Block, draw_sheet
from .server import ComfyServer

OUTPUT = ROOT / "output" / "demo"
VECTORS, EFFECTS = "demo_pocket", "demo_pocket_effect"
LABELS = {
    "plain": "plain",
    "strengthened": "strengthened",
    "adjusted": "adjusted",
    "by_effect": "by effect",
    "random_heads": "random heads",
}


def say(text: str) -> None:
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def write_shuffled(server: ComfyServer, seeds: list[int]) -> list[str]:
    """The vectors by effect with their heads shuffled, another shuffle a seed: file names in models/hrv."""
    built = files.load(server.models / "hrv" / f"{EFFECTS}.safetensors")
    names = [f"{EFFECTS}_shuffled_{seed}.safetensors" for seed in seeds]
    for seed, name in zip(seeds, names, strict=True):
        files.save(server.models / "hrv" / name, built.shuffled(seed))
    return names


def draw(server: ComfyServer, asked: dict[str, str], condition: str, seeds: list[int]) -> list[Image.Image]:
    """One image per seed."""
    true = [f"{EFFECTS if condition == 'by_effect' else VECTORS}.safetensors"] * len(seeds)
    vectors = [f"{EFFECTS}_shuffled_{seed}.safetensors" for seed in seeds] if condition == "random_heads" else true
    outputs = server.client.run(graphs.draw_graph(asked, condition, seeds, vectors))
    return [server.client.images(outputs, f"image {seed}")[0] for seed in seeds]


def read(scorer: Scorer, asked: dict[str, str], drawn: list[Image.Image]) -> SeenSenses:
    pixels = np.stack([np.asarray(image) for image in drawn]).astype(np.float32) / 255
    return read_polysemous(scorer(torch.from_numpy(pixels).movedim(-1, 1)), asked)


def versions(server: ComfyServer) -> dict[str, str]:
    system = server.client.get("/system_stats")["system"]
    weights = {
        name: hashlib.sha256((PRESETS / "pocket" / f"{name}.safetensors").read_bytes()).hexdigest()[:16]
        for name in ("pocket", "scorer")
    }
    return {
        "comfyui": system["comfyui_version"],
        "torch": system["pytorch_version"],
        "python": platform.python_version(),
        **{f"{name}_weights_sha256": digest for name, digest in weights.items()},
    }


def rates(counts: list[dict[str, Any]], what: str) -> dict[str, float]:
    """The share of images over all prompts, by condition."""
    return {
        condition: round(float(np.mean([prompt[what][condition] for prompt in counts])), 4)
        for condition in graphs.CONDITIONS
    }


def run(server: ComfyServer) -> Iterator[str]:
    """Draw, count, write the three files; yields the closing lines."""
    benchmark = yaml.safe_load((PRESETS / "benchmarks" / "pocket_polysemous.yaml").read_text(encoding="utf-8"))
    scorer = Scorer.load(PRESETS / "pocket" / "scorer.safetensors")
    seeds, prompts = benchmark["seeds"], benchmark["prompts"]
    concepts = ", ".join(dict.fromkeys(prompt[sense] for sense in ("desired", "undesired") for prompt in prompts))
    say("building head relevance vectors on the pocket model ...")
    outputs = server.client.run(graphs.build_graph(VECTORS, concepts))
    server.client.images(outputs, "map")[0].save(OUTPUT / "heatmap.png")
    say("building them by effect ...")
    server.client.run(graphs.effect_graph(EFFECTS, concepts))
    write_shuffled(server, seeds)
    blocks, counts = [], []
    for number, asked in enumerate(prompts, 1):
        say(f"drawing prompt {number} of {len(prompts)}: {asked['text']} ...")
        images_of = {condition: draw(server, asked, condition, seeds) for condition in graphs.CONDITIONS}
        readings = {condition: read(scorer, asked, images) for condition, images in images_of.items()}
        rows = {
            LABELS[condition]: list(zip(images, readings[condition].misread.tolist(), strict=True))
            for condition, images in images_of.items()
        }
        senses = f"{asked['word']}: {asked['desired']}, not {asked['undesired']}"
        blocks.append(Block(asked["text"], senses, rows))
        counts.append(
            {
                **asked,
                "misread_rate": {name: one.misread.float().mean().item() for name, one in readings.items()},
                "asked_meaning_rate": {name: one.intended.float().mean().item() for name, one in readings.items()},
            }
        )
    misread, meant = rates(counts, "misread_rate"), rates(counts, "asked_meaning_rate")
    report = {
        "misread_rate": misread,
        "asked_meaning_rate": meant,
        "prompts": counts,
        "seeds": seeds,
        "settings": {
            "presets": graphs.PRESETS,
            "sampling": {**graphs.SIZE, **graphs.SAMPLING},
            "build": graphs.BUILD,
            "build_by_effect": graphs.EFFECT,
            "steering": {**graphs.STEERING, **graphs.ADJUST},
            "by_effect": "adjusted with vectors by effect and the clamp that the node uses for them",
            "random_heads": "the vectors of `by_effect` with their heads shuffled, another shuffle for every seed",
        },
        "versions": versions(server),
    }
    (OUTPUT / "report.json").write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    heading = "One word, read right: the pocket model, plain and steered by its own Head Relevance Vectors"
    draw_sheet(heading, blocks).save(OUTPUT / "before_after.png")
    drawn = len(prompts) * len(seeds)
    for name, label in LABELS.items():
        yield f"{label:<14} {misread[name]:6.1%} misread  {meant[name]:6.1%} asked meaning   ({drawn} images)"


def main() -> None:
    OUTPUT.mkdir(parents=True, exist_ok=True)
    say("starting ComfyUI ...")
    with ComfyServer(arguments=() if torch.cuda.is_available() else ("--cpu",)) as server:
        lines = list(run(server))
    say(f"wrote {OUTPUT.relative_to(ROOT)}/before_after.png, heatmap.png, report.json")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
