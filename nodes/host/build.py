"""Build HRVs: draw an image for every prompt with the stock sampler while every head votes; can resume and cancel."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from typing import Any

import comfy.sample
import comfy.samplers
import torch

from ...hrv_engine.benchmarks.prompts import PromptSet
from ...hrv_engine.errors import HRVError
from ...hrv_engine.relevance.build_settings import AUTO, BuildSettings
from ...hrv_engine.relevance.concepts import ConceptSet
from ...hrv_engine.relevance.logit_scale import LogitScale
from ...hrv_engine.relevance.parts import Part, chosen, joined
from ...hrv_engine.relevance.relevance import HeadVotes
from ...hrv_engine.relevance.vote_file import VoteFile
from ...hrv_engine.relevance.voting import PER_LAYER, PER_STEP, WordSampler
from .build_identity import heard
from .families import family_of
from .kept import Kept
from .progress import ImageProgress
from .recording import VoteRecorder
from .riding_words import RidingWords
from .steps import sigmas_of
from .unet import fingerprint, layout_of, model_family
from .word_prompts import WordPrompts
from .words import encode, encode_once, word_bank, word_prompts

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
    file of one build. path: file for safety copies (about one a minute, and on cancel) and to resume from; other builds
    may add to it at the same time, and what they counted is not drawn again. Raises HRVError when the file there was
    built with other settings, or for a part outside the set; a cancelled build keeps all whole batches in `path` and
    re-raises.
    """
    layout = layout_of(model)
    run_steps = len(sigmas_of(model, settings)) - 1
    steps = run_steps if settings.per_timestep else None
    settings = replace(settings, sampling=sampling_of(model, settings.sampling))
    keys = keys_of_words(model, clip, concepts, settings)
    bank = word_bank(clip, concepts) if keys is None else keys.bank
    sampler = WordSampler(bank, settings.seed, settings.draws, settings.sampling, settings.bos_key)
    how = "" if keys is None else keys.how
    recipe = settings.recipe(model_family(model), fingerprint(model), bank.has_begin, how) | heard(clip, negative)
    ballot = HeadVotes.none(concepts, layout, recipe, steps)
    if settings.logit_scale:
        ballot = replace(ballot, logits=LogitScale.none(layout.total))
    kept = Kept(ballot, None if path is None else VoteFile(path, ballot, resume))
    wanted = set(chosen(prompts, start, count))
    recorder = VoteRecorder(sampler, layout, steps, settings.logit_scale, keys)
    recorded = recorder.attach(model)
    negative = encode(clip, "") if negative is None else negative
    progress = ImageProgress(recorded, len(wanted - kept.counted(prompts, settings.seed)) * run_steps)
    try:
        while todo := wanted - kept.counted(prompts, settings.seed):  # again only if another build cut a batch of ours
            for images, batch in _batches(clip, prompts, todo, settings.batch_size):
                new = todo.intersection(images) - kept.counted(prompts, settings.seed)
                if not new:
                    continue
                recorder.begin(images, set(images) - new)
                _draw(recorded, batch, negative, settings, images[0], progress.callback(len(new)))
                counts = recorder.take().numpy()
                per_step = counts if settings.per_timestep else None
                parts = joined(Part.of(prompts, settings.seed, number, 1) for number in new)
                batch_votes = replace(ballot, counts=counts.sum(axis=0), per_step=per_step, parts=parts)
                kept.add(replace(batch_votes, logits=recorder.scale()))
            kept.save()
    finally:
        kept.save()
    return kept.sums


def sampling_of(model: Any, sampling: str) -> str:
    """Who draws words of their own: as asked, or for AUTO the heads of each layer wherever that costs nothing."""
    if sampling != AUTO:
        return sampling
    module = model.model.diffusion_model
    return PER_STEP if family_of(module).words_need_runs(module) else PER_LAYER


