"""HRV Reference Strength on edit models: equal to attention written out, for the image's queries and no others."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import pytest
import torch

from comfyui_hrv.hrv_engine.errors import HRVError
from comfyui_hrv.hrv_engine.relevance.rescale import concept_share
from comfyui_hrv.nodes.host.conditioning import KEY
from comfyui_hrv.nodes.host.control import receipts_of
from comfyui_hrv.nodes.host.references import ReferenceAnnotation
from comfyui_hrv.nodes.host.steering import steered
from comfyui_hrv.nodes.host.unet import layout_of
from comfyui_hrv.nodes.steering.reference_strength import HRVReferenceStrength

from ..explicit import relative
from ..vectors import random_vectors
from .explicit import Explicit
from .steered import annotation, factors_of
from .test_what_stays_untouched import noted
from .tiny_models import TINY, Tiny

pytestmark = pytest.mark.usefixtures("inference_mode")
TOKENS, SIZES = 7, (16, 8)  # of the prompt, and of two reference images


def latents(*shapes: tuple[int, ...]) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(9)
    return [torch.randn(1, *shape, generator=generator) for shape in shapes]


PIXELS = latents((16, 8, 8), (16, 4, 8))
FRAMES = latents((16, 1, 8, 8), (16, 1, 4, 8))
PACKED = latents((128, 4, 4), (128, 2, 4))
AFTER, BEFORE = {"pads": sum(SIZES)}, {"between": sum(SIZES)}


@dataclass(frozen=True)
class Edit:
    """An edit model: its tiny model, two references, where they are, and the first one's place from the prompt's."""

    name: str
    latents: list[torch.Tensor]
    places: dict[str, Any]
    start: int
    more: dict[str, Any] = field(default_factory=dict)

    @property
    def tiny(self) -> Tiny:
        return replace(TINY[self.name], **self.places)

    def conditioning(self, seed: int, tokens: int = TOKENS) -> list:
        prompt = self.tiny.prompt(tokens, seed)
        return self.tiny.conditioning(prompt, reference_latents=list(self.latents), **self.more)

    def columns(self, image: int) -> tuple[int, ...]:
        """The keys of a reference image, or of all (0), counted from the prompt's first token."""
        first = self.start + (SIZES[0] if image == 2 else 0)
        return tuple(range(first, first + (SIZES[image - 1] if image else sum(SIZES))))


EDITS = {
    "Flux Kontext": Edit("Flux.1", PIXELS, AFTER, TOKENS + 16),
    "Flux.2": Edit("Flux.2", PACKED, AFTER, TOKENS + 16),
    "Qwen-Image-Edit": Edit("Qwen-Image", FRAMES, AFTER, TOKENS + 16),
    "Mage-Flow": Edit("Mage-Flow", PACKED, AFTER, TOKENS + 16),
    "Krea 2": Edit("Krea 2", FRAMES, AFTER, TOKENS + 16, {"reference_latents_method": "index"}),
    "OmniGen2": Edit("OmniGen2", PIXELS, BEFORE, TOKENS),
    "JoyImage": Edit("JoyImage", FRAMES, BEFORE, -sum(SIZES)),
}
_models: dict[str, Any] = {}


@pytest.fixture(params=list(EDITS))
def edit(request) -> Edit:
    return EDITS[request.param]


@pytest.fixture
def model(edit) -> Any:
    if edit.name not in _models:
        _models[edit.name] = edit.tiny.model()
    return _models[edit.name]


def only(*names: str) -> Any:
    return pytest.mark.parametrize("edit", names, indirect=True)


def asked(model: Any, given: list, image=0, strength=1.0, concept="", hrv=None, start=0.0, end=1.0) -> tuple:
    """MODEL, CONDITIONING and report."""
    return HRVReferenceStrength.execute(model, given, image, strength, concept, start, end, hrv).args


def drawn(edit: Edit, model: Any, given: list, other: int = TOKENS, batch: int = 1) -> torch.Tensor:
    return edit.tiny.sample(model, given, edit.conditioning(2, other), batch)


