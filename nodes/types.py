"""The pack's own link types and the inputs that several nodes share."""

import comfy.samplers
from comfy_api.latest import io

from ..hrv_engine.relevance.build_settings import PAPER

HRV = io.Custom("HRV")
Concepts = io.Custom("HRV_CONCEPTS")
Prompts = io.Custom("HRV_PROMPTS")
Scorer = io.Custom("HRV_SCORER")
TokenMaps = io.Custom("HRV_TOKEN_MAPS")

CATEGORY = "HRV"


def steering_inputs() -> list[io.Input]:
    """model, positive, hrv, word: what every steering node begins with."""
    return [
        io.Model.Input("model", tooltip="The model you sample with. Connect both outputs of this node to the sampler."),
        io.Conditioning.Input(
            "positive", tooltip="The positive prompt, encoded by HRV Prompt so that its words can be found."
        ),
        HRV.Input("hrv", tooltip="Head Relevance Vectors built for this kind of model (HRV Load or HRV Build)."),
        io.String.Input(
            "word",
            default="",
            placeholder="lavender",
            tooltip=(
                "The word or phrase to steer, as it is in the prompt, without weights. All its tokens are scaled."
            ),
        ),
    ]


def word_inputs() -> list[io.Input]:
    """strength, occurrence, clamp: how a word is steered."""
    return [
        io.Float.Input(
            "strength",
            default=1.0,
            min=-10.0,
            max=10.0,
            step=0.05,
            tooltip="1 is the paper's setting, 0 changes nothing, values between blend, beyond 1 exaggerates.",
        ),
        io.Int.Input(
            "occurrence",
            default=0,
            min=0,
            max=99,
            advanced=True,
            tooltip="0 steers every occurrence of the word, 1 only the first, 2 only the second, and so on.",
        ),
        clamp_input(),
    ]


def clamp_input() -> io.Input:
    """clamp: how large a relevance may be."""
    return io.Float.Input(
        "clamp",
        default=0.0,
        min=0.0,
        max=1000.0,
        step=0.5,
        advanced=True,
        tooltip=(
            "Upper bound of each head's relevance before combining. 0: none for vectors by votes, the measured one for"
            " vectors by effect, without which images break. Use 9 for votes of SDXL, which have very large elements."
        ),
    )


def sampler_inputs() -> list[io.Input]:
    """seed, steps, cfg, sampler_name, scheduler: the settings of a KSampler, with the paper's as defaults."""
    seed = io.Int.Input(
        "seed",
        default=PAPER.seed,
        min=0,
        max=0xFFFFFFFFFFFFFFFF,
        control_after_generate=io.ControlAfterGenerate.fixed,
        tooltip="The noise to start from; the same seed draws the same images.",
    )
    return [seed, *drawing_inputs("Sampling steps per image; 50 in the paper.", "Guidance scale; 7.5 in the paper.")]


def drawing_inputs(steps: str, cfg: str, usual: int = PAPER.steps) -> list[io.Input]:
    """steps, cfg, sampler_name, scheduler, with the paper's settings as defaults; tooltips for the first two."""
    return [
        io.Int.Input("steps", default=usual, min=1, max=1000, tooltip=steps),
        io.Float.Input("cfg", default=PAPER.cfg, min=0.0, max=100.0, step=0.1, tooltip=cfg),
        io.Combo.Input(
            "sampler_name",
            options=comfy.samplers.KSampler.SAMPLERS,
            default=PAPER.sampler_name,
            tooltip="The sampler that draws. ddim with ddim_uniform visits the same timesteps as the paper.",
        ),
        io.Combo.Input(
            "scheduler",
            options=comfy.samplers.KSampler.SCHEDULERS,
            default=PAPER.scheduler,
            tooltip="The noise schedule. ddim_uniform is the paper's spacing.",
        ),
    ]


def window_inputs() -> list[io.Input]:
    """start_percent, end_percent: the part of the sampling in which a steering node acts."""
    return [
        io.Float.Input(
            "start_percent",
            default=0.0,
            min=0.0,
            max=1.0,
            step=0.01,
            advanced=True,
            tooltip=(
                "Where in the sampling it begins to act; 0 is the first step. Counted by noise, as ComfyUI's timestep"
                " ranges are: with ddim_uniform 0.2 is step 10 of 50 as in the authors' step windows, with other"
                " schedulers another."
            ),
        ),
        io.Float.Input(
            "end_percent",
            default=1.0,
            min=0.0,
            max=1.0,
            step=0.01,
            advanced=True,
            tooltip=(
                "Where in the sampling it stops; 1 is the last step. Counted by noise as start_percent is; with"
                " ddim_uniform 0.8 is after 40 of 50 steps. The same value as start_percent switches it off."
            ),
        ),
    ]


def steering_outputs() -> list[io.Output]:
    """The model that steers and the conditioning that says what to steer."""
    return [
        io.Model.Output(
            display_name="MODEL", tooltip="The same model, able to carry out the steering. Connect it to the sampler."
        ),
        io.Conditioning.Output(
            display_name="positive", tooltip="The positive prompt, marked with what to do. Connect it to the sampler."
        ),
    ]
