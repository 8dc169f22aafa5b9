"""HRV Token Maps: a KSampler that also records which pixels attend to each word."""

from comfy_api.latest import io

import nodes as core

from ...hrv_engine.errors import HRVError
from ...hrv_engine.inspection.token_maps import END, START
from ...hrv_engine.relevance.rescale import check_window
from ...hrv_engine.text.lists import listed
from ..host.capture import TokenMapRecorder
from ..host.conditioning import tables_of
from ..types import CATEGORY, TokenMaps, sampler_inputs, window_inputs


class HRVTokenMaps(io.ComfyNode):
    """Sample as KSampler does and keep the cross-attention maps of some words."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="HRVTokenMaps",
            display_name="HRV Token Maps",
            category=f"{CATEGORY}/see",
            description=(
                "A KSampler that also records which pixels attend to each word of the prompt, head by head. The image"
                " is bit for bit the one KSampler draws."
            ),
            search_aliases=[
                "hrv",
                "attention map",
                "DAAM",
                "token heat map",
                "where does a word look",
                "cross-attention",
            ],
            inputs=[
                io.Model.Input("model", tooltip="The model to sample with."),
                io.Conditioning.Input(
                    "positive", tooltip="The prompt, encoded by HRV Prompt so that its words can be found."
                ),
                io.Conditioning.Input("negative", tooltip="The negative prompt; its attention is not recorded."),
                io.Latent.Input("latent_image", tooltip="The latent to denoise; batches have maps of their own."),
                io.String.Input(
                    "words",
                    default="",
                    placeholder="star, desert",
                    tooltip="Words or phrases of the prompt, separated by commas. Empty: every word of the prompt.",
                ),
                io.Boolean.Input(
                    "special_tokens",
                    default=False,
                    tooltip=(
                        "On: also record the begin-of-text and end-of-text tokens, which take most of the attention."
                    ),
                ),
                *sampler_inputs(),
                io.Float.Input(
                    "denoise",
                    default=1.0,
                    min=0.0,
                    max=1.0,
                    step=0.01,
                    tooltip="How much of latent_image is drawn anew, as in KSampler; 1 is everything.",
                ),
                *window_inputs(),
            ],
            outputs=[
                io.Latent.Output(display_name="LATENT", tooltip="The sampled latent, the same as KSampler's."),
                TokenMaps.Output(
                    display_name="token_maps",
                    tooltip="The maps of every word and head; see them with HRV Token Map View.",
                ),
            ],
        )

    @classmethod
    def execute(
        cls, model, positive, negative, latent_image, words, special_tokens, seed, steps, cfg, sampler_name, scheduler,
        denoise, start_percent, end_percent,
    ) -> io.NodeOutput:  # fmt: skip
        check_window(start_percent, end_percent)
        every = [word for table in tables_of(positive) for word in table.words()]
        wanted = list(dict.fromkeys(listed(words) or every)) + [START, END] * special_tokens
        if not wanted:
            raise HRVError(
                "The prompt is empty, so there is no word whose maps could be recorded. Type a prompt in HRV Prompt, or"
                " switch special_tokens on."
            )
        recorder = TokenMapRecorder(model, positive, wanted, start_percent, end_percent)
        settings = (seed, steps, cfg, sampler_name, scheduler)
        latent = core.common_ksampler(
            recorder.attach(model), *settings, positive, negative, latent_image, denoise=denoise
        )[0]
        return io.NodeOutput(latent, recorder.take())