def keys_of_words(
    model: Any, clip: Any, concepts: ConceptSet, settings: BuildSettings
) -> RidingWords | WordPrompts | None:
    """The concept words as rows that ride in the images' runs, or as prompts to be run beside them.

    None for a model that projects words as they are. Raises HRVError where heads or layers that draw words of their own
    would make runs beside the images too many.
    """
    module = model.model.diffusion_model
    family = family_of(module)
    if not family.words_need_runs(module):
        return None
    if family.words_ride(module):
        return word_prompts(clip, concepts, RidingWords)
    if settings.sampling != PER_STEP:
        concept_count, every = len(concepts.concepts), len({w for one in concepts.concepts for w in one.words})
        raise HRVError(
            f"In {family.name} a concept word has keys only in a run of its own beside the image, so every drawn word"
            f' costs a run of the model at each step. With sampling "{settings.sampling}" that may be all {every} words'
            f' of {concept_count} concepts. Set sampling to "{AUTO}" or "{PER_STEP}": all heads share one word a'
            f" concept, which is {concept_count} runs a draw. HRV Build by Effect works here too."
        )
    return word_prompts(clip, concepts, WordPrompts)


def _batches(clip: Any, prompts: PromptSet, todo: set[int], size: int) -> Iterator[tuple[list[int], list]]:
    """(image numbers, CONDITIONING of one row an image) of every batch that has an image in `todo`.

    A batch begins at each multiple of `size` and wherever the contexts change their length, or prompts differ in what
    cannot be stacked: an image is drawn in the same company whatever part is asked for, since company changes rounding,
    and rounding may change a close vote.
    """
    texts = prompts.texts
    for place in sorted({number // size for number in todo}):
        numbers = range(place * size, min((place + 1) * size, len(prompts.prompts)))
        encoded = [(number, encode_once(clip, texts[number])) for number in numbers]
        for _, alike in groupby(encoded, key=lambda numbered: company(numbered[1])):
            images, rows = zip(*alike, strict=True)
            if todo.intersection(images):
                yield list(images), stacked(list(rows))


def company(encoded: Any) -> tuple:
    """What encoded prompts must have in common to be rows of one CONDITIONING; compares equal where they have it."""
    context, values = encoded
    return tuple(context.shape), {name: _common(name, value) for name, value in values.items()}


def _common(name: str, value: Any) -> Any:
    if not isinstance(value, torch.Tensor):
        return value
    return ("rows", value.shape) if _has_rows(name, value) else ("whole", value.tolist())


def _has_rows(name: str, value: Any) -> bool:
    """Whether each prompt has a row of its own of a value.

    A mask has not: the host counts the tokens of some models' prompts in it, of all rows together.
    """
    return isinstance(value, torch.Tensor) and value.ndim > 1 and value.shape[0] == 1 and name != "attention_mask"


def stacked(encoded: list[Any]) -> list:
    """CONDITIONING of one row for each of several encoded prompts of one `company`."""
    values = dict(encoded[0][1])
    for name in values:
        if _has_rows(name, values[name]):
            values[name] = torch.cat([of_prompt[name] for _, of_prompt in encoded])
    return [[torch.cat([context for context, _ in encoded]), values]]


def _draw(model: Any, positive: list, negative: list, settings: BuildSettings, first: int, callback: Callable) -> None:
    size = positive[0][0].shape[0]
    latent = empty_latent(model, size, settings.width, settings.height)
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


def empty_latent(model: Any, images: int, width: int, height: int) -> torch.Tensor:
    """Core's empty latent for a model, [images channels height width]; width and height in pixels.

    Raises HRVError for a model that draws only together with sound.
    """
    family = family_of(model.model.diffusion_model)
    if family.needs_sound:
        raise HRVError(
            f"Vectors cannot be built for {family.name} yet: it draws only with a second latent, of sound, and the"
            " empty latents of a build have none. Vectors of another model do not fit its heads."
        )
    shape = (images, 4, height // LATENT_DOWNSCALE, width // LATENT_DOWNSCALE)
    return comfy.sample.fix_empty_latent_channels(model, torch.zeros(shape), LATENT_DOWNSCALE)