def written_out(edit: Edit, model: Any, image: int, factors: torch.Tensor, other=TOKENS, batch=1) -> torch.Tensor:
    """Latents with the columns of a reference image times factors [sites heads] in attention written out."""
    explicit = Explicit(edit.tiny, edit.tiny.prompt(TOKENS, 1), edit.columns(image), factors)
    result = drawn(edit, explicit.on(model), edit.conditioning(1), other, batch)
    assert explicit.site == edit.tiny.sites
    return result


@pytest.mark.parametrize("image", [0, 1, 2])
@pytest.mark.parametrize("other", [TOKENS, 10], ids=["together", "apart"])
def test_a_strength_equals_attention_written_out(edit, model, image, other):
    ours, positive, _ = asked(model, edit.conditioning(1), image, -0.5)
    here = drawn(edit, ours, positive, other)
    assert relative(here, written_out(edit, model, image, factors_of(model, -0.5), other)) <= 1e-5
    assert relative(here, drawn(edit, model, edit.conditioning(1), other)) > 1e-4
    assert f"{edit.tiny.sites} of {edit.tiny.sites} layers, 2 of 2 steps" in "".join(receipts_of(ours) or ())


def test_strength_one_is_plain_to_the_bit(edit, model):
    ours, positive, report = asked(model, edit.conditioning(1), 2, 1.0)
    plain = drawn(edit, model, edit.conditioning(1))
    assert torch.equal(drawn(edit, ours, positive), plain)
    assert report == "image 2 of 2: strength 1, nothing to do"
    ours, positive, _ = asked(model, edit.conditioning(1), 2, 0.0, start=0.5, end=0.5)
    assert torch.equal(drawn(edit, ours, positive), plain)


@only("Flux Kontext", "Flux.2", "Qwen-Image-Edit")
def test_every_image_of_a_batch_gets_it_alike(edit, model):
    ours, positive, _ = asked(model, edit.conditioning(1), 1, 0.0)
    three = drawn(edit, ours, positive, batch=3)
    assert relative(three, written_out(edit, model, 1, factors_of(model, 0.0), batch=3)) <= 1e-5


@only("Flux Kontext", "Flux.2", "Qwen-Image-Edit", "OmniGen2")
def test_through_a_concept_only_its_heads_change(edit, model):
    hrv = random_vectors(model, "Color", "Plants", "Animals")
    share = concept_share(hrv, "Color, Animals")
    assert share.max() == 1 and share.min() < 0.9
    ours, positive, report = asked(model, edit.conditioning(1), 2, 0.25, " Color, Animals ", hrv)
    factors = torch.from_numpy(1 - 0.75 * share).reshape(factors_of(model).shape)
    here = drawn(edit, ours, positive)
    assert relative(here, written_out(edit, model, 2, factors)) <= 1e-5
    assert relative(here, written_out(edit, model, 2, factors_of(model, 0.25))) > 1e-4
    assert report == f"image 2 of 2: strength 0.25 in all {share.size} heads of Color, Animals"


def first_site(edit: Edit, model: Any, positive: list, count: int) -> list:
    """The attention calls of the first site, which plainly is one call: (queries, values, output)."""
    total = edit.tiny.padded(TOKENS)[1] + sum(SIZES) + edit.tiny.image
    calls = noted(edit.tiny, model, positive)
    axis = 2 if calls[-1][1].ndim == 4 else 1
    return [call for call in calls if call[1].shape[axis] == total][:count]


