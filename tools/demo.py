"""`make demo`: a word that can be misread, drawn plain and steered in a real ComfyUI, and counted by the scorer.

Writes output/demo/: before_after.png, heatmap.png, report.json. Everything goes through the server's HTTP API, with the
model and the vectors that ship; only the shuffled control vectors are written with the engine. `python -m tools.demo
clamps` tries clamps instead, on prompts that are kept for choosing settings.
"""

from __future__ import annotations

import hashlib
import json
import platform
import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
import yaml
from PIL import Image

from hrv_engine.paths import PRESETS, ROOT
from hrv_engine.pocket.drawings.reading import Senses, read_senses
from hrv_engine.pocket.drawings.scorer import SHIPPED_SCORER, Scorer
from hrv_engine.pocket.model import MODELS
from hrv_engine.pocket.shares import Share
from hrv_engine.relevance import files

from .demo_graphs import CHOOSING, EFFECT, SHOWN, SHUFFLED, VOTES, Condition, draw_graph, settings
from .demo_sheet import Heads, Row, draw_sheet
from .server import ComfyServer

OUTPUT = ROOT / "output" / "demo"
FILES = {"model": MODELS["drawings"], "scorer": SHIPPED_SCORER} | {
    kind: PRESETS / "hrv" / name.removeprefix("preset: ") for kind, name in (("votes", VOTES), ("effect", EFFECT))
}
Counted = dict[str, dict[str, list[bool]]]  # by measure and condition, an entry an image


