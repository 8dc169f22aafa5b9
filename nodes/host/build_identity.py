"""What a build's recipe says of text encoder and negative prompt: parts of one build must have both in common."""

import hashlib
from typing import Any

import torch

from ...hrv_engine.relevance.sketch import sketch
from .conditioning import Conditioning
from .unet import patches_digest, sample

SAMPLED = 16  # parameters of an encoder


def heard(clip: Any, negative: Conditioning | None) -> dict[str, str]:
    """The entries of a recipe: `text_encoder`, a short hash; `negative`, a sketch of the one that is connected."""
    found = {"text_encoder": text_encoder_fingerprint(clip)}
    return found if negative is None else {**found, "negative": _told(negative)}


def text_encoder_fingerprint(clip: Any) -> str:
    """A short hash over the layer that is read, LoRA-like patches, and some norms and biases of an encoder.

    Those are what files of other precision (fp8, fp16) leave as they are.
    """
    module = getattr(clip, "cond_stage_model", None)
    named = module.named_parameters() if isinstance(module, torch.nn.Module) else ()
    vectors = [(name, one) for name, one in named if one.ndim == 1 and one.is_floating_point()]
    digest = hashlib.sha256(repr((type(module).__name__, getattr(clip, "layer_idx", None))).encode())
    for name, vector in vectors[:: max(1, len(vectors) // SAMPLED)]:
        digest.update(name.encode() + sample(vector))
    digest.update(patches_digest(getattr(getattr(clip, "patcher", None), "patches", {})))
    return digest.hexdigest()[:16]


def _told(negative: Conditioning) -> str:
    """What a conditioning encodes, and with which numbers (strength, area, range of sampling) it acts."""
    told = []
    for context, values in negative:
        numbers = {key: value for key, value in values.items() if isinstance(value, (str, int, float, tuple))}
        told.append(f"{sketch(context)} {sorted(numbers.items())}".replace(", ", ","))
    return " | ".join(told)
