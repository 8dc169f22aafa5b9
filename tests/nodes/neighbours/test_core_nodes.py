"""Every core node that patches a UNet beside steering, before and after it: equal to explicit maps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from comfy_extras import (
    nodes_apg,
    nodes_attention_multiply,
    nodes_cfg,
    nodes_differential_diffusion,
    nodes_easycache,
    nodes_eps,
    nodes_freelunch,
    nodes_fresca,
    nodes_hypertile,
    nodes_mahiro,
    nodes_model_advanced,
    nodes_model_downscale,
    nodes_nag,
    nodes_pag,
    nodes_sag,
    nodes_tcfg,
    nodes_tomesd,
)

from comfyui_hrv.hrv_engine.attention.values import attention_map, join_heads, split_heads
from comfyui_hrv.nodes.host.conditioning import KEY
from comfyui_hrv.nodes.host.families.unet_layers import cross_attentions

from ..explicit import relative
from ..steering.test_steering import adjusted, factors, prompt

pytestmark = pytest.mark.usefixtures("inference_mode")


def ran(node: type, *settings: Any) -> Callable[[Any], Any]:
    """A core node as a function of MODEL."""

    def patch(model: Any) -> Any:
        output = node.execute(model, *settings)
        return getattr(output, "args", output)[0]

    return patch


CORE: dict[str, Callable[[Any], Any]] = {
    "PAG": ran(nodes_pag.PerturbedAttentionGuidance, 3.0),
    "SAG": ran(nodes_sag.SelfAttentionGuidance, 0.5, 2.0),
    "APG": ran(nodes_apg.APG, 1.0, 15.0, 0.5),
    "CFG-Zero*": ran(nodes_cfg.CFGZeroStar),
    "CFG norm": ran(nodes_cfg.CFGNorm, 1.0),
    "epsilon scaling": ran(nodes_eps.EpsilonScaling, 1.005),
    "TSR": ran(nodes_eps.TemporalScoreRescaling, 0.95, 1.0),
    "FreSca": ran(nodes_fresca.FreSca, 1.0, 1.25, 20),
    "Mahiro": ran(nodes_mahiro.Mahiro),
    "TCFG": ran(nodes_tcfg.TCFG),
    "NAG": ran(nodes_nag.NAGuidance, 5.0, 0.5, 1.5),
    "differential diffusion": ran(nodes_differential_diffusion.DifferentialDiffusion),
    "FreeU": ran(nodes_freelunch.FreeU, 1.1, 1.2, 0.9, 0.2),
    "FreeU V2": ran(nodes_freelunch.FreeU_V2, 1.3, 1.4, 0.9, 0.2),
    "HyperTile": ran(nodes_hypertile.HyperTile, 32, 2, 0, False),
    "ToMe": ran(nodes_tomesd.TomePatchModel, 0.5),
    "Deep Shrink": ran(nodes_model_downscale.PatchModelAddDownscale, 3, 2.0, 0.0, 0.35, True, "bicubic", "bicubic"),
    "EasyCache": ran(nodes_easycache.EasyCacheNode, 0.2, 0.15, 0.95, False),
    "LazyCache": ran(nodes_easycache.LazyCacheNode, 0.2, 0.15, 0.95, False),
    "cross-attention multiply": ran(nodes_attention_multiply.UNetCrossAttentionMultiply, 1.1, 1.0, 0.9, 1.0),
    "self-attention multiply": ran(nodes_attention_multiply.UNetSelfAttentionMultiply, 1.1, 1.0, 0.9, 1.0),
    "rescale CFG": lambda model: nodes_model_advanced.RescaleCFG().patch(model, 0.7)[0],
    "v prediction": lambda model: nodes_model_advanced.ModelSamplingDiscrete().patch(model, "v_prediction", True)[0],
}


def with_maps_by_content(model: Any, hrv: Any, positive: list, columns: tuple[int, ...]) -> Any:
    """Explicit maps whose columns are multiplied by r in the rows whose keys are those of the positive prompt."""
    attentions = dict(cross_attentions(model.model.diffusion_model))
    own = {key: attention.to_k(positive[0][0]) for key, attention in attentions.items()}
    r, patched = factors(hrv), model.clone()

    def explicit(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, options: dict) -> torch.Tensor:
        key = (*options["block"], options["block_index"])
        maps = attention_map(q, k, options["n_heads"])
        for row in range(q.shape[0]):
            if torch.allclose(k[row], own[key][0], rtol=1e-5, atol=1e-6):
                maps[row, :, :, list(columns)] *= r[hrv.layout.head_range(key)][:, None, None]
        return join_heads(maps @ split_heads(v, options["n_heads"]))

    for site in hrv.layout.sites:
        patched.set_model_attn2_replace(explicit, *site.key[:2], site.key[2])
    return patched


@pytest.mark.parametrize("order", ["before", "after"])
@pytest.mark.parametrize("name", CORE)
def test_steering_beside_a_core_node_equals_explicit_maps_beside_it(trio, hrv, name, order):
    patch, positive, negative = CORE[name], prompt(trio), trio.encode("ugly")
    columns = positive[0][1][KEY].table.columns_of("lavender")
    torch.manual_seed(0)  # HyperTile draws its tiles
    if order == "before":
        model, steered = adjusted(patch(trio.model), positive, hrv)
    else:
        model, steered = adjusted(trio.model, positive, hrv)
        model = patch(model)
    ours = trio.sample(model, steered, negative, steps=4)
    torch.manual_seed(0)
    reference = with_maps_by_content(trio.model, hrv, positive, columns)
    assert relative(ours, trio.sample(patch(reference), positive, negative, steps=4)) <= 1e-4
    torch.manual_seed(0)
    assert relative(ours, trio.sample(patch(trio.model), positive, negative, steps=4)) > 1e-4


@pytest.mark.parametrize("name", CORE)
def test_strength_zero_beside_a_core_node_changes_no_bit(trio, hrv, name):
    patch, positive, negative = CORE[name], prompt(trio), trio.encode("ugly")
    model, steered = adjusted(patch(trio.model), positive, hrv, strength=0.0)
    torch.manual_seed(0)
    ours = trio.sample(model, steered, negative, steps=4)
    torch.manual_seed(0)
    assert torch.equal(ours, trio.sample(patch(trio.model), positive, negative, steps=4))
