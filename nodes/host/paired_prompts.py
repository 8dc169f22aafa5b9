"""Source and targets as rows of one batch: stacked prompts, shared noise, and a model that pairs them."""

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ...hrv_engine.editing.ddim_inversion import Trajectory
from ...hrv_engine.editing.local_blend import LocalBlend
from ...hrv_engine.editing.paired_edit import PairedEdit
from ...hrv_engine.errors import HRVError
from .conditioning import KEY, Conditioning, PairedPrompts, PromptAnnotation

REPLAY = "hrv_replay"  # the key of an inversion's Trajectory in a LATENT


@dataclass(frozen=True)
class Prompt:
    """One prompt of a conditioning: its context [1 tokens channels], its values, its tag if HRV Prompt encoded it."""

    context: Tensor
    values: dict[str, Any]
    tag: PromptAnnotation | None

    @property
    def tokens(self) -> int:
        """The length of its context."""
        return int(self.context.shape[1])


def single_prompt(conditioning: Conditioning, name: str) -> Prompt:
    """The one prompt of an input called `name`; raises HRVError for combined or already stacked prompts."""
    if len(conditioning) != 1 or conditioning[0][0].shape[0] != 1:
        count = sum(tensor.shape[0] for tensor, _ in conditioning)
        if all("clip_start_percent" in values for _, values in conditioning):
            raise HRVError(
                f"The {name} is one prompt that was encoded {count} times, for {count} parts of the run: its CLIP has"
                " scheduled hooks (a LoRA whose strength changes). An editing node pairs prompts encoded once. Switch"
                " off schedule_clip in Set CLIP Hooks, or encode with a CLIP without hooks."
            )
        raise HRVError(
            f"The {name} holds {count} prompts, but an editing node pairs one source with one prompt a target. Connect"
            " a single encoded prompt; combine or stack others after this node."
        )
    context, values = conditioning[0]
    tag = values.get(KEY)
    return Prompt(context, values, tag.on(context) if isinstance(tag, PromptAnnotation) else None)


def check_appended(source: Prompt, target: Prompt) -> None:
    """Raise HRVError unless columns of unknown words, appended to a source and its target, are the same in both."""
    ours, theirs = (p.context[:, p.tokens - (p.tag.table.unknown if p.tag else 0) :] for p in (source, target))
    if ours.shape[1] != theirs.shape[1] or ours.shape[1] and not _same(ours, theirs):
        raise HRVError(
            f"Other prompts were appended to source and target (as ConditioningConcat does): {ours.shape[1]} and"
            f" {theirs.shape[1]} columns whose words are not known, so which stands for which cannot be told. Append"
            " the same prompt to both, write everything into one HRV Prompt each, or connect HRV Tag Conditioning with"
            " the appended text after each ConditioningConcat."
        )


def stacked(
    prompts: list[Prompt], edit: PairedEdit, replay: Trajectory | None = None, blend: LocalBlend | None = None
) -> Conditioning:
    """One conditioning with a row a prompt, source first, contexts repeated to one length; keeps the source's values.

    Raises HRVError when the prompts come from different text encoders, or a target has an area, a mask, a range or
    anything else of its own that the source has not: rows of one conditioning share all of it.
    """
    source = prompts[0]
    for number, prompt in enumerate(prompts[1:], start=1):
        _check_shared(source, prompt, number)
        ours, theirs = _encoder(source), _encoder(prompt)
        if ours != theirs:
            raise HRVError(
                f"Source and target come from different text encoders: contexts of {ours[0]} and {theirs[0]} channels,"
                f" pooled vectors of {ours[1]} and {theirs[1]}. Encode both with the CLIP of the checkpoint you sample"
                " with."
            )
    lengths = tuple(prompt.tokens for prompt in prompts)
    tokens = math.lcm(*lengths)
    context = torch.cat([p.context.repeat(1, tokens // p.tokens, 1).to(source.context) for p in prompts])
    values = {**source.values, KEY: PairedPrompts(tuple(p.tag for p in prompts), lengths, edit, replay, blend)}
    if values.get("pooled_output") is not None:
        values["pooled_output"] = torch.cat([p.values["pooled_output"] for p in prompts])
    return [[context, values]]


OWN = (KEY, "pooled_output")  # what every row of a conditioning has for itself
SAID = {  # how people call what a conditioning may carry
    "area": "an area", "mask": "a mask", "strength": "a strength", "mask_strength": "the strength of a mask",
    "start_percent": "a timestep range", "end_percent": "a timestep range", "control": "a ControlNet",
    "gligen": "GLIGEN boxes", "hooks": "hooks (a LoRA of its own, or a schedule)", "width": "an image size (SDXL)",
    "height": "an image size (SDXL)", "target_width": "an image size (SDXL)", "target_height": "an image size (SDXL)",
    "crop_w": "a crop (SDXL)", "crop_h": "a crop (SDXL)", "concat_latent_image": "an inpainting image",
    "reference_latents": "a reference image",
}  # fmt: skip


def _check_shared(source: Prompt, target: Prompt, number: int) -> None:
    own = [key for key in target.values if key not in OWN and not _same(target.values[key], source.values.get(key))]
    if own:
        said = ", ".join(dict.fromkeys(SAID.get(key, f'"{key}"') for key in own))
        raise HRVError(
            f"Target {number} carries {said} that the source does not have, but source and targets are rows of one"
            " conditioning and share all that is not words. Set it on the source and the target alike, or on neither."
        )


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, Tensor) or isinstance(other, Tensor):
        alike = isinstance(one, Tensor) and isinstance(other, Tensor) and one.shape == other.shape
        return alike and torch.equal(one, other.to(one))
    return one is other or bool(one == other)


def _encoder(prompt: Prompt) -> tuple[int, int]:
    pooled = prompt.values.get("pooled_output")
    return prompt.context.shape[-1], 0 if pooled is None else pooled.shape[-1]


def paired_latent(latent: dict[str, Any], branches: int, seeds: int = 1) -> dict[str, Any]:
    """A LATENT of seeds x branches rows: for every seed the source and its targets, all with the same noise.

    Raises HRVError when the latent holds several images.
    """
    samples = latent["samples"]
    if samples.shape[0] != 1:
        raise HRVError(
            f"This latent holds {samples.shape[0]} images, but an editing node makes the rows itself: the source and"
            f" its targets from one noise. Set its batch_size to 1, and seeds to {samples.shape[0]} for several pairs."
        )
    rows = branches * seeds
    first = int((latent.get("batch_index") or [0])[0])
    paired = {**latent, "samples": samples.repeat(rows, *[1] * (samples.ndim - 1))}
    paired["batch_index"] = [first + seed for seed in range(seeds) for _ in range(branches)]
    mask = latent.get("noise_mask")
    if mask is not None:
        paired["noise_mask"] = mask[:1].repeat(rows, *[1] * (mask.ndim - 1))
    return paired
