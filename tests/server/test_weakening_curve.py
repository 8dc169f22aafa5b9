"""An experiment through the real server: lists of prompts expand, and one curve collects them."""

from __future__ import annotations

import csv
import io
import json

import numpy as np

K, PROMPTS = (0, 12, 112), 3


def graph() -> dict[str, dict]:
    """Prompts, words and seeds as lists -> prompt -> sweep -> scores -> one curve; sheets and tables shown too."""
    nodes = {
        "pocket": ("HRVPocketModel", {"model": "squares"}),
        "hrv": ("HRVLoad", {"file": "preset: pocket.safetensors"}),
        "prompts": ("HRVWeakeningPrompts", {"experiment": "pocket_weakening: Color", "prompts": PROMPTS, "seeds": "1"}),
        "positive": ("HRVPrompt", {"clip": ["pocket", 1], "text": ["prompts", 0]}),
        "negative": ("CLIPTextEncode", {"clip": ["pocket", 1], "text": ""}),
        "latent": ("EmptyLatentImage", {"width": 32, "height": 32, "batch_size": 1}),
        "sweep": (
            "HRVWeakenSweep",
            {
                "model": ["pocket", 0],
                "positive": ["positive", 0],
                "negative": ["negative", 0],
                "vae": ["pocket", 2],
                "latent_image": ["latent", 0],
                "hrv": ["hrv", 0],
                "concept": ["prompts", 3],
                "heads": ", ".join(map(str, K)),
                "orders": "MoRHF, LeRHF",
                "factors": "-2",
                "seed": ["prompts", 2],
                "steps": 4,
                "cfg": 3.0,
                "sampler_name": "ddim",
                "scheduler": "ddim_uniform",
                "batch_size": 6,
            },
        ),
        "scorer": ("HRVPocketScorer", {}),
        "score": (
            "HRVScoreImages",
            {"images": ["sweep", 1], "scorer": ["scorer", 0], "word": ["prompts", 1], "table": ["sweep", 2]},
        ),
        "curve": ("HRVWeakenCurve", {"table": ["score", 0], "title": ["prompts", 3], "confidence": 0.95}),
        "picture": ("PreviewImage", {"images": ["curve", 0]}),
        "sheets": ("PreviewImage", {"images": ["sweep", 0]}),
        "rows": ("PreviewAny", {"source": ["score", 0]}),
        "areas": ("PreviewAny", {"source": ["curve", 1]}),
        "csv": ("PreviewAny", {"source": ["curve", 2]}),
    }
    return {name: {"class_type": kind, "inputs": inputs} for name, (kind, inputs) in nodes.items()}


def test_lists_of_prompts_become_one_curve_over_all_of_them(server):
    outputs = server.client.run(graph())
    rows = [json.loads(line) for text in outputs["rows"]["text"] for line in text.splitlines()]
    assert len(rows) == PROMPTS * 2 * len(K)
    assert len({row["prompt"] for row in rows}) == len({row["word"] for row in rows}) == PROMPTS
    assert all(f" {row['word']} " in row["prompt"] and row["concept"] == "Color" for row in rows)
    assert len(server.client.images(outputs, "sheets")) == PROMPTS

    (text,), (areas,) = outputs["csv"]["text"], outputs["areas"]["text"]
    lines = list(csv.DictReader(io.StringIO(text)))
    assert [(line["order"], int(line["heads"])) for line in lines] == [(o, k) for o in ("MoRHF", "LeRHF") for k in K]
    for line in lines:
        key = (line["order"], int(line["heads"]))
        scores = [row["score"] for row in rows if (row["order"], row["heads"]) == key]
        assert len(scores) == PROMPTS
        assert abs(float(line["score"]) - np.mean(scores)) < 1e-5
        assert float(line["low"]) <= float(line["score"]) <= float(line["high"])
    assert f"{PROMPTS} prompts, H = 112" in areas
    (image,) = server.client.images(outputs, "picture")
    assert np.asarray(image).std() > 10
