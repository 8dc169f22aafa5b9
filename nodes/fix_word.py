"""HRV Fix Word: a prompt, its misread word and what it means, in one node made of the long ones."""

from typing import Any, NamedTuple

import comfy.supported_models
from comfy_api.latest import io

from ..hrv_engine.errors import HRVError
from ..hrv_engine.relevance.relevance import EFFECT, HeadRelevance
from ..hrv_engine.relevance.rescale import adjust, concept_list, strengthen
from ..hrv_engine.suggestion.lexicon import Lexicon
from ..hrv_engine.suggestion.suggest import WordSenses, content_words, word_senses
from .host.conditioning import annotated, table_of
from .host.node_texts import keep_note, shown
from .host.shipped import shipped_for
from .host.tokens import token_table
from .host.unet import layout_of, model_family
from .host.wires import check_wires
from .host.words import concept_vectors, encode, unknown_words, word_vectors
from .steering.shared import rescaled, word_columns
from .types import CATEGORY, HRV

SDXL_CLAMP = 9.0  # for its votes, which have very large elements (section G.3)


class HRVFixWord(io.ComfyNode):
    """Encode a prompt and turn one word of it to the meaning that was meant."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="HRVFixWord",
            display_name="HRV Fix Word",
            category=CATEGORY,
            has_intermediate_output=True,
            description=(
                "Fixes a misread word in one node: type the prompt, name the word, say what it means and what it does"
                " not mean. In place of CLIP Text Encode, between the loader and the sampler."
            ),
            search_aliases=[
                "hrv",
                "fix word",
                "misread word",
                "wrong meaning",
                "word meaning",
                "ambiguous word",
                "fix prompt",
                "clip text encode",
            ],
            inputs=[
                io.Model.Input("model", tooltip="The model you sample with."),
                io.Clip.Input("clip", tooltip="The text encoder of that model; it encodes the prompt."),
                io.String.Input(
                    "text",
                    multiline=True,
                    dynamic_prompts=True,
                    default="",
                    placeholder="a vase in lavender color",
                    tooltip="The whole prompt, as you would give it to CLIP Text Encode.",
                ),
                io.String.Input(
                    "word",
                    default="",
                    placeholder="lavender",
                    tooltip="The misread word or phrase, as it is in the prompt, without weights. Or click it below.",
                ),
                io.String.Input(
                    "meaning",
                    default="",
                    placeholder="Color",
                    tooltip=(
                        "What the word means here: a concept of the vectors. Empty: proposed from the text encoder, as"
                        " HRV Suggest does; the receipt says what was proposed."
                    ),
                ),
                io.String.Input(
                    "not_meaning",
                    default="",
                    placeholder="Plants",
                    tooltip=(
                        "What is drawn instead: a concept of the vectors. Empty with a meaning: the word is only"
                        " strengthened in that meaning."
                    ),
                ),
                io.Float.Input(
                    "strength",
                    default=1.0,
                    min=-10.0,
                    max=10.0,
                    step=0.05,
                    tooltip="0 changes nothing, 1 is the paper's setting, values between blend, beyond 1 exaggerates.",
                ),
                HRV.Input(
                    "hrv",
                    optional=True,
                    tooltip=(
                        "Vectors built for this kind of model (HRV Fetch, HRV Load or HRV Build). Pocket models need"
                        " none: theirs come with the pack."
                    ),
                ),
            ],
            outputs=[
                io.Model.Output(
                    display_name="MODEL", tooltip="The same model, which can steer. Connect it to the sampler."
                ),
                io.Conditioning.Output(
                    display_name="CONDITIONING",
                    tooltip="The encoded prompt with the word marked: the sampler's positive.",
                ),
                io.String.Output(display_name="receipt", tooltip="What the word was turned to, by which vectors."),
            ],
        )

    @classmethod
    def execute(cls, model, clip, text, word, meaning, not_meaning, strength, hrv=None) -> io.NodeOutput:
        check_wires("HRV Fix Word", {0: "MODEL", 1: "CONDITIONING"})
        table = token_table(clip, text)  # refuses what no encoder takes
        positive = annotated(encode(clip, text), table)
        check_word(positive, word)
        hrv, origin = vectors_of(model, hrv)
        sense = sense_of(clip, hrv, word, meaning, not_meaning)
        factors, clamp = factors_of(model, hrv, sense)
        changed, marked, note = rescaled(model, positive, word_columns(word), factors, strength)
        said = f'"{word.strip()}" {sense.text}'
        receipt = "\n".join([said, f"Vectors: {origin}{clamp}.", f"{note}."])
        keep_note(changed.model_options["transformer_options"], said)
        return io.NodeOutput(changed, marked, receipt, ui=shown(receipt))


class Sense(NamedTuple):
    """What a word means, and does not ("" for nothing in particular); how that reads in the receipt."""

    desired: str
    undesired: str
    text: str


def check_word(positive: list, word: str) -> None:
    """Raise HRVError when no word was named, with the prompt's words, or one that is not in the prompt."""
    table = table_of(positive)
    if word.strip():
        table.columns_of(word)
        return
    if not table.prompt.strip():
        raise HRVError('The prompt in `text` is empty. Type it, e.g. "a vase in lavender color", and name its word.')
    words = ", ".join(content_words(table))
    raise HRVError(f'Which word of "{table.prompt[:60]}" is misread? `word` is empty. Type one or several of: {words}.')


