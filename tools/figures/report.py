"""What `make figures` counts and draws: convergence, portraits of the vectors, ordered weakening."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from PIL import Image

from hrv_engine.benchmarks.weakening import load_experiments
from hrv_engine.figures.convergence import convergence_figure
from hrv_engine.figures.curves import draw_curves
from hrv_engine.figures.plots import QUIET, new_plot, pixels
from hrv_engine.figures.sheets import sheet
from hrv_engine.inspection.convergence import DetailedVotes, agreement, cheapest
from hrv_engine.inspection.convergence import convergence as convergence_table
from hrv_engine.paths import PRESETS
from hrv_engine.relevance import files
from hrv_engine.relevance.relevance import HeadVotes
from hrv_engine.tables import as_csv
from hrv_engine.weakening.curves import WeakeningResult
from hrv_engine.weakening.orders import RANDOM, REVERSED, order_label

from .captions import captions
from .workers import results

BUILD: dict[str, Any] = {"images": 480, "draws": 4, "batch": 16, "seed": 20_000}
QUICK: dict[str, Any] = {"prompts": "pocket_quick", "draws": 4, "seed": 7}
WEAKENING: dict[str, Any] = {
    "prompts": 10,
    "heads": [0, 4, 8, 16, 32, 48, 64, 112],
    "random_orders": [1, 2, 3],
    "seed": 1,
}
STEERING: dict[str, Any] = {"images": 16, "seed": 300, "strengths": [0.5, 1.0], "clamps": [0.0, 2.0, 3.0, 4.0, 6.0]}
WANTED = 0.99


def save(image: np.ndarray, path: Path) -> None:
    """Write a PNG."""
    Image.fromarray(image).save(path)


def votes(executor: ProcessPoolExecutor, folder: Path) -> dict[str, Any]:
    """One long build, how fast it settles, and how near the quick preset comes to it; portraits of the vectors."""
    count, batch, draws, seed = (BUILD[key] for key in ("images", "batch", "draws", "seed"))
    texts = captions(count, seed)
    tasks: list[tuple] = [(texts[first : first + batch], first, draws, seed) for first in range(0, count, batch)]
    quick_texts = yaml.safe_load((PRESETS / "prompts" / f"{QUICK['prompts']}.yaml").read_text(encoding="utf-8"))[
        "prompts"
    ]
    tasks.append((quick_texts, 0, QUICK["draws"], QUICK["seed"]))
    *counted, quick = results(executor, "votes", tasks, "voting")
    detailed = DetailedVotes(np.concatenate(counted, axis=1))
    table = convergence_table(detailed)
    (folder / "convergence.csv").write_text(as_csv(table), encoding="utf-8")
    save(convergence_figure(table, WANTED), folder / "convergence.png")
    alike = _portraits(detailed, folder)
    full, least = detailed.summed(slice(None)), cheapest(table, WANTED)
    cosine, rows = agreement(DetailedVotes(quick).summed(slice(None)), full)
    calls = len(quick_texts) * detailed.steps
    return {
        "similarity": alike,
        "convergence": table,
        "fewest_calls": {"wanted": WANTED, **(least or {})},
        "quick": {
            **QUICK,
            "images": len(quick_texts),
            "unet_calls": calls,
            "share_of_full_calls": calls / (count * detailed.steps),
            "cosine": cosine,
            "least": float(rows.min()),
        },
    }


def _portraits(detailed: DetailedVotes, folder: Path) -> dict[str, Any]:
    """Heat map, cosines and t-SNE of the long build, drawn by the engine behind the nodes; the cosines in short."""
    from hrv_engine.figures.embedding import embedding_figure
    from hrv_engine.figures.heat_map import heatmap
    from hrv_engine.figures.matrix import matrix_figure
    from hrv_engine.inspection import similarity
    from hrv_engine.inspection.embedding import embed

    shipped = files.load(PRESETS / "hrv" / "pocket.safetensors")
    per_step = detailed.counts.sum(axis=(0, 1), dtype=np.int64)
    built = HeadVotes(per_step.sum(axis=0), shipped.concepts, shipped.layout, per_step=per_step).relevance()
    names = list(built.concepts.names)
    save(heatmap(built, names), folder / "heatmap.png")
    steps = [str(step) for step in range(len(per_step))]
    alike = {"concepts": (similarity.concept_cosines(built), names)}
    alike["timesteps"] = (similarity.timestep_cosines(built), steps)
    for of, (matrix, labels) in alike.items():
        save(matrix_figure(matrix, labels, f"cosine of {of}"), folder / f"cosine_{of}.png")
    save(embedding_figure(embed(built, names)), folder / "tsne.png")
    return {of: asdict(similarity.summary(*both)) for of, both in alike.items()}


def weakening(executor: ProcessPoolExecutor, folder: Path) -> dict[str, Any]:
    """Curves, areas and strips of every experiment of the pocket model."""
    experiments = load_experiments(PRESETS / "benchmarks" / "pocket_weakening.yaml")
    heads, seed = WEAKENING["heads"], WEAKENING["seed"]
    pairs = [("MoRHF", 0), ("LeRHF", 0)]
    pairs += [(order, number) for number in WEAKENING["random_orders"] for order in (RANDOM, REVERSED)]
    orders = [(order_label(order, number), order, number) for order, number in pairs]
    tasks, owners = list[tuple](), list[str]()
    for name, experiment in experiments.items():
        for text, word in experiment.first(WEAKENING["prompts"]).prompts:
            tasks.append((experiment.concept, text, word, seed + len(tasks), orders, heads, experiment.factor))
            owners.append(name)
    drawn = results(executor, "weakening", tasks, "weakening")
    found: dict[str, WeakeningResult] = {}
    for name in experiments:
        mine = [one for one, owner in zip(drawn, owners, strict=True) if owner == name]
        found[name] = WeakeningResult.of(list(chain.from_iterable(rows for rows, _ in mine)))
        prompts = [rows[0]["prompt"] for rows, _ in mine]
        _strip(mine, prompts, heads, folder / f"strip_{name.lower()}.png")
    save(_panels(found), folder / "weakening.png")
    table = {name: _figures(result) for name, result in found.items()}
    lines = [{"concept": name, **result_row} for name, result in found.items() for result_row in result.table()]
    (folder / "weakening.csv").write_text(as_csv(lines), encoding="utf-8")
    (folder / "areas.csv").write_text(as_csv([_area_row(name, one) for name, one in table.items()]), encoding="utf-8")
    return {"weakening": table, "weakening_overall": _overall(table)}


def _overall(table: dict[str, dict[str, Any]]) -> dict[str, Any]:
    chance = np.concatenate([one["random_areas"] for one in table.values()])
    return {
        "concepts": len(table),
        "beats_every_random_order": sum(one["beats_every_random_order"] for one in table.values()),
        "hrv_mean": float(np.mean([one["hrv_area"] for one in table.values()])),
        "random_mean": float(chance.mean()),
        "random_spread": float(chance.std(ddof=1)),
        "random_orders": len(chance),
    }


def _figures(result: WeakeningResult) -> dict[str, Any]:
    (factor,) = result.factors
    areas = result.areas(factor)
    chance = [area for name, area in areas.items() if name != "hrv"]
    return {
        "hrv_area": areas["hrv"],
        "random_areas": chance,
        "base_score": result.base_score(),
        "all_heads_score": float(result.curves[0].scores[-1]),
        "prompts": result.prompts,
        "beats_every_random_order": areas["hrv"] > max(map(abs, chance)),
    }


def _area_row(name: str, one: dict[str, Any]) -> dict[str, Any]:
    chance = np.abs(one["random_areas"])
    return {
        "concept": name,
        "hrv_area": one["hrv_area"],
        "random_mean": float(np.mean(one["random_areas"])),
        "random_spread": float(np.std(one["random_areas"], ddof=1)),
        "random_largest": float(chance.max()),
        "base_score": one["base_score"],
        "all_heads_score": one["all_heads_score"],
    }


def _panels(found: dict[str, WeakeningResult]) -> np.ndarray:
    columns = 4
    figure, axes = new_plot(columns, -(-len(found) // columns), width=16.0, height=8.0)
    for axis, (name, result) in zip(axes.flat, found.items(), strict=False):
        draw_curves(axis, result, result.factors[0])
        axis.set_title(f"{name}: area {result.areas(result.factors[0])['hrv']:+.3f}", fontsize=13, loc="left")
        axis.set_ylim(-0.16, 1.16)  # room for the names of the lines
        axis.set_yticks([0, 0.25, 0.5, 0.75, 1])
    figure.supxlabel("weakened heads k (of 112); grey: random orders", fontsize=12, color=QUIET)
    figure.supylabel("probability of the word", fontsize=12)
    return pixels(figure)


def _strip(drawn: list, prompts: list[str], heads: list[int], path: Path, shown: int = 3) -> None:
    """The first prompts of an experiment in MoRHF and LeRHF order, one image per number of heads."""
    pick = [number * len(drawn) // shown for number in range(shown)]
    images = np.concatenate([drawn[number][1] for number in pick])
    labels = [f"{prompts[number]}: {order}" for number in pick for order in ("MoRHF", "LeRHF")]
    save(sheet(images, labels, [f"k = {k}" for k in heads]), path)


def steering(executor: ProcessPoolExecutor, folder: Path) -> dict[str, Any]:
    """Misreading under every strength and clamp: on prompts kept for choosing settings, and on the benchmark's."""
    settings = [("plain", 1.0, 0.0)]
    settings += [("adjusted", strength, clamp) for strength in STEERING["strengths"] for clamp in STEERING["clamps"]]
    settings += [(method, 1.0, clamp) for method in ("strengthened", "shuffled") for clamp in (0.0, 4.0)]
    keys, tasks = list[tuple](), list[tuple]()
    for name in ("pocket_polysemous_heldout", "pocket_polysemous"):
        text = (PRESETS / "benchmarks" / f"{name}.yaml").read_text(encoding="utf-8")
        for number, asked in enumerate(yaml.safe_load(text)["prompts"]):
            for setting in settings:
                keys.append((name, *setting))
                tasks.append((asked, *setting, STEERING["seed"] + number, STEERING["images"]))
    counted = results(executor, "steering", tasks, "steering")
    rows = []
    for key in dict.fromkeys(keys):
        mine = [one for one, owner in zip(counted, keys, strict=True) if owner == key]
        total = {what: sum(one[what] for one in mine) for what in mine[0]}
        shares = {what: total[what] / total["images"] for what in ("misread", "thing", "shape", "color")}
        named = zip(("prompts", "method", "strength", "clamp"), key, strict=True)
        rows.append({**dict(named), "images": total["images"], **shares})
    (folder / "steering.csv").write_text(as_csv(rows), encoding="utf-8")
    return {"steering": rows}


