"""The vectors that ship with the pack for its pocket models, found by a model's heads."""

from pathlib import Path

from ...hrv_engine.attention.heads import HeadLayout
from ...hrv_engine.paths import PRESETS
from ...hrv_engine.relevance import files
from ...hrv_engine.relevance.relevance import EFFECT, HeadRelevance


def shipped_files() -> list[Path]:
    """The HRV files of the presets, in order of their names."""
    return sorted((PRESETS / "hrv").glob("*.safetensors"))


def shipped_for(layout: HeadLayout) -> tuple[str, HeadRelevance] | None:
    """(name of the preset, its vectors) for a model with these heads, or None.

    Those by effect come first: they turn more of the misread words (docs/effect.md).
    """
    fitting = [(path.stem, hrv) for path in shipped_files() if (hrv := files.load(path)).layout.same_heads(layout)]
    return min(fitting, key=lambda entry: entry[1].method != EFFECT, default=None)
