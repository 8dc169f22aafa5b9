"""Build HRVs by effect: every concept word in its sentences, sampled a little way, its heads measured on the way."""

from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

import comfy.sample
import torch

from ...hrv_engine.relevance.build_settings import FORWARD, EffectSettings
from ...hrv_engine.relevance.effect import HeadEffects
from ...hrv_engine.relevance.parts import Part, chosen, joined
from ...hrv_engine.relevance.samples import Sample, SampleSet
from ...hrv_engine.relevance.vote_file import VoteFile
from .build import company, empty_latent, stacked
from .build_identity import heard
from .effect import NEGATIVE, POSITIVE, WITHOUT, Measurement, measurable, measure
from .kept import Kept
from .progress import ImageProgress
from .steps import sigmas_of
from .tokens import token_table
from .unet import fingerprint, layout_of, model_family
from .words import encode, encode_once

Batch = tuple[list[int], list, list]  # sample numbers, CONDITIONING with their words and without


def build_by_effect(
    model: Any,
    clip: Any,
    samples: SampleSet,
    settings: EffectSettings,
    negative: list | None = None,
    path: Path | None = None,
    resume: bool = True,
    start: int = 0,
    count: int = 0,
) -> HeadEffects:
    """Effects of the samples; sample i always has noise seed + i and the same batch.

    start, count: the part to build, by numbers of the whole set (count 0: to the end); parts add up to the very file of
    one build. path: file for safety copies (about one a minute, and on cancel) and to resume from, as HRV Build's.
    Raises HRVError when the file there was built with other settings, for a part outside the set, for a word that has
    no tokens or no effect, and where a gradient is asked for that is not to be had.
    """
    layout = layout_of(model)
    recipe = settings.recipe(model_family(model), fingerprint(model)) | heard(clip, negative)
    empty = HeadEffects.none(samples.concepts, layout, recipe, settings.estimate == FORWARD)
    kept = Kept(empty, None if path is None else VoteFile(path, empty, resume))
    wanted = set(chosen(samples, start, count))
    measured = measurable(model, settings)
    steps = settings.places(len(sigmas_of(measured, settings)) - 1)
    negative = encode(clip, "") if negative is None else negative
    progress = ImageProgress(measured, len(wanted - kept.counted(samples, settings.seed)) * (steps[-1] + 1))
    try:
        while todo := wanted - kept.counted(samples, settings.seed):  # again only if another build cut a batch of ours
            for numbers, with_words, without in _batches(clip, samples, todo, settings):
                new = sorted(todo.intersection(numbers) - kept.counted(samples, settings.seed))
                if not new:
                    continue
                batch = [samples.samples[number] for number in numbers]
                columns = [columns_of(clip, sample) for sample in batch]
                measurement = Measurement(settings, layout, batch, columns, steps, (settings.seed, numbers[0]))
                conds = {POSITIVE: with_words, NEGATIVE: negative, WITHOUT: without}
                noise = _noise(measured, settings, numbers)
                callback = progress.callback(len(new))
                effects, errors = measure(measured, conds, measurement, noise, settings.seed + numbers[0], callback)
                rows = [numbers.index(number) for number in new]
                parts = joined(Part.of(samples, settings.seed, number, 1) for number in new)
                words = [batch[row].row for row in rows]
                kept.add(empty.with_samples(words, effects[rows], parts, None if errors is None else errors[rows]))
            kept.save()
    finally:
        kept.save()
    return kept.sums


def columns_of(clip: Any, sample: Sample) -> tuple[int, ...]:
    """The context columns of a sample's word; raises HRVError for a word without tokens."""
    return token_table(clip, sample.with_word).columns_of(sample.word)


def _batches(clip: Any, samples: SampleSet, todo: set[int], settings: EffectSettings) -> Iterator[Batch]:
    """Every batch that has a sample in `todo`; a sample is measured in the same company whatever part is asked for.

    A batch begins at each multiple of batch_size and wherever contexts change their length; without a gradient every
    sample is alone, and its switchings are batched.
    """
    size = 1 if settings.estimate == FORWARD else settings.batch_size
    every = samples.samples
    for place in sorted({number // size for number in todo}):
        encoded: list[tuple[int, Any, Any]] = []
        for number in range(place * size, min((place + 1) * size, len(every))):
            texts = every[number].with_word, every[number].without
            encoded.append((number, encode_once(clip, texts[0]), encode_once(clip, texts[1])))
        for _, alike in groupby(encoded, key=lambda numbered: (company(numbered[1]), company(numbered[2]))):
            numbers, with_words, without = zip(*alike, strict=True)
            if todo.intersection(numbers):
                yield list(numbers), stacked(list(with_words)), stacked(list(without))


def _noise(model: Any, settings: EffectSettings, numbers: list[int]) -> torch.Tensor:
    latent = empty_latent(model, 1, settings.width, settings.height)
    return torch.cat([comfy.sample.prepare_noise(latent, settings.seed + number) for number in numbers])
