"""HRV Prompt Weights: (word:1.5) on any model, by scaling the word's value rows for the image's queries."""

from dataclasses import replace

from comfy_api.latest import io

from ...hrv_engine.relevance.prompt_weights import WeightSettings, weighted_words, weights_text
from ...hrv_engine.relevance.rescale import check_window
from ...hrv_engine.text.weighted import WeightedText
from ..host.conditioning import reannotated, table_of
from ..host.node_texts import shown
from ..host.steering import steered
from ..host.unet import layout_of, model_family
from ..host.wires import check_wires
from ..prompt import HRVPrompt
from ..types import CATEGORY, HRV, window_inputs

LIMIT = 2.0  # measured: docs/prompt_weights.md


class HRVPromptWeights(io.ComfyNode):
    """Encode a prompt without its weights, and let these act on values, where they do something on every model."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="HRVPromptWeights",
            display_name="HRV Prompt Weights",
            category=f"{CATEGORY}/steering",
            has_intermediate_output=True,
            description=(
                "Weights such as (word:1.5) that work on every model, also where ComfyUI's own do nothing: Z-Image,"
                " Qwen-Image, Flux, Wan. (word:-1) pushes a thing away without a negative prompt or CFG."
            ),
            search_aliases=[
                "hrv",
                "prompt weight",
                "prompt weights",
                "emphasis",
                "attention weight",
                "negative without cfg",
                "word strength",
                "clip text encode",
            ],
            inputs=[
                io.Model.Input(
                    "model", tooltip="The model you sample with. Connect MODEL and CONDITIONING to the sampler."
                ),
                io.Clip.Input("clip", tooltip="The text encoder of this model."),
                io.String.Input(
                    "text",
                    multiline=True,
                    dynamic_prompts=True,
                    default="",
                    placeholder="a (red:1.5) vase, (flowers:-1)",
                    tooltip=(
                        "The prompt. (word:1.5) is stronger, (word:0) is not seen, (word:-1) is pushed away, (word) is"
                        " 1.1. (word:1.5 Color) acts only in heads of that concept of the HRV. A word may have its own"
                        " part of the sampling, see the help page."
                    ),
                ),
                io.Float.Input(
                    "strength",
                    default=1.0,
                    min=-10.0,
                    max=10.0,
                    step=0.05,
                    tooltip="All weights at once: 1 as written, 0 changes nothing, 2 twice as far from 1.",
                ),
                io.Float.Input(
                    "limit",
                    default=LIMIT,
                    min=0.0,
                    max=100.0,
                    step=0.1,
                    advanced=True,
                    tooltip=(
                        "How much a weight may add to what a head gives, as a multiple of what it gives without: 2"
                        " keeps weights from -1 to 3. Matters when large weights burn. 0: no limit."
                    ),
                ),
                *window_inputs(),
                HRV.Input(
                    "hrv",
                    optional=True,
                    tooltip="Head Relevance Vectors of this kind of model. Only for weights with a concept.",
                ),
            ],
            outputs=[
                io.Model.Output(
                    display_name="MODEL",
                    tooltip="The same model, able to carry out the weights. Connect it to the sampler.",
                ),
                io.Conditioning.Output(
                    display_name="CONDITIONING",
                    tooltip="The encoded prompt with its weights. Connect it to the same sampler.",
                ),
                io.String.Output(display_name="report", tooltip="Which words got which weight in how many heads."),
            ],
        )

    @classmethod
    def execute(cls, model, clip, text, strength, limit, start_percent, end_percent, hrv=None) -> io.NodeOutput:
        check_window(start_percent, end_percent)
        check_wires("HRV Prompt Weights", {0: "MODEL", 1: "CONDITIONING"})
        layout = layout_of(model)
        relevance = None if hrv is None else hrv.for_layout(layout, model_family(model))
        prompt = WeightedText.parse(text)
        encoded = HRVPrompt.execute(clip, prompt.to_encode).args[0]
        settings = WeightSettings(strength, limit or None, start_percent, end_percent)
        words = weighted_words(prompt, table_of(encoded), layout.total, relevance, settings)
        scales = tuple(one.scale for one in words if not one.scale.neutral)
        conditioning = reannotated(encoded, lambda annotation: replace(annotation, scales=scales))
        report = weights_text(words)
        return io.NodeOutput(steered(model), conditioning, report, ui=shown(report))
