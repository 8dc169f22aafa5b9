"""HRV Token Maps on transformers: the softmax over the text's keys, frame by frame, and an image that stays plain."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from comfyui_hrv.hrv_engine.errors import HRVError
from comfyui_hrv.hrv_engine.inspection.token_maps import START, TokenMaps
from comfyui_hrv.hrv_engine.text.alignment import TokenTable
from comfyui_hrv.hrv_engine.text.spelling import BLANK, Piece
from comfyui_hrv.nodes.host.capture import TokenMapRecorder
from comfyui_hrv.nodes.host.conditioning import KEY, PromptAnnotation
from comfyui_hrv.nodes.see.token_map_view import HRVTokenMapView

from ..explicit import relative
from .explicit import masked
from .pairs import ANIMA
from .slow_votes import Heard
from .test_contexts import half
from .tiny_models import TINY, Tiny

pytestmark = pytest.mark.usefixtures("inference_mode")
TABLE = TokenTable(
    "red old car", tuple(Piece(n + 1, w.encode(), True, BLANK) for n, w in enumerate(("red", "old", "car")))
)
WORDS = {"red": (1,), "old car": (2, 3)}


class Shares(Heard):
    """Sums over model calls of the words' shares at each site, [rows words heads pixels]."""

    def __init__(self, tiny: Tiny, context: torch.Tensor) -> None:
        super().__init__(tiny, context)
        self.sums: list[Any] = []
        self.before = tiny.padded(7)[0]  # padding in front is text too

    def attend(self, function: Any, *arguments: Any, **named: Any) -> torch.Tensor:
        before = len(self.queries)
        output = super().attend(function, *arguments, **named)
        if len(self.queries) > before:
            mask = arguments[4] if len(arguments) > 4 else named.get("mask")
            start, length = self.places()[0] - self.before, self.tiny.padded(7)[1]
            text = length if self.tiny.joint and self.tiny.kind != "HiDream" else self.tiny.inside(length)
            query, keys = self.queries[-1], self.keys[-1][:, :, :text]
            scores = query @ keys.transpose(-1, -2) * query.shape[-1] ** -0.5
            if mask is not None and mask.shape[-2] == 1:
                columns = mask[..., start : start + keys.shape[2]]
                scores = masked(scores, columns if columns.shape[0] == 1 else columns[self.rows])
            maps = scores.softmax(-1)
            shares = torch.stack([maps[..., self.before :][..., list(own)].sum(-1) for own in WORDS.values()], dim=1)
            place = (len(self.queries) - 1) % self.tiny.sites
            if len(self.sums) == place:
                self.sums.append(shares)
            else:
                self.sums[place] = self.sums[place] + shares
        return output


@pytest.mark.parametrize("tiny", [*TINY.values(), ANIMA], ids=[*TINY, "Anima"])
def test_maps_are_the_softmax_over_the_text_frame_by_frame(tiny):
    compare(tiny)


@pytest.mark.parametrize("name", ["Qwen-Image", "HunyuanVideo", "Lens", "LTX"])
def test_masked_tokens_take_no_share(name):
    maps = compare(replace(TINY[name], extra={**TINY[name].extra, "attention_mask": half}))
    assert relative(maps.layers[0], compare(TINY[name]).layers[0]) > 1e-3


def compare(tiny: Tiny) -> TokenMaps:
    """The maps, which are those of attention written out."""
    model, batch = tiny.model(), 1 if tiny.kind in ("MiniMaxH3", "HunyuanVideo") else 2
    negative = tiny.conditioning(tiny.prompt(7 if tiny.kind == "HunyuanDiT1" else 10, 2))
    asked = tiny.conditioning(tiny.prompt(7, 1), **{KEY: PromptAnnotation(TABLE)})
    recorder = TokenMapRecorder(model, asked, list(WORDS), 0.0, 1.0)
    here = tiny.sample(recorder.attach(model), asked, negative, batch)
    maps = recorder.take()
    shares = Shares(tiny, tiny.prompt(7, 1))
    plain = tiny.sample(shares.on(model), tiny.conditioning(tiny.prompt(7, 1)), negative, batch)
    assert relative(here, plain) <= 1e-5
    frames, height, width = tiny.grid
    assert maps.frames == frames and maps.images == batch * frames and len(maps.layers) == tiny.sites
    for layer, expected in zip(maps.layers, shares.sums, strict=True):
        expected = expected.unflatten(-1, tiny.grid).permute(0, 3, 1, 2, 4, 5).flatten(0, 1) / 2
        assert layer.shape == expected.shape and relative(layer, expected.float()) <= 1e-5
    return maps


def test_special_tokens_of_clip_are_refused_by_name():
    tiny = TINY["Qwen-Image"]
    asked = tiny.conditioning(tiny.prompt(7, 1), **{KEY: PromptAnnotation(TABLE)})
    with pytest.raises(HRVError, match="the prompt of Qwen-Image has others, or none. Switch special_tokens off"):
        TokenMapRecorder(tiny.model(), asked, ["red", START], 0.0, 1.0)


def test_the_maps_of_a_video_lie_over_its_frames():
    """A frame of the latent stands for several decoded ones: here two for five."""
    maps = compare(TINY["Wan"])
    assert maps.shown_in(2 * 5) == [0, 4, 5, 9]
    sheet, masks, table = HRVTokenMapView.execute(
        maps, "red", "all heads", "", "", 0.5, image=torch.rand(2 * 5, 16, 16, 3)
    ).args
    assert masks.shape == (4, 16, 16) and table.count("red") == 4
    with pytest.raises(HRVError, match="There are 3 images but maps of 2 videos of 2 frames"):
        maps.shown_in(3)
