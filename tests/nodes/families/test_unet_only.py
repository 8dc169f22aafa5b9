"""What is defined for UNets only says so by name on a transformer, when the node runs."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

from comfyui_hrv.hrv_engine.errors import HRVError
from comfyui_hrv.nodes.editing.free_prompt_edit import HRVFreePromptEdit
from comfyui_hrv.nodes.editing.masactrl_edit import HRVMasaCtrlEdit
from comfyui_hrv.nodes.editing.p2p_edit import HRVP2PEdit
from comfyui_hrv.nodes.editing.plug_and_play_edit import HRVPlugAndPlayEdit
from comfyui_hrv.nodes.guidance.attend_excite import HRVAttendExcite
from comfyui_hrv.nodes.guidance.structured_diffusion import HRVStructuredDiffusion
from comfyui_hrv.nodes.guidance.syngen import HRVSynGen
from comfyui_hrv.nodes.prompt import HRVPrompt

from .pairs import pair

pytestmark = pytest.mark.usefixtures("inference_mode")
NODES = [
    HRVP2PEdit, HRVFreePromptEdit, HRVMasaCtrlEdit, HRVPlugAndPlayEdit, HRVAttendExcite, HRVSynGen,
    HRVStructuredDiffusion,
]  # fmt: skip


def arguments(node: Any, model: Any, clip: Any) -> dict[str, Any]:
    """What a graph gives a node: the defaults of its schema and the wires."""
    prompt = HRVPrompt.execute(clip, "a red car").args[0]
    wires = {"model": model, "clip": clip, "positive": prompt, "source": prompt, "target": prompt, "latent": {}}
    defaults = {one.id: getattr(one, "default", None) for one in node.define_schema().inputs}
    names = list(inspect.signature(node.execute).parameters)
    return {name: wires.get(name, defaults.get(name)) for name in names}


@pytest.mark.parametrize("family, name", [("Flux", "Flux.1"), ("Wan", "Wan")])
@pytest.mark.parametrize("node", NODES)
def test_refused_by_name_with_the_reason_and_the_way_out(node, family, name):
    title = node.define_schema().display_name
    with pytest.raises(HRVError, match=f"^{title} is defined for UNets only and not for {family}: it.*Use an SD1.x"):
        node.execute(**arguments(node, *pair(name)))
