"""How often HRV Suggest is right on a checkpoint of yours, on the prompts that Stable Diffusion likes to misread.

    python3 tools/bootstrap.py -- python -m tools.suggest_check CHECKPOINT VECTORS

CHECKPOINT: an SD1.x, SD2.x or SDXL file, of which only the text encoder is used. VECTORS: a file of models/hrv with the
concepts that hrv_presets/benchmarks/polysemous_sd.yaml names (paper34). No image is drawn.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from pathlib import Path
from typing import Any

import yaml


def main() -> int:
    """Print the check and a line per prompt; the exit code is 1 if a file cannot be used."""
    parser = argparse.ArgumentParser(prog="python -m tools.suggest_check", description=__doc__)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("vectors", type=Path)
    options = parser.parse_args()
    from .pack import use_comfyui

    use_comfyui("--cpu")
    return int(importlib.import_module("comfyui_hrv.tools.suggest_check").run(options.checkpoint, options.vectors))


def run(checkpoint: Path, vectors: Path) -> int:
    """`main` inside the pack's package, where ComfyUI can be imported."""
    from ..hrv_engine.errors import HRVError
    from ..hrv_engine.relevance import files

    try:
        relevance = files.load(vectors)
        print(checked(text_encoder(checkpoint), relevance))
    except HRVError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def checked(clip: Any, relevance: Any) -> str:
    """The leave-one-out check of a text encoder and concept set, and what is proposed for each prompt."""
    from ..hrv_engine.paths import PRESETS
    from ..hrv_engine.suggestion.lexicon import Lexicon
    from ..nodes.host.words import concept_vectors
    from .figures.suggest import proposal

    lexicon = Lexicon.of(relevance, concept_vectors(clip, relevance.concepts))
    prompts = yaml.safe_load((PRESETS / "benchmarks" / "polysemous_sd.yaml").read_text(encoding="utf-8"))["prompts"]
    check, rows = lexicon.check, [proposal(lexicon, clip, one) for one in prompts]
    lines = [
        f"concept words left out in turn: first {check.first} of {check.words}, among three {check.among} of"
        f" {check.words}; guessing: {check.words / len(lexicon.concepts):.0f} and"
        f" {3 * check.words / len(lexicon.concepts):.0f}"
    ]
    for row in rows:
        senses = ", ".join(f"{concept} {similarity:.2f}" for concept, similarity in row["senses"])
        lines.append(f'"{row["text"]}", {row["word"]}: {senses}; asked {" / ".join(row["asked"])}')
    count = {key: sum(row[key] for row in rows) for key in ("first", "both_in_two", "both_in_three")}
    pairs = {key: sum(set(row[key]) == set(row["asked"]) for row in rows) for key in ("free", "told")}
    lines.append(
        f"of {len(rows)} prompts: both senses among two {count['both_in_two']}, among three {count['both_in_three']};"
        f" the right pair proposed {pairs['free']}, with the meaning given {pairs['told']}; the word itself proposed"
        f" {count['first']}"
    )
    return "\n".join(lines)


def text_encoder(path: Path) -> Any:
    """The CLIP of a checkpoint file; raises HRVError when there is none."""
    import comfy.sd

    from ..hrv_engine.errors import HRVError

    if not path.is_file():
        raise HRVError(f"There is no checkpoint {path}. Give an SD1.x, SD2.x or SDXL file.")
    clip = comfy.sd.load_checkpoint_guess_config(str(path), output_vae=False, output_clip=True, output_model=False)[1]
    if clip is None:
        raise HRVError(f"{path} holds no text encoder. Give a whole SD1.x, SD2.x or SDXL checkpoint.")
    return clip


if __name__ == "__main__":
    sys.exit(main())
