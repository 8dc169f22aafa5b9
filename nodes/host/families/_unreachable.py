"""The host's diffusion models that are of no family, each with the reason; every other one has a family."""

from typing import Any

from ....hrv_engine.errors import HRVError

SOUND = "It makes sound, and this pack is about what heads do in images."
NO_PROMPT = "It is guided by an image alone: there is no prompt whose words a head could attend to."
NO_DIFFUSION = "It makes no image: it finds or measures things in one."
CASCADE = (
    "Stable Cascade mixes its prompt with an image's embedding in attention over both and the image itself, at several"
    " sizes; no family was written for it."
)

REASONS: dict[str, str] = {
    "comfy.ldm.cascade.stage_c.StageC": CASCADE,
    "comfy.ldm.cascade.stage_b.StageB": CASCADE,
    "comfy.ldm.audio.dit.AudioDiffusionTransformer": SOUND,
    "comfy.ldm.ace.model.ACEStepTransformer2DModel": SOUND,
    "comfy.ldm.ace.ace_step15.AceStepConditionGenerationModel": SOUND,
    "comfy.ldm.hunyuan3d.model.Hunyuan3Dv2": NO_PROMPT,
    "comfy.ldm.hunyuan3dv2_1.hunyuandit.HunYuanDiTPlain": NO_PROMPT,
    "comfy.ldm.triposplat.model.LatentSeqMMFlowModel": NO_PROMPT,
    "comfy.ldm.seedvr.model.NaDiT": (
        "It enlarges videos under one fixed prompt that comes with its checkpoint, so there are no words to act on."
    ),
    "comfy.ldm.hidream_o1.model.HiDreamO1Transformer": (
        "It is a language model that reads the prompt's tokens itself and goes on to the image's: its conditioning"
        " holds token numbers, no context whose columns a word could have."
    ),
    "comfy.ldm.rt_detr.rtdetr_v4.RTv4": NO_DIFFUSION,
    "comfy.ldm.sam3.detector.SAM3Model": NO_DIFFUSION,
    "comfy.ldm.depth_anything_3.model.DepthAnything3Net": NO_DIFFUSION,
}


def class_names(module: Any) -> set[str]:
    """The full names of a module's class and of those it inherits from; needs none of them imported."""
    return {f"{kind.__module__}.{kind.__qualname__}" for kind in type(module).__mro__}


def no_family(module: Any) -> HRVError:
    """What to say of a diffusion model whose attention no family knows."""
    reasons = [REASONS[name] for name in class_names(module) if name in REASONS]
    why = reasons[0] if reasons else "No family of models that HRV nodes know recognises it."
    return HRVError(
        f"HRV nodes cannot act on the attention of {type(module).__name__}. {why} They know Stable Diffusion's UNets"
        " (SD1.x, SD2.x, SDXL) and ComfyUI's transformers that have a prompt, among them Flux, SD3, Z-Image,"
        " Qwen-Image, Wan, LTX, HunyuanVideo and Anima: load one of these."
    )
