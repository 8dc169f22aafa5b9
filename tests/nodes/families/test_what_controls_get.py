"""What a control gets at the sites of transformers: image queries, the prompt's keys, the grid of the maps."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from comfyui_hrv.hrv_engine.attention.heads import CROSS, JOINT, SELF
from comfyui_hrv.hrv_engine.errors import HRVError
from comfyui_hrv.nodes.host.calls import AttentionCall, ModelCall
from comfyui_hrv.nodes.host.control import Control, StepPlan, controlled
from comfyui_hrv.nodes.host.families import family_of
from comfyui_hrv.nodes.host.receipt import Receipt
from comfyui_hrv.nodes.host.unet import downsampling_of, fingerprint, layout_of

from ..explicit import relative
from .tiny_models import Tiny

pytestmark = pytest.mark.usefixtures("inference_mode")


class Look(Control):
    """Notes every attention call of the positive, and changes nothing."""

    key, name = "look", "Look"

    def __init__(self, role: str = CROSS) -> None:
        self.role = role
        self.seen: list[tuple[AttentionCall, tuple[int, int, int], list[int]]] = []

    def plan(self, step: StepPlan) -> dict[int, Any]:
        return {planned.number: True for planned in step.conditionings if planned.group == "positive"}

    def act(self, call: ModelCall, actions: dict[int, Any], receipt: Receipt) -> None:
        rows = [row for number in actions for row in call.batch.rows(number)]

        def receive(attention: AttentionCall) -> torch.Tensor:
            self.seen.append((attention, attention.volume(call), rows))
            return attention.proceed()

        call.receive(receipt, receive, len(rows), role=self.role)


def looked(tiny: Tiny, model: Any, look: Look) -> torch.Tensor:
    positive, negative = tiny.prompt(7, 1), tiny.prompt(7, 2)
    return tiny.sample(controlled(model, look), tiny.conditioning(positive), tiny.conditioning(negative), steps=1)


def test_a_control_gets_the_images_queries_and_the_prompts_keys_and_may_change_nothing(tiny, model):
    look = Look()
    drawn = looked(tiny, model, look)
    plain = tiny.sample(model, tiny.conditioning(tiny.prompt(7, 1)), tiny.conditioning(tiny.prompt(7, 2)), steps=1)
    assert relative(drawn, plain) <= 1e-5
    start, length = tiny.padded(7)
    length = length if tiny.joint and tiny.kind != "HiDream" else tiny.inside(length)
    for attention, grid, _ in look.seen:
        heads, dim = attention.site.heads, attention.site.head_dim
        assert grid == tiny.grid and attention.pixels == tiny.image and attention.tokens == length
        assert attention.query.shape[1:] == (heads, tiny.image, dim)
        assert attention.key.shape[1:] == attention.value.shape[1:] == (heads, length, dim)
        assert all(part.shape[2] == heads * dim for part in attention.joined)


def test_sites_are_asked_in_execution_order_and_have_the_role_of_their_attention(tiny, model):
    look = Look()
    looked(tiny, model, look)
    sites = layout_of(model).sites
    assert [attention.site for attention, *_ in look.seen[: len(sites)]] == list(sites)
    assert {site.role for site in sites} == {JOINT if tiny.joint else CROSS}


def test_self_attention_is_refused_by_the_name_of_who_asked(tiny, model):
    with pytest.raises(HRVError, match="^Look exchanges self-attention"):
        looked(tiny, model, Look(SELF))


def test_words_have_the_keys_they_have_in_a_prompt_or_none_is_promised(tiny, model):
    """Where words come to cross-attention as they are, a word's keys are those that its column has in a prompt."""
    module = model.model.diffusion_model
    family, site = family_of(module), layout_of(model).sites[-1]
    words = tiny.prompt(7, 1)[0]
    if family.words_need_runs(module):
        assert tiny.joint or tiny.kind in ("LTXAV", "Kandinsky5Image", "HunyuanDiT1")
        with pytest.raises(HRVError, match="only in a run of the model with the word as its prompt"):
            family.project_words(module, site.key, words)
        return
    keys = family.project_words(module, site.key, words)
    look = Look()
    looked(tiny, model, look)
    attention, _, (row,) = look.seen[len(layout_of(model).sites) - 1]
    assert relative(attention.joined[1][row, :7], keys) <= 1e-5


def test_two_checkpoints_are_told_apart_and_maps_have_a_size(tiny, model):
    assert fingerprint(model) != fingerprint(tiny.model(seed=4))
    assert set(downsampling_of(model)) == layout_of(model).keys
    assert layout_of(model).from_json(layout_of(model).to_json()) == layout_of(model)
