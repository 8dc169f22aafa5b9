"""HRV Build: Algorithm 1 on any checkpoint with a prompt and any concept list."""

from comfy_api.latest import io

from ...hrv_engine.inspection.report import report
from ...hrv_engine.relevance.build_settings import AUTO, PAPER, BuildSettings
from ...hrv_engine.relevance.voting import SAMPLING
from ..host.build import build
from ..host.folders import forget_listing, new_hrv_path
from ..host.node_texts import shown
from ..types import CATEGORY, HRV, Concepts, Prompts, drawing_inputs
from .shared import part_inputs, run_inputs, saving_inputs, size_inputs


class HRVBuild(io.ComfyNode):
    """Draw an image for every prompt while every head that attends to it votes for a concept."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="HRVBuild",
            display_name="HRV Build",
            category=f"{CATEGORY}/build",
            has_intermediate_output=True,
            description=(
                "Builds Head Relevance Vectors for this checkpoint: draws an image for each prompt and counts, at every"
                " step, which concept each head attends to most. Cancel any time: what was counted is kept and the next"
                " run goes on."
            ),
            search_aliases=["hrv", "head relevance vector", "interpretability", "attention heads", "build vectors"],
            inputs=[
                io.Model.Input(
                    "model",
                    tooltip=(
                        "The checkpoint to look into: SD1.x, SD2.x, SDXL, or a transformer such as Flux, Qwen-Image or"
                        " Wan. LoRAs on it count as part of it."
                    ),
                ),
                io.Clip.Input("clip", tooltip="The text encoder of the same checkpoint."),
                Concepts.Input("concepts", tooltip="The concepts heads vote for, from HRV Concepts."),
                Prompts.Input("prompts", tooltip="The prompts to draw, from HRV Prompt Set."),
                io.Conditioning.Input(
                    "negative",
                    optional=True,
                    tooltip=(
                        "The unconditional prompt. Left open: the empty prompt, as in the paper. For SDXL as in the"
                        " paper, connect an empty prompt through ConditioningZeroOut."
                    ),
                ),
                *size_inputs(PAPER.width, PAPER.height),
                *drawing_inputs(
                    "Sampling steps per image; 50 in the paper. Heads vote at every step.",
                    "Guidance scale while drawing; 7.5 in the paper. Only the conditional half votes.",
                ),
                *run_inputs(
                    PAPER,
                    "Image i is drawn from noise seed + i, and its words from this seed: the same seed gives the same"
                    " file, whatever the batch size.",
                    "Images drawn at once. Does not change the result, only speed and memory.",
                ),
                io.Int.Input(
                    "draws",
                    default=PAPER.draws,
                    min=1,
                    max=64,
                    tooltip="Word samples per query. 1 in the paper; 4 costs almost nothing and needs fewer images.",
                ),
                io.Combo.Input(
                    "sampling",
                    options=[AUTO, *SAMPLING],
                    default=PAPER.sampling,
                    advanced=True,
                    tooltip=(
                        "per layer: the heads of a layer share the drawn words (the authors' code); per head: each head"
                        " draws its own (the paper's Algorithm 1); per step: all heads share them, the cheap way where"
                        " words have keys only in a run of the model (Flux, Z-Image, Qwen-Image). auto: per step there,"
                        " per layer elsewhere; the report says which."
                    ),
                ),
                io.Boolean.Input(
                    "bos_key",
                    default=PAPER.bos_key,
                    advanced=True,
                    tooltip=(
                        "On: the begin-of-text key takes part in the softmax (the authors' code); off: semantic tokens"
                        " only (the paper). Of no effect with text encoders that have no such token; the report says"
                        " so."
                    ),
                ),
                io.Boolean.Input(
                    "per_timestep",
                    default=PAPER.per_timestep,
                    advanced=True,
                    tooltip=(
                        "Keep votes per step as well, for figures over time. The file grows by the number of steps."
                    ),
                ),
                io.Boolean.Input(
                    "logit_scale",
                    default=PAPER.logit_scale,
                    advanced=True,
                    tooltip="Also measure how strongly each head attends before the softmax, for HRV Logit Scale.",
                ),
                *saving_inputs("my_hrv"),
                *part_inputs("image", "the whole prompt set"),
            ],
            outputs=[
                HRV.Output(display_name="hrv", tooltip="The vectors, one per concept."),
                io.String.Output(
                    display_name="report", tooltip="Images, settings, vote shares, concepts with too few votes."
                ),
            ],
        )

    @classmethod
    def execute(
        cls, model, clip, concepts, prompts, width, height, steps, cfg, sampler_name, scheduler, seed, batch_size,
        draws, sampling, bos_key, per_timestep, logit_scale, save_as, resume, negative=None, start=0, count=0,
    ) -> io.NodeOutput:  # fmt: skip
        path = new_hrv_path(save_as) if save_as.strip() else None
        settings = BuildSettings(
            width, height, steps, cfg, sampler_name, scheduler, seed, batch_size, draws, sampling, bos_key,
            per_timestep, logit_scale,
        )  # fmt: skip
        try:
            votes = build(model, clip, concepts, prompts, settings, negative, path, resume, start, count)
        finally:
            forget_listing()
        relevance = votes.relevance()
        text = report(relevance)
        return io.NodeOutput(relevance, text, ui=shown(text))
