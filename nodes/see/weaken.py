"""HRV Weaken: the first k heads of an order pull the other way (section 4)."""

from comfy_api.latest import io

from ...hrv_engine.weakening.orders import WEAKENING_ORDERS, weaken
from ..host.unet import layout_of, model_family
from ..steering.shared import steer, word_columns
from ..types import CATEGORY, steering_inputs, steering_outputs, window_inputs


class HRVWeaken(io.ComfyNode):
    """Weaken heads in the order of their relevance and watch a concept vanish."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        model, positive, hrv, word = steering_inputs()
        word.tooltip = "The word or phrase to weaken. Empty: all words of the prompt, as in the paper."
        return io.Schema(
            node_id="HRVWeaken",
            display_name="HRV Weaken",
            category=f"{CATEGORY}/see",
            description=(
                "Weakens the k most (MoRHF) or least (LeRHF) relevant heads of a concept: if the HRV is right, the"
                " concept vanishes early in MoRHF order and late in LeRHF order."
            ),
            search_aliases=[
                "hrv",
                "ordered weakening",
                "MoRHF",
                "LeRHF",
                "ablate heads",
                "attention heads",
                "remove concept",
                "interpretability",
            ],
            inputs=[
                model,
                positive,
                hrv,
                word,
                io.String.Input("concept", default="Color", tooltip="The concept whose order of heads is used."),
                io.Combo.Input(
                    "order",
                    options=list(WEAKENING_ORDERS),
                    default="MoRHF",
                    tooltip=(
                        "MoRHF: most relevant heads first; LeRHF: least relevant first; random and its reverse: the"
                        " control, chosen by order_seed."
                    ),
                ),
                io.Int.Input(
                    "heads",
                    default=10,
                    min=0,
                    max=100000,
                    tooltip=(
                        "How many heads to weaken, from the front of the order. 0 changes nothing; SD1.x has 128, SDXL"
                        " 1300."
                    ),
                ),
                io.Float.Input(
                    "factor",
                    default=-2.0,
                    min=-10.0,
                    max=10.0,
                    step=0.1,
                    tooltip=(
                        "What the weakened heads' maps are multiplied by: -2 in the paper; below 0 is effective, 1"
                        " changes nothing."
                    ),
                ),
                io.Int.Input(
                    "order_seed",
                    default=0,
                    min=0,
                    max=0xFFFFFFFF,
                    advanced=True,
                    tooltip="Chooses the random order; does not matter for the others.",
                ),
                *window_inputs(),
            ],
            outputs=steering_outputs(),
        )

    @classmethod
    def execute(
        cls, model, positive, hrv, word, concept, order, heads, factor, order_seed, start_percent, end_percent
    ) -> io.NodeOutput:
        relevance = hrv.for_layout(layout_of(model), model_family(model))
        factors = weaken(relevance, concept, order, heads, factor, order_seed)
        where = word_columns(word) if word.strip() else lambda table: table.columns
        return steer(model, positive, where, factors, 1.0, start_percent, end_percent)