def say(text: str) -> None:
    """A line on stderr, at once."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def benchmark(held_out: bool) -> list[dict[str, str]]:
    """Prompts of the drawings that are misread; in turn through their words, so that neighbours differ."""
    name = f"drawings_polysemous{'_heldout' if held_out else ''}.yaml"
    prompts = yaml.safe_load((PRESETS / "benchmarks" / name).read_text(encoding="utf-8"))["prompts"]
    by_word: dict[str, list[dict[str, str]]] = defaultdict(list)
    for asked in prompts:
        by_word[asked["word"]].append(asked)
    words = list(by_word.values())
    return [
        words[place][(place + turn) % len(words[place])] for turn in range(len(words[0])) for place in range(len(words))
    ]


def write_shuffled(server: ComfyServer) -> None:
    """The vectors by effect with their heads shuffled, another shuffle a file, into models/hrv."""
    vectors = files.load(FILES["effect"])
    for seed, name in enumerate(SHUFFLED, 1):
        files.save(server.models / "hrv" / name, vectors.shuffled(seed))


def draw(server: ComfyServer, asked: dict[str, str], conditions: Sequence[Condition], seed: int) -> dict[str, Any]:
    """{condition: its images}, all from one graph."""
    outputs = server.client.run(draw_graph(asked, conditions, seed))
    return {condition.name: server.client.images(outputs, f"{condition.name} images") for condition in conditions}


def read(scorer: Scorer, asked: dict[str, str], images: list[Image.Image]) -> Senses:
    """What the scorer sees of each of them."""
    pixels = np.stack([np.asarray(image) for image in images]).astype(np.float32) / 255
    return read_senses(scorer(torch.from_numpy(pixels).movedim(-1, 1)), asked["color"], asked["noun"])


def count(
    server: ComfyServer, prompts: list[dict[str, str]], conditions: Sequence[Condition]
) -> tuple[Counted, list[Row]]:
    """Draw and read every prompt under every condition."""
    scorer = Scorer.load(SHIPPED_SCORER)
    counted: Counted = defaultdict(lambda: defaultdict(list))
    rows = []
    for number, asked in enumerate(prompts, 1):
        say(f"drawing prompt {number} of {len(prompts)}: {asked['text']} ...")
        cells = {}
        for name, images in draw(server, asked, conditions, seed=100 * number).items():
            seen = read(scorer, asked, images)
            for measure in ("misread", "intended", "thing", "color", "noun"):
                counted[measure][name] += getattr(seen, measure).tolist()
            cells[name] = list(zip(images, seen.misread.tolist(), strict=True))
        rows.append(Row(asked["text"], f"{asked['word']}: {asked['desired']},\nnot {asked['undesired']}", cells))
    return counted, rows


def lines(counted: Counted) -> Iterator[str]:
    """A line a condition: misread images, and those that show the asked noun alone in the asked colour."""
    for name, misread in counted["misread"].items():
        others = (f"{measure} {Share.of(counted[measure][name]).value:6.1%}" for measure in ("thing", "color", "noun"))
        asked = Share.of(counted["intended"][name]).value
        yield f"{name:<24} misread {Share.of(misread)}   asked meaning {asked:6.1%}   " + "   ".join(others)


def rates(counted: Counted, measure: str) -> dict[str, Any]:
    """{condition: {rate, interval, images}}."""
    shares = {name: Share.of(shown) for name, shown in counted[measure].items()}
    return {
        name: {
            "rate": round(share.value, 4),
            "interval": [round(end, 4) for end in share.interval],
            "images": share.images,
        }
        for name, share in shares.items()
    }


def versions(server: ComfyServer) -> dict[str, str]:
    """Of the software, and the beginnings of the SHA-256 of all files that take part."""
    system = server.client.get("/system_stats")["system"]
    digests = {f"{name}_sha256": hashlib.sha256(path.read_bytes()).hexdigest()[:16] for name, path in FILES.items()}
    software = {"comfyui": system["comfyui_version"], "torch": system["pytorch_version"]}
    return {**software, "python": platform.python_version(), **digests}


def save_heat_map(server: ComfyServer) -> None:
    """Which heads matter to a colour and to a fruit, by votes and by effect."""
    graph: dict[str, Any] = {}
    for name, file in (("votes", VOTES), ("effect", EFFECT)):
        graph[name] = {"class_type": "HRVLoad", "inputs": {"file": file}}
        asked = {"hrv": [name, 0], "concept": "Color, Fruits and Vegetables"}
        graph[f"{name} map"] = {"class_type": "HRVHeatmap", "inputs": asked}
        graph[f"{name} image"] = {"class_type": "PreviewImage", "inputs": {"images": [f"{name} map", 0]}}
    outputs = server.client.run(graph)
    maps = [server.client.images(outputs, f"{name} image")[0] for name in ("votes", "effect")]
    sheet = Image.new("RGB", (max(image.width for image in maps), sum(image.height for image in maps)), "white")
    sheet.paste(maps[0], (0, 0))
    sheet.paste(maps[1], (0, maps[0].height))
    sheet.save(OUTPUT / "heatmap.png")


def heads(counted: Counted, shuffles: Sequence[float]) -> Heads:
    """What stands above the columns of the sheet, the last of which shows one shuffle and says the mean of all."""
    kinds = {"plain": "", "strengthened": "votes: ", "adjusted": "votes: ", "by effect": "adjusted: "}
    shown: Heads = {
        name: (name, f"{kind}{Share.of(counted['misread'][name]).value:.0%} misread") for name, kind in kinds.items()
    }
    first = next(iter(SHUFFLED.values())).name
    return {**shown, first: ("heads shuffled", f"{np.mean(shuffles):.0%} in {len(shuffles)} shuffles")}


def demo(server: ComfyServer) -> Iterator[str]:
    """Draw, count, write the three files; yields the closing lines."""
    started = time.monotonic()
    save_heat_map(server)
    write_shuffled(server)
    conditions = (*SHOWN, *SHUFFLED.values())
    counted, rows = count(server, benchmark(held_out=False), conditions)
    shuffles = [Share.of(counted["misread"][condition.name]).value for condition in SHUFFLED.values()]
    report = {
        "misread_rate": rates(counted, "misread"),
        "asked_meaning_rate": rates(counted, "intended"),
        "heads_shuffled": {"mean": float(np.mean(shuffles)), "least": min(shuffles), "most": max(shuffles)},
        "settings": settings(conditions),
        "versions": versions(server),
        "seconds": round(time.monotonic() - started),
    }
    (OUTPUT / "report.json").write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    heading = "One word, read right: plain images, and images steered by the model's own heads"
    draw_sheet(heading, heads(counted, shuffles), rows).save(OUTPUT / "before_after.png")
    yield from lines(counted)
    spread = f"from {min(shuffles):.1%} to {max(shuffles):.1%}"
    yield f"heads shuffled, {len(shuffles)} times: misread {np.mean(shuffles):.1%}, {spread}"
    say(f"wrote {OUTPUT.relative_to(ROOT)}/before_after.png, heatmap.png, report.json")


def clamps(server: ComfyServer) -> Iterator[str]:
    """Count the prompts kept for choosing under every clamp."""
    counted, _ = count(server, benchmark(held_out=True), CHOOSING)
    yield from lines(counted)


def main() -> None:
    """Start a server, do what is asked, print the lines."""
    asked = clamps if sys.argv[1:] == ["clamps"] else demo
    OUTPUT.mkdir(parents=True, exist_ok=True)
    say("starting ComfyUI ...")
    with ComfyServer(arguments=() if torch.cuda.is_available() else ("--cpu",)) as server:
        print("\n".join(asked(server)))


if __name__ == "__main__":
    main()
