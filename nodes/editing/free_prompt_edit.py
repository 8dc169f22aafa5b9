"""HRV Free-Prompt Edit: the source's self-attention alone, words left free (Liu et al., CVPR 2024)."""

from comfy_api.latest import io

from ...hrv_engine.editing.methods import free_prompt_editing
from ..host.unet import downsampling_of, require_unet
from ..types import CATEGORY
from .shared import limit_input, more_targets, pair, pair_inputs, pair_outputs, prompts_of, seeds_input

WHY = "it exchanges self-attention maps, by the size of a layer"


class HRVFreePromptEdit(io.ComfyNode):
    """Keep the layout by self-attention only."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="HRVFreePromptEdit",
            display_name="HRV Free-Prompt Edit",
            category=f"{CATEGORY}/editing",
            description=(
                "Free-Prompt-Editing: the target takes over the source's self-attention maps and nothing of its words,"
                " so the prompts need not resemble each other."
            ),
            search_aliases=["hrv", "FPE", "free-prompt-editing", "image editing", "keep layout", "self-attention"],
            inputs=[
                *pair_inputs(),
                *more_targets(),
                io.Float.Input(
                    "self_replace",
                    default=0.8,
                    min=0.0,
                    max=1.0,
                    step=0.05,
                    tooltip=(
                        "Until where in the run the source's self-attention is taken over;"
                        " 0.8 as published, 40 of 50 steps."
                    ),
                ),
                limit_input("all layers but those with the largest maps, as published (32x32 at 512 px for SD1.x)."),
                seeds_input(),
            ],
            outputs=pair_outputs(),
        )

    @classmethod
    def execute(
        cls, model, source, target, latent, self_replace, self_limit, seeds, target_2=None, target_3=None, target_4=None
    ) -> io.NodeOutput:
        require_unet(model, "HRV Free-Prompt Edit", WHY)
        prompts = prompts_of(source, [target, target_2, target_3, target_4])
        edit = free_prompt_editing(len(prompts) - 1, self_replace, downsampling_of(model), self_limit)
        return pair(model, prompts, latent, edit, seeds)