@only("Flux Kontext", "Flux.2", "Qwen-Image-Edit", "OmniGen2", "JoyImage")
def test_two_images_have_strengths_of_their_own_and_text_and_references_see_what_they_had(edit, model):
    _, value, output = first_site(edit, model, edit.conditioning(1), 1)[0]
    ours, positive, _ = asked(model, edit.conditioning(1), 1, 0.75)
    ours, positive, _ = asked(ours, positive, 2, -1.0)
    ours, positive, _ = asked(ours, positive, 0, 2.0)
    others = 2 if edit.places == AFTER else 1  # the text's queries and the references', or both in one
    parts = first_site(edit, ours, positive, 1 + others)
    image = next(part for part in parts if part[0] == edit.tiny.image)
    rest = [part for part in parts if part is not image]

    prompt = edit.tiny.image + sum(SIZES) if edit.tiny.image_first else edit.tiny.padded(TOKENS)[0]
    expected, given = joined(value), joined(image[1])
    factors = torch.ones(expected.shape[1])
    for number, factor in ((1, 1.5), (2, -2.0)):
        factors[[prompt + column for column in edit.columns(number)]] = factor
    if given.shape != expected.shape:  # groups of heads that share their values
        expected = expected.unflatten(2, (2, -1)).repeat_interleave(2, dim=2).flatten(2)
    assert torch.equal(given, expected * factors[:, None])

    start = 0
    for part in [image, *rest] if edit.tiny.image_first else [rest[0], image, *rest[1:]]:
        assert (part is image) != torch.equal(joined(part[1]), joined(value))
        if part is not image:
            assert relative(joined(part[2]), joined(output)[:, start : start + part[0]]) <= 1e-6
        start += part[0]
    assert start == expected.shape[1]


def joined(tensor: torch.Tensor) -> torch.Tensor:
    """[batch heads tokens dim] as [batch tokens heads*dim]."""
    return tensor.transpose(1, 2).flatten(2) if tensor.ndim == 4 else tensor


@only("Flux Kontext", "Qwen-Image-Edit")
def test_a_negative_prompt_has_a_strength_of_its_own(edit, model):
    ours, negative, _ = asked(model, edit.conditioning(2), 1, 0.0)
    both = edit.tiny.sample(ours, edit.conditioning(1), negative)
    assert relative(both, drawn(edit, model, edit.conditioning(1))) > 1e-4
    swapped = Explicit(edit.tiny, edit.tiny.prompt(TOKENS, 2), edit.columns(1), factors_of(model, 0.0))
    there = edit.tiny.sample(swapped.on(model), edit.conditioning(1), edit.conditioning(2))
    assert relative(both, there) <= 1e-5


@only("Flux Kontext", "Flux.2", "Qwen-Image-Edit")
def test_it_acts_in_its_part_of_the_sampling(edit, model):
    ours, positive, report = asked(model, edit.conditioning(1), 0, 0.0, end=0.3)
    drawn(edit, ours, positive)
    assert "1 of 2 steps" in "".join(receipts_of(ours) or ())
    assert report.endswith("from 0% to 30% of the sampling")


@only("Flux Kontext", "Flux.2", "Qwen-Image-Edit")
def test_it_stands_beside_the_strength_of_a_word_in_either_order(edit, model):
    marked = edit.conditioning(1)
    marked[0][1][KEY] = annotation(factors_of(model))
    one, positive, _ = asked(steered(model), marked, 1, 0.0)
    other = steered(asked(model, marked, 1, 0.0)[0])
    first, second = drawn(edit, one, positive), drawn(edit, other, positive)
    assert relative(first, second) <= 1e-6
    for alone in (drawn(edit, steered(model), marked), written_out(edit, model, 1, factors_of(model, 0.0))):
        assert relative(first, alone) > 1e-4


@only("Flux Kontext")
def test_what_cannot_be_is_said(edit, model):
    given = edit.conditioning(1)
    with pytest.raises(HRVError, match="no reference image 3: this conditioning has 2 of them.* 1 to 2.*or 0"):
        asked(model, given, 3, 0.5)
    with pytest.raises(HRVError, match="has no reference image. Put this node after .*Set Reference Latent"):
        asked(model, edit.tiny.conditioning(edit.tiny.prompt(TOKENS, 1)), 1, 0.5)
    with pytest.raises(HRVError, match='heads of "Color" alone, but no HRV is connected'):
        asked(model, given, 1, 0.5, "Color")
    with pytest.raises(HRVError, match="Colour"):
        asked(model, given, 1, 0.5, "Colour", random_vectors(model, "Color"))
    with pytest.raises(HRVError, match="runs backwards"):
        asked(model, given, 1, 0.5, start=0.5, end=0.2)
    one = [[given[0][0], {**given[0][1], "reference_latents": given[0][1]["reference_latents"][:1]}]]
    with pytest.raises(HRVError, match="image 2: this conditioning has 1 of them, 1 is the only number"):
        asked(model, one, 2, 0.5)


