"""HRV Prompt: core's CLIP Text Encode, plus a table of which token stands where."""

from comfy_api.latest import io

from .host.conditioning import annotated
from .host.tokens import token_table
from .types import CATEGORY


class HRVPrompt(io.ComfyNode):
    """Encode a prompt and remember its words."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="HRVPrompt",
            display_name="HRV Prompt",
            category=CATEGORY,
            description=(
                "Encodes a prompt exactly as CLIP Text Encode does and remembers where its words are, so that HRV nodes"
                " can be told a word."
            ),
            search_aliases=["hrv", "clip text encode", "prompt", "positive prompt", "token table", "text encode"],
            inputs=[
                io.Clip.Input(
                    "clip",
                    tooltip="The text encoder of the model: CLIP, T5, Qwen and the others of ComfyUI.",
                ),
                io.String.Input(
                    "text",
                    multiline=True,
                    dynamic_prompts=True,
                    default="",
                    tooltip="The prompt. Weights such as (lavender:1.3), long prompts and embeddings work as usual.",
                ),
            ],
            outputs=[
                io.Conditioning.Output(
                    display_name="CONDITIONING",
                    tooltip="The encoded prompt with its words; use it wherever a conditioning goes.",
                )
            ],
        )

    @classmethod
    def execute(cls, clip, text) -> io.NodeOutput:
        table = token_table(clip, text)
        return io.NodeOutput(annotated(clip.encode_from_tokens_scheduled(clip.tokenize(text)), table))
