"""HRV Concept Strengthen: r_h = HRV_concept[h] on one word (section 5)."""

from comfy_api.latest import io

from ...hrv_engine.relevance.rescale import strengthen
from ..host.unet import layout_of, model_family
from ..types import CATEGORY, steering_inputs, steering_outputs, window_inputs, word_inputs
from .shared import steer, word_columns


class HRVConceptStrengthen(io.ComfyNode):
    """Let a word speak through the heads of its concept."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="HRVConceptStrengthen",
            display_name="HRV Concept Strengthen",
            category=f"{CATEGORY}/steering",
            has_intermediate_output=True,
            description=(
                "Makes a word act through the attention heads that carry its concept, e.g. a colour word through the"
                " heads of Color."
            ),
            search_aliases=[
                "hrv",
                "head relevance",
                "strengthen word",
                "concept",
                "attention heads",
                "prompt weight",
                "emphasis",
            ],
            inputs=[
                *steering_inputs(),
                io.String.Input(
                    "concept",
                    default="Color",
                    tooltip=(
                        "The meaning you want for the word: a concept of the HRV. Several, separated by commas, are"
                        " averaged."
                    ),
                ),
                *word_inputs(),
                *window_inputs(),
            ],
            outputs=steering_outputs(),
        )

    @classmethod
    def execute(
        cls, model, positive, hrv, word, concept, strength, occurrence, clamp, start_percent, end_percent
    ) -> io.NodeOutput:
        relevance = hrv.for_layout(layout_of(model), model_family(model))
        factors = strengthen(relevance, concept, clamp or None)
        where = word_columns(word, occurrence)
        return steer(model, positive, where, factors, strength, start_percent, end_percent)
