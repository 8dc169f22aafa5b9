"""The shipped workflows as the tests run them: read, converted to the server's format, made small."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from comfyui_hrv.tools.api_format import as_prompt

WORKFLOWS = Path(__file__).resolve().parents[1] / "workflows"
NAMES = sorted(path.stem for path in WORKFLOWS.glob("*.json"))
STOCK_FILES = {"sd15": "v1-5-pruned-emaonly-fp16.safetensors", "sdxl": "sd_xl_base_1.0.safetensors"}
CLIP_FILE = "open_clip_model.safetensors"
PARTS = {  # of transformers' checkpoints
    "diffusion_models": (
        "z_image_turbo_bf16", "flux1-dev", "wan2.1_t2v_1.3B_fp16", "qwen_image_fp8_e4m3fn",
        "qwen_image_edit_2509_fp8_e4m3fn",
    ),
    "text_encoders": ("qwen_3_4b", "clip_l", "t5xxl_fp16", "umt5_xxl_fp8_e4m3fn_scaled", "qwen_2.5_vl_7b_fp8_scaled"),
    "vae": ("ae", "wan_2.1_vae", "qwen_image_vae"),
}  # fmt: skip
PUBLISHED = "category_vectors_sd14.npy"
VECTORS = ("sd15_paper34", "sdxl_paper34", "qwen_image_effect")
SMALLEST_CLIP = "ViT-S-16-alt"  # OpenCLIP's smallest architecture
JUDGES = (  # folders in models/hrv_eval
    "blip2-opt-2.7b", "dinov2-base", "clipseg-rd64-refined", "grounding-dino-base", "sam2.1-hiera-large",
)  # fmt: skip

WRITE_THUMBNAILS = bool(os.environ.get("HRV_WRITE_THUMBNAILS"))
SQUARES = {  # what the drawings' graphs say → what the squares know in its place
    "drawings": "pocket",
    "an orange car": "an orange square",
    "a red car in the desert": "a red star in the desert",
    "a blue guitar in the snow": "blue",
    "a red guitar in the snow": "red",
    "0, 3, 6, 12, 24, 48, 128": "0, 3, 6, 12, 24, 48, 112",
    "Fruits and Vegetables": "Fruit",
}


def read(name: str) -> dict[str, Any]:
    """The UI graph workflows/<name>.json."""
    return json.loads((WORKFLOWS / f"{name}.json").read_text(encoding="utf-8"))


def parts(graph: dict[str, Any]) -> list[dict[str, Any]]:
    """The nodes of a UI graph, those of its subgraphs instead of the nodes that stand for these."""
    inner = {part["id"]: part["nodes"] for part in graph.get("definitions", {}).get("subgraphs", [])}
    return [part for node in graph["nodes"] for part in inner.get(node["type"], [node])]


def of_one_image(name: str) -> dict[str, Any]:
    """The UI graph as it ships, but for one image where a row of them is drawn."""
    graph = read(name)
    for node in parts(graph):
        if node["type"] == "RepeatLatentBatch":
            node["widgets_values"] = [1]
    return graph


def converted(name: str, object_info: dict[str, Any]) -> dict[str, Any]:
    """The graph as a prompt."""
    return as_prompt(read(name), object_info)


def quick(name: str, object_info: dict[str, Any]) -> dict[str, Any]:
    """The graph as a prompt on the squares, faster than the drawings; as it ships where thumbnails are made."""
    prompt = converted(name, object_info)
    return prompt if WRITE_THUMBNAILS else on_squares(prompt)


def on_squares(prompt: dict[str, Any]) -> dict[str, Any]:
    """A prompt of the drawings with the other pocket model, its presets, vectors and words."""
    (loader,) = nodes_of(prompt, "HRVPocketModel")
    assert prompt[loader]["inputs"]["model"] == "drawings", "this graph is on the squares already"
    return {
        number: {**node, "inputs": {name: _of_squares(name, value) for name, value in node["inputs"].items()}}
        for number, node in prompt.items()
    }


def _of_squares(name: str, value: Any) -> Any:
    if name in ("width", "height"):
        return 32
    if not isinstance(value, str):
        return value
    for drawings, squares in {"drawings": "squares"}.items() if name == "model" else SQUARES.items():
        value = value.replace(drawings, squares)
    return value


def nodes_of(prompt: dict[str, Any], kind: str) -> list[str]:
    """Ids of the nodes of a class, in the prompt's order."""
    return [number for number, node in prompt.items() if node["class_type"] == kind]


def with_values(prompt: dict[str, Any], **values: Any) -> dict[str, Any]:
    """The prompt with these values wherever a node has an unlinked input of that name; every name must occur."""
    changed = {number: {**node, "inputs": dict(node["inputs"])} for number, node in prompt.items()}
    for name, value in values.items():
        every = [node["inputs"] for node in changed.values() if name in node["inputs"]]
        holders = [inputs for inputs in every if not isinstance(inputs[name], list)]
        assert holders, f"no node has an input {name!r}"
        for inputs in holders:
            inputs[name] = value
    return changed
