"""Build HRVs: draw an image for every prompt with the stock sampler while every head votes; can resume and cancel."""

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from typing import Any

import comfy.sample
import torch

from ...hrv_engine.benchmarks.prompts import PromptSet
from ...hrv_engine.errors import HRVError
from ...hrv_engine.relevance import files
from ...hrv_engine.relevance.build_settings import BuildSettings
from ...hrv_engine.relevance.concepts import ConceptSet
from ...hrv_engine.relevance.logit_scale import LogitScale
from ...hrv_engine.relevance.parts import Part, chosen, counted, joined
from ...hrv_engine.relevance.relevance import HeadVotes
from ...hrv_engine.relevance.voting import WordSampler
from .progress import ImageProgress
from .recording import VoteRecorder
from .unet import fingerprint, layout_of, model_family
from .words import encode, word_bank

SAVE_EVERY = 60.0  # seconds between safety copies of a running build
LATENT_DOWNSCALE = 8  # core's empty latent; rescaled by core to the model's own format


def build(
    model: Any,
    clip: Any,
    concepts: ConceptSet,
    prompts: PromptSet,
    settings: BuildSettings,
    negative: list | None = None,
    path: Path | None = None,
    resume: bool = True,
    start: int = 0,
    count: int = 0,
) -> HeadVotes:
    """Votes of the images of `prompts`; image i always has noise seed + i, its own drawn words and the same batch.

    start, count: the part to build, by image numbers of the whole set (count 0: to the end); parts add up to the very
    file of one build. path: file for safety copies (about one a minute, and on cancel) and to resume from. Raises
    HRVError when the file there was built with other settings, or for a part outside the set; a cancelled build keeps
    all whole batches in `path` and re-raises.
    """
    layout = layout_of(model)
    steps = settings.steps if settings.per_timestep else None
    ballot = HeadVotes.none(concepts, layout, settings.recipe(model_family(model), fingerprint(model)), steps)
    if settings.logit_scale:
        ballot = replace(ballot, logits=LogitScale.none(layout.total))
    votes = _resumed(ballot, path) if resume else ballot
    todo = set(chosen(prompts, start, count)) - counted(votes.parts, prompts, settings.seed)
    sampler = WordSampler(word_bank(clip, concepts), settings.seed, settings.draws, settings.sampling, settings.bos_key)
    recorder = VoteRecorder(sampler, layout, steps, settings.logit_scale)
    recorded = recorder.attach(model)
    negative = encode(clip, "") if negative is None else negative
    progress = ImageProgress(recorded, len(todo) * settings.steps)
    saved = time.monotonic()
    try:
        for images, batch in _batches(clip, prompts, todo, settings.batch_size):
            new = todo.intersection(images)
            recorder.begin(images, set(images) - new)
            _draw(recorded, batch, negative, settings, images[0], progress.callback(len(new)))
            counts = recorder.take().numpy()
            per_step = counts if settings.per_timestep else None
            parts = joined(Part.of(prompts, settings.seed, number, 1) for number in new)
            batch_votes = replace(ballot, counts=counts.sum(axis=0), per_step=per_step, parts=parts)
            votes = votes + replace(batch_votes, logits=recorder.scale())
            if path is not None and time.monotonic() - saved > SAVE_EVERY:
                files.save(path, votes.relevance())
                saved = time.monotonic()
    finally:
        if path is not None and votes.images > 0:
            files.save(path, votes.relevance())
    return votes


def _resumed(ballot: HeadVotes, path: Path | None) -> HeadVotes:
    if path is None or not path.exists():
        return ballot
    votes = files.load(path).votes
    if votes is None:
        raise HRVError(
            f"{path.name} holds imported vectors without votes, so a build cannot continue it. Save under another name."
        )
    try:
        votes.check_compatible(ballot)
    except HRVError as error:
        raise HRVError(
            f"{path.name} exists and was built differently, so this build cannot continue it. {error} Or switch resume"
            " off to start over."
        ) from error
    return votes


def _batches(clip: Any, prompts: PromptSet, todo: set[int], size: int) -> Iterator[tuple[list[int], list]]:
    """(image numbers, CONDITIONING of one row an image) of every batch that has an image in `todo`.

    A batch begins at each multiple of `size` and wherever the contexts change their length: an image is drawn in the
    same company whatever part is asked for, since company changes rounding, and rounding may change a close vote.
    """
    for place in sorted({number // size for number in todo}):
        numbers = range(place * size, min((place + 1) * size, len(prompts.prompts)))
        encoded = [(number, encode(clip, prompts.prompts[number])[0]) for number in numbers]
        for _, alike in groupby(encoded, key=lambda one: one[1][0].shape):
            images, rows = zip(*alike, strict=True)
            if todo.intersection(images):
                yield list(images), _stacked(list(rows))


def _stacked(encoded: list[Any]) -> list:
    values = dict(encoded[0][1])
    if isinstance(values.get("pooled_output"), torch.Tensor):
        values["pooled_output"] = torch.cat([one[1]["pooled_output"] for one in encoded])
    return [[torch.cat([one[0] for one in encoded]), values]]


def _draw(model: Any, positive: list, negative: list, settings: BuildSettings, first: int, callback: Callable) -> None:
    size = positive[0][0].shape[0]
    shape = (size, 4, settings.height // LATENT_DOWNSCALE, settings.width // LATENT_DOWNSCALE)
    latent = comfy.sample.fix_empty_latent_channels(model, torch.zeros(shape), LATENT_DOWNSCALE)
    noise = torch.cat([comfy.sample.prepare_noise(latent[:1], settings.seed + first + i) for i in range(size)])
    comfy.sample.sample(
        model,
        noise,
        settings.steps,
        settings.cfg,
        settings.sampler_name,
        settings.scheduler,
        positive,
        negative,
        latent,
        callback=callback,
        disable_pbar=True,
        seed=settings.seed + first,
    )
