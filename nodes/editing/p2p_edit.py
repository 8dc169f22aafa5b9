"""HRV P2P Edit: Prompt-to-Prompt, and with HRVs the edited word through the heads of its concept (section 5.2)."""

import numpy as np
from comfy_api.latest import io

from ...hrv_engine.editing.local_blend import LocalBlend, blend_blocks
from ...hrv_engine.editing.mapping import MODES, TAILS, map_tokens
from ...hrv_engine.editing.methods import blend_columns, check_words, cross_edit, find_edited_word, prompt_to_prompt
from ...hrv_engine.editing.paired_edit import CrossEdit
from ...hrv_engine.errors import HRVError
from ...hrv_engine.relevance.rescale import adjust, strengthen
from ...hrv_engine.text.word_values import parse_word_values, parse_word_windows
from ..host.paired_prompts import check_appended
from ..host.unet import downsampling_of, layout_of, model_family, require_unet
from ..types import CATEGORY, HRV, clamp_input
from .shared import (
    limit_input,
    more_targets,
    pair,
    pair_inputs,
    pair_outputs,
    prompts_of,
    seeds_input,
    table_of_prompt,
)

WITH_HRV, PLAIN = 0.9, 0.4  # self_replace of the paper, and of Prompt-to-Prompt
WHY = "it exchanges cross-attention and self-attention maps between prompts, by the size of a layer"


