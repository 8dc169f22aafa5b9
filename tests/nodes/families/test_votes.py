"""Votes on transformers: those of Algorithm 1 written out, and an image that does not know of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from comfyui_hrv.hrv_engine.errors import HRVError
from comfyui_hrv.hrv_engine.relevance.concepts import Concept, ConceptSet
from comfyui_hrv.hrv_engine.relevance.voting import WordBank, WordSampler
from comfyui_hrv.nodes.host.families import families, family_of
from comfyui_hrv.nodes.host.families.riding import Riding
from comfyui_hrv.nodes.host.families.transformer import JointTransformer
from comfyui_hrv.nodes.host.recording import VoteRecorder
from comfyui_hrv.nodes.host.riding_words import RidingWords
from comfyui_hrv.nodes.host.unet import layout_of
from comfyui_hrv.nodes.host.word_prompts import WordPrompt, WordPrompts

from .slow_rows import Rows
from .slow_two_texts import RowsOfTwoTexts
from .slow_votes import COLUMNS, Count, slow_votes
from .tiny_models import TINY, Tiny

pytestmark = pytest.mark.usefixtures("inference_mode")
CONCEPTS = ConceptSet("three", (Concept("A", ("a", "b")), Concept("B", ("c", "d", "e")), Concept("C", ("f", "g"))))
WORDS = list(dict.fromkeys(word for concept in CONCEPTS.concepts for word in concept.words))
NUMBERS = [[WORDS.index(word) for word in concept.words] for concept in CONCEPTS.concepts]
SHORT = {"HunyuanDiT1": 7}  # a model whose contexts are of one length


def test_words_ride_in_every_joint_model_that_draws_without_sound():
    joint = [family for family in families() if isinstance(family, JointTransformer)]
    assert len(joint) > 15
    assert {family.name for family in joint if not isinstance(family, Riding)} == {"MiniMax H3"}
    assert {family.name for family in joint if family.needs_sound} == {"MiniMax H3"}


def contexts(tiny: Tiny) -> list[torch.Tensor]:
    """Of every word; of two lengths where a model takes them."""
    return [tiny.prompt(SHORT.get(tiny.kind, 6 + 2 * (n % 2)), 20 + n) for n in range(len(WORDS))]


def recorder_of(tiny: Tiny, model: Any, sampling: str = "per step") -> VoteRecorder:
    words, module = contexts(tiny), model.model.diffusion_model
    if family_of(module).words_need_runs(module):
        bank = WordBank.of(CONCEPTS, {word: torch.zeros(len(COLUMNS), 0) for word in WORDS}, None)
        kind = RidingWords if family_of(module).words_ride(module) else WordPrompts
        keys = kind(bank, [WordPrompt(tiny.conditioning(context), COLUMNS) for context in words], NUMBERS)
    else:
        encoded = {word: context[0, list(COLUMNS)] for word, context in zip(WORDS, words, strict=True)}
        bank, keys = WordBank.of(CONCEPTS, encoded, None), None
    return VoteRecorder(WordSampler(bank, 3, 2, sampling), layout_of(model), None, False, keys)


def drawn(tiny: Tiny, model: Any, batch: int = 1) -> torch.Tensor:
    return tiny.sample(model, tiny.conditioning(tiny.prompt(7, 1)), tiny.conditioning(tiny.prompt(7, 2)), batch)


def counted_slowly(tiny: Tiny, model: Any, count: Count, batch: int) -> np.ndarray:
    """Votes of the same images by the slow reference: with words beside the prompt where they ride, else run alone."""
    prompt, negative, words = tiny.prompt(7, 1), tiny.prompt(7, 2), contexts(tiny)
    module = model.model.diffusion_model
    if family_of(module).words_ride(module):
        drawn(tiny, Rows(tiny, prompt, words, module, count).on(model), batch)
    else:
        slow_votes(tiny, model, prompt, negative, words, count, batch, 2)
    return count.votes


@pytest.mark.parametrize("sampling", ["per layer", "per head"])
@pytest.mark.parametrize("name", ["Flux.2", "Z-Image", "Ernie-Image", "OmniGen2", "PixelDiT"])
def test_where_words_ride_every_drawing_is_algorithm_1_beside_a_negative_of_another_length(name, sampling):
    tiny = TINY[name]
    model, negative = tiny.model(), tiny.conditioning(tiny.prompt(9, 2))
    recorder, positive = recorder_of(tiny, model, sampling), tiny.conditioning(tiny.prompt(7, 1))
    recorder.begin([0])
    recorded = tiny.sample(recorder.attach(model), positive, negative)
    assert torch.equal(recorded, tiny.sample(model, positive, negative))
    count = Count(recorder.sampler, NUMBERS, [site.heads for site in layout_of(model).sites])
    module = model.model.diffusion_model
    tiny.sample(Rows(tiny, tiny.prompt(7, 1), contexts(tiny), module, count).on(model), positive, negative)
    assert np.array_equal(recorder.take()[0].numpy(), count.votes)


MASKED = [
    ("Qwen-Image", torch.float32),
    *((name, torch.int64) for name in ("Qwen-Image", "Lens", "Mochi", "Ideogram 4")),
]


@pytest.mark.parametrize(("name", "kind"), MASKED)
def test_where_words_ride_the_prompts_own_mask_is_kept(name, kind):
    tiny, used = TINY[name], 5
    model, mask = tiny.model(), torch.tensor([[1] * used + [0, 0]])
    mask = mask if kind == torch.int64 else (mask - 1) * 1e4

    def voted(tokens: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Image and votes under a mask, of which the prompt and its own end are cut."""
        positive, negative = (
            tiny.conditioning(tiny.prompt(7, seed)[:, :tokens], attention_mask=mask[:, :tokens]) for seed in (1, 2)
        )
        recorder = recorder_of(tiny, model)
        recorder.begin([0])
        recorded = tiny.sample(recorder.attach(model), positive, negative)
        assert torch.equal(recorded, tiny.sample(model, positive, negative))
        return recorded, recorder.take()

    (recorded, votes), (_, votes_without_pads) = voted(7), voted(used)
    assert (votes.sum(dim=1) == 2 * 2).all() and torch.equal(votes, votes_without_pads)
    assert not torch.equal(recorded, drawn(tiny, model))


