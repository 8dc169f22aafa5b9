"""Edits, maps and guidance beside nodes that change features, sizes, pixels and tokens inside the model."""

from __future__ import annotations

import pytest
import torch
from comfy_extras.nodes_freelunch import FreeU_V2
from comfy_extras.nodes_hypertile import HyperTile
from comfy_extras.nodes_model_downscale import PatchModelAddDownscale
from comfy_extras.nodes_tomesd import TomePatchModel

import nodes
from comfyui_hrv.hrv_engine.errors import HRVError
from comfyui_hrv.nodes.editing.p2p_edit import HRVP2PEdit
from comfyui_hrv.nodes.guidance.attend_excite import HRVAttendExcite
from comfyui_hrv.nodes.guidance.structured_diffusion import RULES, HRVStructuredDiffusion
from comfyui_hrv.nodes.host.capture import TokenMapRecorder
from comfyui_hrv.nodes.prompt import HRVPrompt

from ..explicit import relative

pytestmark = pytest.mark.usefixtures("inference_mode")
SOURCE, TARGET = "a blue car on a road", "a red car on a road"
REST = ("", "", "", 0.8, 0.6, "auto", "", "", "aligned", "auto", 0.0, "", 0.3, 0.2, 1)


def prompt(trio, text: str) -> list:
    return HRVPrompt.execute(trio.clip, text).args[0]


def edit(trio, model, target: str = TARGET, rest=REST):
    latent = nodes.EmptyLatentImage().generate(64, 64, 1)[0]
    return HRVP2PEdit.execute(model, prompt(trio, SOURCE), prompt(trio, target), latent, *rest).args


def drawn(trio, edited, **settings) -> torch.Tensor:
    model, positive, latent = edited
    return trio.sample(model, positive, trio.encode(""), latent=latent, **settings)


def tiled(model):
    return HyperTile.execute(model, 32, 2, 0, False)[0]


def merged(model, ratio: float = 0.5):
    return TomePatchModel.execute(model, ratio).args[0]


def shrunk(model, end: float = 0.35):
    return PatchModelAddDownscale.execute(model, 3, 2.0, 0.0, end, True, "bicubic", "bicubic").args[0]


@pytest.mark.parametrize(
    "neighbour", [tiled, merged, lambda model: merged(model, 0.75)], ids=["HyperTile", "ToMe", "3/4"]
)
@pytest.mark.parametrize("before", [True, False])
def test_merged_or_tiled_pixels_are_refused_by_name_in_an_edit(trio, neighbour, before):
    model = neighbour(trio.model) if before else trio.model
    edited = edit(trio, model, rest=(*REST[:9], "all", *REST[10:]))
    if not before:
        edited = (neighbour(edited[0]), *edited[1:])
    with pytest.raises(HRVError, match="Another node (merges or cuts|turns the).*(tomesd|hypertile)"):
        drawn(trio, edited, steps=2)


def test_an_edit_under_deep_shrink_keeps_its_source_and_pairs_right(trio):
    """The source row is the image drawn alone under the same patch; the same prompt twice gives one image twice."""
    model = shrunk(trio.model)
    twice = drawn(trio, edit(trio, model, SOURCE), steps=4)
    assert relative(twice[0], twice[1]) <= 1e-5
    alone = trio.sample(model, prompt(trio, SOURCE), trio.encode(""), steps=4)
    edited = drawn(trio, edit(trio, model), steps=4)
    assert relative(edited[:1], alone) <= 1e-5 and relative(edited[0], edited[1]) > 1e-3


def test_local_blend_and_token_maps_take_the_sizes_that_deep_shrink_gives(trio):
    model = shrunk(trio.model)
    blended = (*REST[:11], "car", 0.3, 0.2, 1)
    assert drawn(trio, edit(trio, model, rest=blended), steps=4).isfinite().all()
    recorder = TokenMapRecorder(trio.model, prompt(trio, SOURCE), ["car"], 0.0, 1.0)
    recorded = trio.sample(shrunk(recorder.attach(trio.model)), prompt(trio, SOURCE), trio.encode(""), steps=4)
    assert torch.equal(recorded, trio.sample(model, prompt(trio, SOURCE), trio.encode(""), steps=4))
    maps = recorder.take()
    assert all(float(layer.min()) >= 0 and float(layer.max()) <= 1 for layer in maps.layers)