class HRVP2PEdit(io.ComfyNode):
    """Edit an image by its prompt and keep its layout."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="HRVP2PEdit",
            display_name="HRV P2P Edit",
            category=f"{CATEGORY}/editing",
            description=(
                "Prompt-to-Prompt: draws source and target together and keeps the source's layout in the target. With"
                " an HRV, the edited word acts through the heads of its concept, so that the edit is not held back."
            ),
            search_aliases=[
                "hrv",
                "prompt-to-prompt",
                "p2p",
                "prompt2prompt",
                "image editing",
                "edit prompt",
                "edit by prompt",
                "keep layout",
                "attention control",
                "word swap",
                "reweight",
            ],
            inputs=[
                *pair_inputs(words=True),
                HRV.Input("hrv", optional=True, tooltip="Head Relevance Vectors; without them plain Prompt-to-Prompt."),
                *more_targets(),
                io.String.Input(
                    "concept",
                    default="",
                    placeholder="Color",
                    tooltip=(
                        "What the edited word means: a concept of the hrv, e.g. Color. Several, separated by commas,"
                        " are averaged."
                    ),
                ),
                io.String.Input(
                    "undesired",
                    default="",
                    advanced=True,
                    tooltip="A meaning the edited word must not have: then r = 2 concept - 1 undesired. Usually empty.",
                ),
                io.String.Input(
                    "edited_word",
                    default="",
                    tooltip="The word of the target that makes the edit. Empty: found by comparing the prompts.",
                ),
                io.Float.Input(
                    "cross_replace",
                    default=0.8,
                    min=0.0,
                    max=1.0,
                    step=0.05,
                    tooltip=(
                        "Until where in the run the target's words look where the source's words look: 0.8 is the first"
                        " 40 of 50 steps, as in the authors' code, whatever the scheduler."
                    ),
                ),
                io.Float.Input(
                    "self_replace",
                    default=-1.0,
                    min=-1.0,
                    max=1.0,
                    step=0.05,
                    tooltip=(
                        "Until where in the run the source's self-attention is taken over: more keeps more of the"
                        " image. -1: 0.9 with an hrv, 0.4 without, as published; of 50 steps the first 45 or 20."
                    ),
                ),
                io.Combo.Input(
                    "mode",
                    options=list(MODES),
                    default="auto",
                    advanced=True,
                    tooltip=(
                        "replace swaps words one for one, refine keeps common words and adds new ones. auto: replace if"
                        " both prompts have as many words."
                    ),
                ),
                io.String.Input(
                    "equalizer",
                    default="",
                    placeholder="red: 2, car: -1",
                    advanced=True,
                    tooltip="Makes words of the target stronger, weaker or negative in their window: red: 2, car: -1.",
                ),
                io.String.Input(
                    "word_windows",
                    default="",
                    placeholder="car: 0.4; blue: 0.1-0.6",
                    advanced=True,
                    tooltip="Windows of their own for words of the target, in place of cross_replace: car: 0.4.",
                ),
                io.Combo.Input(
                    "tail",
                    options=list(TAILS),
                    default="aligned",
                    advanced=True,
                    tooltip=(
                        "What the columns after the last swapped word read when words differ in tokens. aligned: later"
                        " words, end-of-text and padding read their counterparts. index: every later column reads the"
                        " source's column of the same number, as in the authors' code. With refine only padding does."
                    ),
                ),
                limit_input("16x16 at 512 px for SD1.x, 32x32 at 1024 px for SDXL, as published or the nearest to it."),
                clamp_input(),
                io.String.Input(
                    "blend_words",
                    default="",
                    placeholder="car",
                    advanced=True,
                    tooltip=(
                        "Local blend: outside the places where these words look, the target is the source. Words of"
                        " either prompt, separated by commas; empty: off."
                    ),
                ),
                io.Float.Input(
                    "blend_threshold",
                    default=0.3,
                    min=0.0,
                    max=1.0,
                    step=0.05,
                    advanced=True,
                    tooltip="Local blend: the part of a map's peak above which a place may change; 0.3 as published.",
                ),
                io.Float.Input(
                    "blend_start",
                    default=0.2,
                    min=0.0,
                    max=1.0,
                    step=0.05,
                    advanced=True,
                    tooltip="Local blend: where in the run it begins; before, everything may change.",
                ),
                seeds_input(),
            ],
            outputs=pair_outputs(),
        )

    @classmethod
    def execute(
        cls, model, source, target, latent, concept, undesired, edited_word, cross_replace, self_replace, mode,
        equalizer, word_windows, tail, self_limit, clamp, blend_words, blend_threshold, blend_start, seeds, hrv=None,
        target_2=None, target_3=None, target_4=None,
    ) -> io.NodeOutput:  # fmt: skip
        require_unet(model, "HRV P2P Edit", WHY)
        prompts = prompts_of(source, [target, target_2, target_3, target_4])
        factors = rescaling(model, hrv, concept, undesired, clamp)
        heads, edits, notes = layout_of(model).total, list[CrossEdit | None](), []
        from_source = table_of_prompt(prompts[0], "source")
        windows, weights = parse_word_windows(word_windows), parse_word_values(equalizer)
        tables = [table_of_prompt(prompt, "target") for prompt in prompts[1:]]
        check_words([*windows, *weights, *filter(None, [edited_word.strip()])], tables)
        for prompt, table in zip(prompts[1:], tables, strict=True):
            check_appended(prompts[0], prompt)
            mapping = map_tokens(from_source, table, (prompts[0].tokens, prompt.tokens), mode, tail)
            rescaled = None
            if factors is not None:
                word, columns = find_edited_word(mapping, table, edited_word)
                rescaled = (columns, factors)
                notes.append(f'"{word}" times r from {factors.min():.2f} to {factors.max():.2f}')
            edits.append(cross_edit(mapping, table, cross_replace, windows, weights, heads, rescaled))
        until = self_replace if self_replace >= 0 else PLAIN if factors is None else WITH_HRV
        downsampling, blend = downsampling_of(model), None
        if blend_words.strip():
            where = blend_columns(blend_words, [from_source, *tables])
            blend = LocalBlend(where, blend_blocks(downsampling), blend_threshold, blend_start)
        edit = prompt_to_prompt(edits, until, downsampling, self_limit)
        return pair(model, prompts, latent, edit, seeds, ", ".join(notes), blend)


def rescaling(model, hrv, concept: str, undesired: str, clamp: float) -> np.ndarray | None:
    """r_h of the edited word, None without an hrv; raises HRVError when hrv and concept do not come together."""
    if hrv is None:
        if concept.strip() or undesired.strip():
            raise HRVError(
                f'The concept "{concept or undesired}" needs vectors. Connect an hrv (HRV Load), or leave concept and'
                " undesired empty for plain Prompt-to-Prompt."
            )
        return None
    relevance = hrv.for_layout(layout_of(model), model_family(model))
    if not concept.strip():
        raise HRVError(
            "An hrv is connected but no concept is given. Type what the edited word means, one of:"
            f" {', '.join(relevance.concepts.names)}."
        )
    if undesired.strip():
        return adjust(relevance, concept, undesired, clamp=clamp or None)
    return strengthen(relevance, concept, clamp or None)
