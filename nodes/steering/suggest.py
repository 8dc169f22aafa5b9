"""HRV Suggest: what each word may mean, and between which concepts to turn a misread one."""

from comfy_api.latest import io

from ...hrv_engine.errors import HRVError
from ...hrv_engine.figures.suggestion import senses_figure
from ...hrv_engine.suggestion.lexicon import Lexicon
from ...hrv_engine.suggestion.suggest import chosen_words, most_open, report_text, sense_rows, word_senses
from ...hrv_engine.tables import as_csv
from ..host.node_pictures import pictured
from ..host.tokens import token_table
from ..host.words import concept_vectors, unknown_words, word_vectors
from ..images import to_image
from ..types import CATEGORY, HRV


class HRVSuggest(io.ComfyNode):
    """Rank the concepts of every word by the text encoder, and say how far that can be trusted."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="HRVSuggest",
            display_name="HRV Suggest",
            category=f"{CATEGORY}/steering",
            has_intermediate_output=True,
            description=(
                "Lists what each word of a prompt may mean, proposes desired and undesired for HRV Concept Adjust, and"
                " says how often such a guess is right with your text encoder."
            ),
            search_aliases=[
                "hrv",
                "ambiguous word",
                "polysemous",
                "which concept",
                "word sense",
                "suggest concept",
                "misread word",
                "desired undesired",
            ],
            inputs=[
                *suggest_inputs("The vectors whose concepts are proposed; how alike their rows are counts too."),
                io.Clip.Input("clip", tooltip="The text encoder that reads your prompts: of the same checkpoint."),
                io.String.Input(
                    "desired",
                    default="",
                    placeholder="Color",
                    tooltip="The meaning you want, if you know it: a concept of the HRV. Empty: both are proposed.",
                ),
                io.Int.Input(
                    "shown",
                    default=3,
                    min=1,
                    max=1000,
                    tooltip="How many senses of each word the report and the image show. The table has all.",
                ),
            ],
            outputs=[
                *suggest_outputs(),
                io.Image.Output(display_name="IMAGE", tooltip="The senses as bars; connect it to Preview Image."),
                io.String.Output(display_name="table", tooltip="CSV of all senses: similarity, like, proposed as."),
            ],
        )

    @classmethod
    def execute(cls, prompt, hrv, words, clip, desired, shown) -> io.NodeOutput:
        asked = asked_words(clip, prompt, words)
        lexicon = Lexicon.of(hrv, concept_vectors(clip, hrv.concepts))
        vectors = word_vectors(clip, asked)
        senses = word_senses(lexicon, vectors, unknown_words(clip, vectors), desired)
        text = report_text(senses, lexicon.check, len(lexicon.concepts), shown)
        first = most_open(senses)
        ends = (first.word, first.pair.desired, first.pair.undesired)
        image = to_image(senses_figure(senses, shown))
        return io.NodeOutput(text, *ends, image, as_csv(sense_rows(senses)), ui=pictured(image, text))


def suggest_inputs(hrv_tooltip: str) -> list[io.Input]:
    """prompt, hrv, words: what is asked about."""
    return [
        io.String.Input(
            "prompt",
            multiline=True,
            default="",
            tooltip="The prompt, as you give it to HRV Prompt. Connect one text to both.",
        ),
        HRV.Input("hrv", tooltip=hrv_tooltip),
        io.String.Input(
            "words",
            default="",
            placeholder="lavender, vase",
            tooltip="Only these words of the prompt, separated by commas. Empty: all that could mean something to see.",
        ),
    ]


def suggest_outputs() -> list[io.Output]:
    """report, word, desired, undesired: a text, and what HRV Concept Adjust takes."""
    return [
        io.String.Output(display_name="report", tooltip="All words with their senses; connect it to Preview as Text."),
        io.String.Output(display_name="word", tooltip="The word proposed first; to HRV Concept Adjust's word."),
        io.String.Output(display_name="desired", tooltip="Its proposed meaning; to HRV Concept Adjust's desired."),
        io.String.Output(display_name="undesired", tooltip="What may come instead; to HRV Concept Adjust's undesired."),
    ]


def asked_words(clip, prompt: str, words: str) -> list[str]:
    """The words of the prompt to look at; raises HRVError for an empty prompt or a word that it does not have."""
    if not prompt.strip():
        raise HRVError('The prompt is empty. Type it, e.g. "a vase in lavender color", or connect the text to both.')
    return chosen_words(token_table(clip, prompt), words)