def vectors_of(model: Any, hrv: HeadRelevance | None) -> tuple[HeadRelevance, str]:
    """The vectors to steer with, and where they come from; without any, those that ship for a pocket model.

    Raises HRVError for vectors of another model, or for a model for which none ship.
    """
    layout = layout_of(model)
    if hrv is not None:
        return hrv.for_layout(layout, model_family(model)), f"{len(hrv.concepts.names)} concepts, connected"
    shipped = shipped_for(layout)
    if shipped is None:
        raise HRVError(
            f"Which heads of {model_family(model)} stand for a meaning? Connect vectors to `hrv`: HRV Fetch downloads"
            " the paper's (sd14 for SD1.x, sdxl for SDXL), HRV Load reads a file, HRV Build makes them for any other"
            " model. Only pocket models have theirs in the pack."
        )
    name, found = shipped
    return found, f"{name}, {len(found.concepts.names)} concepts, shipped for this pocket model"


def sense_of(clip: Any, hrv: HeadRelevance, word: str, meaning: str, not_meaning: str) -> Sense:
    """The meanings as given; without `meaning` proposed by the text encoder, around `not_meaning` if that is given.

    Raises HRVError for an unknown concept, and for a proposal on a word that the text encoder does not know.
    """
    if meaning.strip():
        meaning, other = meaning.strip(), not_meaning.strip()
        return Sense(meaning, other, f"means {meaning}, not {other}." if other else f"is strengthened as {meaning}.")
    lexicon = Lexicon.of(hrv, concept_vectors(clip, hrv.concepts))
    vectors = word_vectors(clip, [word])
    given = concept_list(not_meaning)[0] if not_meaning.strip() else ""
    (found,) = word_senses(lexicon, vectors, unknown_words(clip, vectors), given)
    if not found.known:
        raise HRVError(
            f'This text encoder does not know the word "{word}", so no meaning can be proposed. Type one of'
            f" {', '.join(lexicon.concepts)} into `meaning`."
        )
    desired, undesired = found.pair.desired, found.pair.undesired
    if given:
        desired, undesired = undesired, not_meaning
    return Sense(desired, undesired, f"means {desired}, not {undesired}. {_proposal(found, desired, given)}")


def _proposal(found: WordSenses, desired: str, given: str) -> str:
    senses = {sense.concept: sense for sense in found.senses}
    named = [senses[name] for name in (found.pair.desired, found.pair.undesired)]
    near = ", ".join(f"{sense.concept} {sense.similarity:.2f} like {sense.like}" for sense in named)
    what = f"{desired} was" if given else "Both were"
    return f"{what} proposed by the text encoder ({near}): if it is the other way round, type them yourself."


def factors_of(model: Any, hrv: HeadRelevance, sense: Sense) -> tuple[Any, str]:
    """r_h float32 [heads] as HRV Concept Adjust or HRV Concept Strengthen has it; and the clamp, for the receipt."""
    is_sdxl = isinstance(model.model.model_config, comfy.supported_models.SDXL)
    clamp = SDXL_CLAMP if is_sdxl and hrv.method != EFFECT else None
    limit = clamp or hrv.usual_clamp
    text = f", clamp {limit:g}" if limit else ""
    if sense.undesired:
        return adjust(hrv, sense.desired, sense.undesired, clamp=clamp), text
    return strengthen(hrv, sense.desired, clamp), text