def test_words_ride_beside_a_text_of_all_the_tokens_that_a_model_takes():
    tiny = TINY["PixelDiT"]
    model = tiny.model()
    module, recorder = model.model.diffusion_model, recorder_of(tiny, model)
    positive, negative = (tiny.conditioning(tiny.prompt(module.txt_max_length, seed)) for seed in (1, 2))
    recorder.begin([0])
    recorded = tiny.sample(recorder.attach(model), positive, negative)
    assert torch.equal(recorded, tiny.sample(model, positive, negative))
    count = Count(recorder.sampler, NUMBERS, [site.heads for site in layout_of(model).sites])
    tiny.sample(Rows(tiny, positive[0][0], contexts(tiny), module, count).on(model), positive, negative)
    assert np.array_equal(recorder.take()[0].numpy(), count.votes)


@pytest.mark.parametrize("sampling", ["per step", "per head"])
def test_words_ride_in_two_texts_at_once(sampling):
    tiny, batch = TINY["HiDream"], 2
    model, columns = tiny.model(), list(COLUMNS)
    positive, negative = (of_two_texts(tiny, 7, seed) for seed in (1, 2))
    words = [of_two_texts(tiny, 6 + 2 * (n % 2), 20 + n) for n in range(len(WORDS))]
    prompts = [WordPrompt(word, (1, 2, word[0][0].shape[1] + 1, word[0][0].shape[1] + 2)) for word in words]
    bank = WordBank.of(CONCEPTS, {word: torch.zeros(4, 0) for word in WORDS}, None)
    sampler = WordSampler(bank, 3, 2, sampling)
    recorder = VoteRecorder(sampler, layout_of(model), None, False, RidingWords(bank, prompts, NUMBERS))
    recorder.begin(list(range(batch)))
    recorded = tiny.sample(recorder.attach(model), positive, negative, batch)
    assert torch.equal(recorded, tiny.sample(model, positive, negative, batch))
    rows = [(word[0][0][:, columns], word[0][1]["conditioning_llama3"][:, :, columns]) for word in words]
    count = Count(sampler, NUMBERS, [site.heads for site in layout_of(model).sites])
    reference = RowsOfTwoTexts(tiny, positive[0][0], rows, model.model.diffusion_model, count)
    tiny.sample(reference.on(model), positive, negative, batch)
    assert np.array_equal(recorder.take()[0].numpy(), count.votes)


def of_two_texts(tiny: Tiny, tokens: int, seed: int) -> list:
    """A prompt of so many tokens in T5, and 5 in Llama."""
    llama = torch.randn(1, 2, 5, 32, generator=torch.Generator().manual_seed(seed))
    return tiny.conditioning(tiny.prompt(tokens, seed), conditioning_llama3=llama)


def test_two_builds_whose_words_would_ride_in_one_call_are_refused():
    tiny = TINY["Qwen-Image"]
    model = tiny.model()
    recorders = [recorder_of(tiny, model) for _ in range(2)]
    for recorder in recorders:
        recorder.begin([0])
        model = recorder.attach(model)
    with pytest.raises(HRVError, match="Two builds of head vectors take votes in one model call"):
        drawn(tiny, model)


def test_votes_equal_algorithm_1_written_out_and_the_image_is_plain_to_the_bit(tiny, model):
    batch = 1 if tiny.kind == "MiniMaxH3" else 2  # the host runs it on one image at a time
    recorder = recorder_of(tiny, model)
    recorder.begin(list(range(batch)))
    recorded, plain = drawn(tiny, recorder.attach(model), batch), drawn(tiny, model, batch)
    heads = [site.heads for site in layout_of(model).sites]
    votes = recorder.take()[0].numpy()
    expected = counted_slowly(tiny, model, Count(recorder.sampler, NUMBERS, heads), batch)
    assert (votes.sum(axis=0) == 2 * 2 * batch).all() and (expected.sum(axis=0) == 2 * 2 * batch).all()
    assert np.array_equal(votes, expected)
    assert torch.equal(recorded, plain)
