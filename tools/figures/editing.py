"""One prompt pair of the editing benchmark under one method on the pocket model, read back by the scorer."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ...hrv_engine.benchmarks.editing import EditingPair
from ...hrv_engine.pocket.reading import border_difference, read_edit
from ...nodes.editing.free_prompt_edit import HRVFreePromptEdit
from ...nodes.editing.masactrl_edit import HRVMasaCtrlEdit
from ...nodes.editing.p2p_edit import HRVP2PEdit
from ...nodes.editing.plug_and_play_edit import HRVPlugAndPlayEdit
from ...nodes.host.words import encode
from ...nodes.images import to_pixels
from ...nodes.prompt import HRVPrompt
from . import session
from .subjects import SQUARES, Subject

LIMIT = "all"  # every map here has at most 16 x 16 pixels: that, or half of it a side, is what was published


def task(
    pair: EditingPair, method: str, setting: float | None, seed: int, images: int, subject: Subject = SQUARES
) -> tuple[dict[str, Any], Any]:
    """Counts of one pair, and the first source and target uint8 [2 height width 3].

    method: SDEdit, P2P, P2P-HRV, PnP, MasaCtrl, FPE, or none (the target prompt drawn from the same noise), P2P-HRV
    also with a clamp ("P2P-HRV, clamp 4") or with vectors by effect ("P2P-HRV, effect"); setting: another self_replace
    for P2P, P2P-HRV and FPE, another denoise for SDEdit; None: as published.
    Counts: pairs, edited (the edited word is read from the target), kept (what the prompts leave open is read as in
    the source), both; background (mean absolute difference of the border, 0 to 1).
    """
    model, clip, vae = session.pocket(subject)
    prompts = [HRVPrompt.execute(clip, text).args[0] for text in (pair.source, pair.target)]
    negative = encode(clip, "")
    if method == "SDEdit":
        source, target = _sdedit(model, prompts, negative, 0.8 if setting is None else setting, seed, images, subject)
    else:
        model, positive, latent = _paired(model, prompts, pair.concept, method, setting, images, subject)
        drawn = session.sample(model, positive, negative, latent, seed, subject)
        source, target = drawn[::2], drawn[1::2]
    decoded = vae.decode(source), vae.decode(target)
    counts = {"method": method, "setting": setting, **_read(pair, *decoded)}
    return counts, to_pixels(torch.stack([decoded[0][0], decoded[1][0]]))


def _paired(
    model: Any, prompts: list, concept: str, method: str, setting: float | None, images: int, subject: Subject
) -> tuple[Any, list, dict]:
    start = prompts[0], prompts[1], session.empty(subject)
    words = {
        "concept": "", "undesired": "", "edited_word": "", "cross_replace": 0.8, "self_replace": -1.0, "mode": "auto",
        "equalizer": "", "word_windows": "", "tail": "aligned", "self_limit": LIMIT, "clamp": 0.0,
        "blend_words": "", "blend_threshold": 0.3, "blend_start": 0.2, "seeds": images,
    }  # fmt: skip
    words |= {} if setting is None else {"self_replace": setting}
    if method == "P2P":
        return HRVP2PEdit.execute(model, *start, **words).args
    if method.startswith("P2P-HRV"):
        settings = words | {"concept": concept, "clamp": float(method.partition("clamp ")[2] or 0)}
        hrv = session.vectors(subject, "effect" if method.endswith("effect") else "votes")
        return HRVP2PEdit.execute(model, *start, **settings, hrv=hrv).args
    if method == "none":
        return HRVP2PEdit.execute(model, *start, **words | {"cross_replace": 0.0, "self_replace": 0.0}).args
    if method == "FPE":
        return HRVFreePromptEdit.execute(model, *start, 0.8 if setting is None else setting, LIMIT, images).args
    if method == "PnP":
        return HRVPlugAndPlayEdit.execute(model, *start, 0.5, 0.8, images).args
    return HRVMasaCtrlEdit.execute(model, *start, 0.08, -1, images).args


def _sdedit(
    model: Any, prompts: list, negative: list, denoise: float, seed: int, images: int, subject: Subject
) -> tuple[Tensor, Tensor]:
    """ComfyUI's own img2img over the drawn source, with fresh noise: the last steps of the same schedule."""
    source = session.draw(model, prompts[0], negative, seed, images, subject)
    return source, session.sample(model, prompts[1], negative, {"samples": source}, seed + 1, subject, denoise)


def _read(pair: EditingPair, source: Tensor, target: Tensor) -> dict[str, float]:
    edited, kept = read_edit(pair, *map(session.scorer().read, (source, target)))
    return {
        "pairs": len(source),
        "edited": int(edited.sum()),
        "kept": int(kept.sum()),
        "both": int((edited & kept).sum()),
        "background": float(border_difference(source, target).mean()),
    }
