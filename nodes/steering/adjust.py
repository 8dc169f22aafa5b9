"""HRV Concept Adjust: r_h = 2 HRV_desired[h] - 1 HRV_undesired[h] on one word (section 5.1)."""

from comfy_api.latest import io

from ...hrv_engine.relevance.rescale import adjust
from ..host.unet import layout_of, model_family
from ..types import CATEGORY, steering_inputs, steering_outputs, window_inputs, word_inputs
from .shared import steer, word_columns


class HRVConceptAdjust(io.ComfyNode):
    """Turn a misread word from one meaning to the other."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="HRVConceptAdjust",
            display_name="HRV Concept Adjust",
            category=f"{CATEGORY}/steering",
            has_intermediate_output=True,
            description=(
                'Fixes a misread word: "a vase in lavender color" draws flowers until lavender is turned from Plants to'
                " Color."
            ),
            search_aliases=[
                "hrv",
                "head relevance",
                "misread word",
                "steer",
                "color",
                "fix prompt",
                "word meaning",
                "polysemous",
                "attention heads",
                "concept",
            ],
            inputs=[
                *steering_inputs(),
                io.String.Input(
                    "desired",
                    default="Color",
                    tooltip=(
                        "The meaning you want: a concept of the HRV, e.g. Color. Several, separated by commas, are"
                        " averaged."
                    ),
                ),
                io.String.Input(
                    "undesired",
                    default="Plants",
                    tooltip=(
                        "The meaning that comes instead: a concept of the HRV, e.g. Plants. Several, separated by"
                        " commas, are averaged."
                    ),
                ),
                io.Float.Input(
                    "desired_weight",
                    default=2.0,
                    min=-10.0,
                    max=10.0,
                    step=0.1,
                    advanced=True,
                    tooltip="Weight of the desired concept; 2 in the paper. Matters when the word stays too weak.",
                ),
                io.Float.Input(
                    "undesired_weight",
                    default=1.0,
                    min=-10.0,
                    max=10.0,
                    step=0.1,
                    advanced=True,
                    tooltip="Weight of the undesired concept; 1 in the paper. Matters when the wrong meaning stays.",
                ),
                *word_inputs(),
                *window_inputs(),
            ],
            outputs=steering_outputs(),
        )

    @classmethod
    def execute(
        cls,
        model,
        positive,
        hrv,
        word,
        desired,
        undesired,
        desired_weight,
        undesired_weight,
        strength,
        occurrence,
        clamp,
        start_percent,
        end_percent,
    ) -> io.NodeOutput:
        relevance = hrv.for_layout(layout_of(model), model_family(model))
        factors = adjust(relevance, desired, undesired, desired_weight, undesired_weight, clamp or None)
        where = word_columns(word, occurrence)
        return steer(model, positive, where, factors, strength, start_percent, end_percent)
