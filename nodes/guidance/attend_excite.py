"""HRV Attend & Excite: nothing of the prompt is forgotten (Attend-and-Excite; section 5.3 with HRVs)."""

from typing import Any

from comfy_api.latest import io

from ...hrv_engine.errors import HRVError
from ...hrv_engine.guidance.descent import REFINEMENT, Schedule, parse_thresholds
from ...hrv_engine.guidance.latent_guidance import Guidance
from ...hrv_engine.guidance.losses import GAUSSIAN_DEVIATION, ORIGINAL_DEVIATION, SHARPNESS, MaxActivation
from ...hrv_engine.guidance.readings import NEGLIGIBLE, Reading, mean_reading, relevance_reading
from ...hrv_engine.text.alignment import TokenTable
from ...hrv_engine.text.lists import listed
from ...hrv_engine.text.phrases import nouns, subject
from ..host.conditioning import table_of
from ..host.unet import downsampling_of, layout_of, model_family, require_unet
from ..types import CATEGORY, HRV
from .shared import guide, guide_inputs, guide_outputs, schedule_inputs

ORIGINAL, WITH_HRV = "original", "hrv"
EVERYTHING, WORDS = "all tokens", "words of the prompt"
RELEVANT, ALL = "relevant", "all"
SLICES = {ORIGINAL: (-1, ORIGINAL_DEVIATION), WITH_HRV: (None, GAUSSIAN_DEVIATION)}  # last column, smoothing
WHY = "its loss is of cross-attention maps at the sizes of a UNet"


class HRVAttendExcite(io.ComfyNode):
    """Move the latent until every word that matters is attended to somewhere."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="HRVAttendExcite",
            display_name="HRV Attend & Excite",
            category=f"{CATEGORY}/guidance",
            description=(
                "Attend-and-Excite: in the first steps the latent is moved until each word is attended to somewhere, so"
                " that no object of the prompt is left out. Sample with the stock KSampler."
            ),
            search_aliases=[
                "hrv",
                "attend and excite",
                "A&E",
                "missing object",
                "keep objects",
                "keep every object",
                "catastrophic neglect",
                "two objects",
                "multi concept",
                "latent guidance",
            ],
            inputs=[
                *guide_inputs(),
                io.String.Input(
                    "words",
                    default="",
                    placeholder="cat, dog",
                    tooltip="What must not be missing, separated by commas. Empty: the nouns, found by simple rules.",
                ),
                io.Combo.Input(
                    "preset",
                    options=[ORIGINAL, WITH_HRV],
                    default=ORIGINAL,
                    tooltip=(
                        "original: the mean of the layers at a quarter of the latent's size. hrv: all heads, weighted"
                        " by the relevance of each word's concept; needs hrv and concepts."
                    ),
                ),
                io.String.Input(
                    "concepts",
                    default="",
                    placeholder="Animals, Animals",
                    tooltip="For hrv: one concept per word, in the same order, separated by commas.",
                ),
                io.Combo.Input(
                    "rivals",
                    options=[EVERYTHING, WORDS],
                    default=EVERYTHING,
                    tooltip=(
                        "With what the words compete for attention: all tokens, padding too (the original on SD1.x), or"
                        " the words of the prompt only (the original on SD2.x; right for the pocket model)."
                    ),
                ),
                io.Float.Input(
                    "sharpness",
                    default=SHARPNESS,
                    min=0.1,
                    max=1000.0,
                    step=0.5,
                    advanced=True,
                    tooltip=(
                        "How sharply words compete: the factor of the maps before the softmax over tokens; 100 in"
                        " the paper, where the begin-of-text token takes most of the attention. About 10 on the pocket"
                        " model."
                    ),
                ),
                io.String.Input(
                    "thresholds",
                    default=REFINEMENT,
                    tooltip=(
                        "step:value, where the latent is refined until the loss is below 1 - value. Empty: no"
                        " refinement."
                    ),
                ),
                io.Int.Input(
                    "max_refinements", default=20, min=0, max=1000, tooltip="The most refinements in one step."
                ),
                io.Boolean.Input(
                    "smoothing", default=True, tooltip="Blur the maps a little, so that one pixel alone does not count."
                ),
                *schedule_inputs("How many steps, from the first, are altered: half of them in the paper (25 of 50)."),
                io.Combo.Input(
                    "layers",
                    options=[RELEVANT, ALL],
                    default=RELEVANT,
                    optional=True,
                    advanced=True,
                    tooltip=(
                        f"For hrv: relevant leaves out the layers with the last {NEGLIGIBLE:.0%} of a concept's"
                        " relevance, which costs less; the node says how much it left out. all: every layer, as in the"
                        " paper."
                    ),
                ),
                HRV.Input("hrv", optional=True, tooltip="For the preset hrv: vectors built for this kind of model."),
            ],
            outputs=guide_outputs(),
        )

    @classmethod
    def execute(
        cls, model, positive, words, preset, concepts, rivals, sharpness, thresholds, max_refinements, smoothing,
        steps_to_alter, step_size, save_memory, layers=RELEVANT, hrv=None,
    ) -> io.NodeOutput:  # fmt: skip
        require_unet(model, "HRV Attend & Excite", WHY)
        asked = list(dict.fromkeys(listed(words) or [word for word, _ in nouns(table_of(positive))]))
        reading = _reading(model, preset, hrv, asked, listed(concepts), NEGLIGIBLE if layers == RELEVANT else 0.0)
        stop, deviation = SLICES[preset]
        refined = parse_thresholds(thresholds)
        schedule = Schedule(steps_to_alter, step_size, thresholds=refined, rounds=max_refinements)

        def guidance_for(table: TokenTable) -> Guidance:
            subjects = tuple(subject(table, word) for word in asked)
            among = table.columns if rivals == WORDS else None
            loss = MaxActivation(subjects, deviation if smoothing else None, stop, among, sharpness)
            return Guidance("Attend & Excite", loss, reading, schedule, save_memory)

        heads = int((reading.weights != 0).any(axis=0).sum())
        note = f"keeps {', '.join(asked)}; reads {heads} of {reading.layout.total} heads in {len(reading.sites)} layers"
        note += f", without {reading.left_out:.1%} of the relevance" if reading.left_out else ""
        return guide(model, positive, guidance_for, note)


def _reading(model: Any, preset: str, hrv: Any, words: list[str], concepts: list[str], left_out: float) -> Reading:
    """The heads that a preset reads; raises HRVError when something is missing for it.

    left_out: the share of relevance that layers may have which are not read.
    """
    layout = layout_of(model)
    if preset == ORIGINAL:
        return mean_reading(layout, downsampling_of(model))
    if hrv is None:
        raise HRVError('The preset "hrv" weights heads by their relevance, but no HRV is connected. Connect HRV Load.')
    if len(concepts) != len(words):
        raise HRVError(
            f"There are {len(words)} words ({', '.join(words)}) but {len(concepts)} concepts"
            f" ({', '.join(concepts) or 'none'}). Give one concept per word, in the same order, e.g."
            f' "{", ".join([hrv.concepts.names[0]] * len(words))}".'
        )
    relevance = hrv.for_layout(layout, model_family(model))
    return relevance_reading(layout, [relevance.row(concept) for concept in concepts], left_out)
