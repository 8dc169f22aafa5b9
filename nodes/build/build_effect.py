"""HRV Build by Effect: heads found by what turning them does, with one backward pass for all of them."""

from comfy_api.latest import io

from ...hrv_engine.inspection.report import report
from ...hrv_engine.relevance.build_settings import ESTIMATES, GRADIENT, EffectSettings
from ...hrv_engine.relevance.samples import SampleSet, Templates
from ..host.build_effect import build_by_effect
from ..host.folders import forget_listing, new_hrv_path, preset_names, preset_path
from ..host.node_texts import shown
from ..types import CATEGORY, HRV, Concepts, drawing_inputs
from .shared import part_inputs, run_inputs, saving_inputs, size_inputs

DEFAULTS = EffectSettings()


class HRVBuildByEffect(io.ComfyNode):
    """Ask of every head whether turning it changes the image towards a concept."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        presets = preset_names("templates")
        return io.Schema(
            node_id="HRVBuildByEffect",
            display_name="HRV Build by Effect",
            category=f"{CATEGORY}/build",
            has_intermediate_output=True,
            description=(
                "Builds Head Relevance Vectors by effect: for each concept word, how much every head moves the"
                " prediction from the prompt without the word to the prompt with it. Needs far fewer images than HRV"
                " Build. Cancel any time: what was measured is kept and the next run goes on."
            ),
            search_aliases=[
                "hrv",
                "head relevance vector",
                "causal heads",
                "gradient",
                "attribution",
                "interpretability",
                "attention heads",
                "build vectors",
            ],
            inputs=[
                io.Model.Input("model", tooltip="The checkpoint to look into. LoRAs on it count as part of it."),
                io.Clip.Input("clip", tooltip="The text encoder of the same checkpoint."),
                Concepts.Input("concepts", tooltip="The concepts and their words, from HRV Concepts; one is enough."),
                io.Combo.Input(
                    "templates",
                    options=presets,
                    default="paper34" if "paper34" in presets else None,
                    tooltip=(
                        "Sentences into which the words go, by concept: for the paper's concepts or the pocket model's."
                        " Concepts with none of their own use those for all. Ignored when custom_templates is filled."
                    ),
                ),
                io.String.Input(
                    "custom_templates",
                    multiline=True,
                    default="",
                    placeholder="Color: a {} car\nAnimals: a photo [of a {}]",
                    tooltip=(
                        "Your own sentences, one a line, after the concept's name or all. A pair of braces is where the"
                        " word goes, brackets hold what goes with it. Empty: the preset."
                    ),
                ),
                io.Int.Input(
                    "samples_per_word",
                    default=2,
                    min=1,
                    max=10000,
                    tooltip=(
                        "How often each word is measured, each time in another sentence and from other noise. More give"
                        " steadier vectors; a finished build goes on when you raise it."
                    ),
                ),
                io.Conditioning.Input(
                    "negative",
                    optional=True,
                    tooltip="The unconditional prompt while sampling. Left open: the empty prompt.",
                ),
                *size_inputs(DEFAULTS.width, DEFAULTS.height),
                *drawing_inputs(
                    "Sampling steps of a whole image; only the first 60 % are run.",
                    "Guidance scale while sampling. Effects are measured on the conditional prediction alone.",
                    DEFAULTS.steps,
                ),
                *run_inputs(
                    DEFAULTS,
                    "Sample i starts from noise seed + i: the same seed gives the same file.",
                    "Samples measured at once (without a gradient: switchings at once). Changes speed and memory, and"
                    " the result by rounding only.",
                ),
                io.Int.Input(
                    "timesteps",
                    default=DEFAULTS.timesteps,
                    min=1,
                    max=100,
                    tooltip="At how many noise levels each sample is measured, evenly in the first 60 % of the steps.",
                ),
                io.Combo.Input(
                    "estimate",
                    options=list(ESTIMATES),
                    default=GRADIENT,
                    advanced=True,
                    tooltip=(
                        "gradient: one backward pass for all heads, in the memory that HRV Attend & Excite needs."
                        " forward only: heads are switched in random groups, for models without a gradient (quantised"
                        " weights, little memory); slower, and the report says how large its errors are."
                    ),
                ),
                io.Int.Input(
                    "integration",
                    default=DEFAULTS.integration,
                    min=1,
                    max=100,
                    advanced=True,
                    tooltip=(
                        "The gradient is averaged while the word is turned up from nothing, at so many points, each a"
                        " backward pass. 1: only where nothing is turned; misses words whose effect saturates."
                    ),
                ),
                io.Int.Input(
                    "pairs",
                    default=DEFAULTS.pairs,
                    min=0,
                    max=65536,
                    advanced=True,
                    tooltip=(
                        "For forward only: pairs of opposite random switchings at each noise level. 0: as many as make"
                        " the estimate exact for small changes, more than there are heads."
                    ),
                ),
                io.Boolean.Input(
                    "save_memory",
                    default=DEFAULTS.save_memory,
                    advanced=True,
                    tooltip="Compute parts twice instead of keeping them: less memory, more time, the same vectors.",
                ),
                *saving_inputs("my_hrv_effect"),
                *part_inputs("sample", "samples_per_word times all words"),
            ],
            outputs=[
                HRV.Output(display_name="hrv", tooltip="The vectors, one per concept."),
                io.String.Output(
                    display_name="report", tooltip="Samples, settings, how much of each word goes through its heads."
                ),
            ],
        )

    @classmethod
    def execute(
        cls, model, clip, concepts, templates, custom_templates, samples_per_word, width, height, steps, cfg,
        sampler_name, scheduler, seed, batch_size, timesteps, estimate, integration, pairs, save_memory, save_as,
        resume, negative=None, start=0, count=0,
    ) -> io.NodeOutput:  # fmt: skip
        path = new_hrv_path(save_as) if save_as.strip() else None
        chosen = (
            Templates.parse(custom_templates, legal=concepts.names)
            if custom_templates.strip()
            else Templates.load(preset_path("templates", templates))
        )
        settings = EffectSettings(
            width, height, steps, cfg, sampler_name, scheduler, seed, batch_size, timesteps, integration, estimate,
            pairs, save_memory,
        )  # fmt: skip
        samples = SampleSet(concepts, chosen, samples_per_word)
        try:
            effects = build_by_effect(model, clip, samples, settings, negative, path, resume, start, count)
        finally:
            forget_listing()
        relevance = effects.relevance()
        text = report(relevance)
        return io.NodeOutput(relevance, text, ui=shown(text))