def summary(figures: dict[str, Any]) -> str:
    """The closing table of the parts that were drawn."""
    lines = []
    if "weakening" in figures:
        heads = f"{'concept':<12}{'area HRV':>9}{'random mean ± spread':>24}{'largest':>9}"
        lines.append(f"{heads}{'plain':>7}{'all heads':>11}")
    for name, one in figures.get("weakening", {}).items():
        row = _area_row(name, one)
        chance = f"{row['random_mean']:+.3f} ± {row['random_spread']:.3f}"
        scores = f"{one['base_score']:>7.2f}{one['all_heads_score']:>11.2f}"
        mark = "beats all" if one["beats_every_random_order"] else "does not"
        lines.append(f"{name:<12}{one['hrv_area']:>+9.3f}{chance:>24}{row['random_largest']:>9.3f}{scores}   {mark}")
    if "weakening_overall" in figures:
        total = figures["weakening_overall"]
        chance = f"{total['random_mean']:+.3f} ± {total['random_spread']:.3f}"
        beaten = f"{total['beats_every_random_order']} of {total['concepts']} beat all"
        lines.append(f"{'mean':<12}{total['hrv_mean']:>+9.3f}{chance:>24}{'':27}   {beaten}")
    if "similarity" in figures:
        alike = figures["similarity"]["concepts"]
        lines.append(f"most alike: {' and '.join(alike['closest'])}, cosine {alike['most']:.2f}")
    if "quick" in figures:
        quick, fewest = figures["quick"], figures["fewest_calls"]
        lines.append(
            f"quick preset: {quick['images']} images, {quick['draws']} draws, {quick['share_of_full_calls']:.1%} of the"
            f" UNet calls of the long build: cosine {quick['cosine']:.4f}, worst concept {quick['least']:.4f}"
        )
        reached = fewest.get("images", "not reached")
        lines.append(f"fewest images with cosine {fewest['wanted']} to images never used: {reached}")
    for row in figures.get("steering", []):
        clamp = f"clamp {row['clamp']:g}" if row["clamp"] else "no clamp"
        shares = ", ".join(f"{what} {row[what]:.1%}" for what in ("misread", "thing", "shape", "color"))
        lines.append(f"{row['prompts']}: {row['method']}, strength {row['strength']:g}, {clamp}: {shares}")
    return "\n".join(lines)