@only("Flux Kontext")
def test_entries_without_the_image_stay_as_they_are(edit, model):
    given, without = edit.conditioning(1), edit.tiny.conditioning(edit.tiny.prompt(TOKENS, 3))
    _, marked, _ = asked(model, given + without, 2, 0.5)
    assert [ReferenceAnnotation.key in values for _, values in marked] == [True, False]
    assert ReferenceAnnotation.key not in given[0][1]


@only("Flux Kontext")
def test_references_taken_away_afterwards_are_missed_and_said(edit, model):
    ours, positive, _ = asked(model, edit.conditioning(1), 2, 0.5)
    fewer = [[context, {**values, "reference_latents": edit.latents[:1]}] for context, values in positive]
    with pytest.raises(HRVError, match="no reference image 2"):
        drawn(edit, ours, fewer)


@only("Flux Kontext")
def test_a_model_call_of_another_nodes_own_is_an_error(edit, model):
    def own_calls(given: dict) -> list[torch.Tensor]:
        return [torch.zeros_like(given["input"]) for _ in given["conds"]]

    ours, positive, _ = asked(model, edit.conditioning(1), 1, 0.5)
    ours.model_options["sampler_calc_cond_batch_function"] = own_calls
    with pytest.raises(HRVError, match="no model call of this run came by HRV nodes"):
        drawn(edit, ours, positive)


@only("Krea 2")
def test_a_model_that_leaves_its_references_out_is_named(edit, model):
    bare = replace(edit, more={})
    ours, positive, _ = asked(model, bare.conditioning(1), 0, 0.5)
    with pytest.raises(HRVError, match="Krea 2 got no rows of reference images.*Edit Model Reference Method"):
        drawn(bare, ours, positive)


@only("Flux Kontext")
def test_a_conditioning_marked_for_another_model_is_refused(edit, model):
    other = EDITS["Qwen-Image-Edit"].tiny.model()
    assert layout_of(other).total != layout_of(model).total
    _, positive, _ = asked(other, edit.conditioning(1), 1, 0.5)
    with pytest.raises(HRVError, match="was set for a model of 8 heads, and this one has 16"):
        drawn(edit, asked(model, edit.conditioning(1))[0], positive)


REFUSED = [name for name in TINY if name not in {edit.name for edit in EDITS.values()}]


@pytest.mark.parametrize("name", REFUSED)
def test_models_without_references_among_their_keys_are_refused_by_name_with_a_reason(name):
    tiny = TINY[name]
    model = tiny.model()
    given = tiny.conditioning(tiny.prompt(TOKENS, 1), reference_latents=PIXELS)
    with pytest.raises(HRVError, match=r"HRV Reference Strength cannot act on \w+ \(.+\)\. (Its?|An) "):
        asked(model, given, 0, 0.5)


def test_a_unet_is_refused(trio):
    with pytest.raises(HRVError, match="UNet.*IP-Adapter"):
        asked(trio.model, [[torch.zeros(1, 77, 8), {"reference_latents": PIXELS}]], 0, 0.5)


@only("Flux Kontext")
def test_a_request_on_a_model_that_only_words_are_steered_on_is_refused(edit, model):
    _, positive, _ = asked(model, edit.conditioning(1), 1, 0.0)
    with pytest.raises(HRVError, match=r"asks for HRV Reference Strength.*other HRV nodes only \(HRV steering\)"):
        drawn(edit, steered(model), positive)
