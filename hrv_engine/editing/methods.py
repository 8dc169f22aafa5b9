"""The editing methods the paper compares, each as what its targets take from the source."""

import numpy as np

from ..attention.downsampling import (
    AUTO,
    Downsampling,
    decoder_from_second_block,
    from_layer,
    small_maps,
    without_finest,
)
from ..errors import HRVError
from ..text.alignment import Columns, TokenTable, Word
from ..text.lists import listed
from .mapping import TokenMapping
from .paired_edit import KEY_VALUE, CrossEdit, FeatureInjection, PairedEdit, SelfInjection, StepWindow


def prompt_to_prompt(
    cross: list[CrossEdit | None], self_replace: float, downsampling: Downsampling, limit: str
) -> PairedEdit:
    """Prompt-to-Prompt: edited cross-attention maps, and the source's self-attention of small maps at first."""
    injections = (SelfInjection(StepWindow(0.0, self_replace), small_maps(downsampling, limit)),)
    return PairedEdit(tuple(cross), injections)


def free_prompt_editing(targets: int, self_replace: float, downsampling: Downsampling, limit: str) -> PairedEdit:
    """Free-Prompt-Editing: the source's self-attention alone; auto: all layers but those with the largest maps."""
    blocks = without_finest(downsampling) if limit == AUTO else small_maps(downsampling, limit)
    return PairedEdit((None,) * targets, (SelfInjection(StepWindow(0.0, self_replace), blocks),))


def plug_and_play(targets: int, attention: float, features: float, downsampling: Downsampling) -> PairedEdit:
    """Plug-and-Play: the source's queries and keys in the decoder, and the features of its second block."""
    place, blocks = decoder_from_second_block(downsampling)
    injection = SelfInjection(StepWindow(0.0, attention), blocks, unconditional=True)
    return PairedEdit((None,) * targets, (injection,), (FeatureInjection(StepWindow(0.0, features), place),))


def masactrl(targets: int, start: float, start_layer: int, downsampling: Downsampling) -> PairedEdit:
    """MasaCtrl: from a step and a layer on, the target's queries look into the source's keys and values."""
    blocks = from_layer(downsampling, start_layer)
    injection = SelfInjection(StepWindow(start, 1.0), blocks, KEY_VALUE, unconditional=True)
    return PairedEdit((None,) * targets, (injection,))


def cross_edit(
    mapping: TokenMapping,
    target: TokenTable,
    cross_replace: float,
    word_windows: dict[str, tuple[float, float]],
    equalizer: dict[str, float],
    heads: int,
    rescaled: tuple[Columns, np.ndarray] | None = None,
) -> CrossEdit:
    """Prompt-to-Prompt's edit of one target.

    word_windows: fractions of the run for single words; equalizer: factors for words; rescaled: (columns, r_h float32
    [heads]) that keep the target's own map times r_h (equation 8). Words that are not in this target are left out.
    """
    tokens = mapping.matrix.shape[1]
    windows = np.tile(np.array([0.0, cross_replace]), (tokens, 1))
    for word, window in word_windows.items():
        windows[list(target.columns_anywhere(word))] = window
    factors: np.ndarray = np.ones(tokens, np.float32)
    for word, factor in equalizer.items():
        factors[list(target.columns_anywhere(word))] = factor
    if rescaled is None:
        return CrossEdit(mapping, windows, factors, heads=heads)
    return CrossEdit(mapping, windows, factors, *rescaled, heads=heads)


def check_words(words: list[str], tables: list[TokenTable]) -> None:
    """Raise the HRVError of the first target unless each word is in one of the targets."""
    for word in words:
        if not any(table.find(word) for table in tables):
            tables[0].columns_of(word)


def blend_columns(text: str, tables: list[TokenTable]) -> tuple[tuple[int, ...], ...]:
    """The columns of comma-separated blend words in each prompt; raises HRVError for a word that is in none."""
    words = listed(text)
    check_words(words, tables)
    return tuple(
        tuple(sorted({column for word in words for column in table.columns_anywhere(word)})) for table in tables
    )


def find_edited_word(mapping: TokenMapping, target: TokenTable, given: str) -> Word:
    """The edited word and its columns: the one given, else the only one in which the prompts differ.

    Raises HRVError when it is not there, or when it could be several.
    """
    if given.strip():
        return given.strip(), target.columns_of(given)
    if not mapping.changed:
        raise HRVError(
            f'The target prompt "{target.prompt}" has no word that the source has not, so there is nothing whose heads'
            " could be rescaled. Type the edited word, or take the hrv away for plain Prompt-to-Prompt."
        )
    if len(mapping.changed) > 1:
        places = ", ".join(f'"{word}"' for word, _ in mapping.changed)
        raise HRVError(
            f'The target prompt "{target.prompt}" differs from the source in {len(mapping.changed)} places: {places}.'
            " Type in edited_word which of them the concept is for."
        )
    return mapping.changed[0]