AE = ("car, road", "original", "", "all tokens", 100.0, "", 20, True, 2, 20.0, False)


def guided(trio, model):
    return HRVAttendExcite.execute(model, prompt(trio, SOURCE), *AE).args


def freeu_out_of_place(model):
    """FreeU_V2 as the host has it, on copies: what a gradient through it must equal."""
    made = FreeU_V2.execute(model, 1.3, 1.4, 0.9, 0.2).args[0]
    patches = made.model_options["transformer_options"]["patches"]
    (patch,) = patches["output_block_patch"]
    patches["output_block_patch"] = [lambda h, hsp, options: patch(h.clone(), hsp.clone(), options)]
    return made


@pytest.mark.parametrize("before", [True, False])
def test_guidance_through_freeu_moves_the_latent_as_on_copies(trio, before):
    freeu = lambda model: FreeU_V2.execute(model, 1.3, 1.4, 0.9, 0.2).args[0]  # noqa: E731
    if before:
        model, positive = guided(trio, freeu(trio.model))
    else:
        model, positive = guided(trio, trio.model)
        model = freeu(model)
    ours = trio.sample(model, positive, trio.encode(""), steps=4)
    expected, marked = guided(trio, freeu_out_of_place(trio.model))
    assert relative(ours, trio.sample(expected, marked, trio.encode(""), steps=4)) <= 1e-5
    plain = trio.sample(freeu(trio.model), positive, trio.encode(""), steps=4)
    assert relative(ours, plain) > 1e-4


def appending(model, count: int = 4):
    """A patch that appends tokens to the context of cross-attention, as image adapters and some prompt packs do."""

    def patch(n, context, value, options):
        more = torch.full((context.shape[0], count, context.shape[2]), 0.3, dtype=context.dtype)
        return n, torch.cat([context, more], dim=1), torch.cat([value, more], dim=1)

    made = model.clone()
    made.set_model_attn2_patch(patch)
    return made


def test_an_edit_leaves_appended_tokens_to_each_row(trio):
    model = appending(trio.model)
    twice = drawn(trio, edit(trio, model, SOURCE), steps=4)
    assert relative(twice[0], twice[1]) <= 1e-5
    edited = drawn(trio, edit(trio, model), steps=4)
    alone = trio.sample(model, prompt(trio, SOURCE), trio.encode(""), steps=4)
    assert relative(edited[:1], alone) <= 1e-5 and relative(edited[0], edited[1]) > 1e-3


def test_guidance_does_not_count_appended_tokens_as_words(trio):
    """With tokens that attention gives nothing to, the latent moves as without them."""

    def patch(n, context, value, options):
        return n, torch.cat([context, context[:, :1]], dim=1), torch.cat([value, value[:, :1]], dim=1)

    model, positive = guided(trio, trio.model)
    beside = model.clone()
    beside.set_model_attn2_patch(patch)
    assert trio.sample(beside, positive, trio.encode(""), steps=2).isfinite().all()


def negpip(model):
    """NegPip's shape: twice as many rows of context, split into keys and values before they are projected."""

    def patch(n, context, value, options):
        return n, context[:, 0::2], value[:, 1::2]

    made = model.clone()
    made.model_options["ppm_negpip"] = True
    made.set_model_attn2_patch(patch)
    return made


def interleaved(conditioning: list) -> list:
    return [[context.repeat_interleave(2, dim=1), values] for context, values in conditioning]


def test_an_edit_under_negpip_is_refused_with_the_way_out(trio):
    latent = nodes.EmptyLatentImage().generate(64, 64, 1)[0]
    pair = (interleaved(prompt(trio, SOURCE)), interleaved(prompt(trio, TARGET)))
    with pytest.raises(HRVError, match="NegPip|prompt"):
        edited = HRVP2PEdit.execute(negpip(trio.model), *pair, latent, *REST).args
        trio.sample(edited[0], edited[1], interleaved(trio.encode("")), latent=edited[2])


def test_structured_diffusion_under_negpip_is_refused_with_the_way_out(trio):
    asked = (negpip(trio.model), interleaved(prompt(trio, "a red cat and a blue dog")), trio.clip, "red cat", RULES)
    model, positive = HRVStructuredDiffusion.execute(*asked).args[:2]
    with pytest.raises(HRVError, match="NegPip"):
        trio.sample(model, positive, interleaved(trio.encode("")))
