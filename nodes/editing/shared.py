"""What the editing nodes have in common: source and targets -> a model, a stacked conditioning, a paired latent."""

from typing import Any

from comfy_api.latest import io

from ...hrv_engine.attention.downsampling import LIMITS
from ...hrv_engine.editing.local_blend import LocalBlend
from ...hrv_engine.editing.paired_edit import PairedEdit
from ...hrv_engine.errors import HRVError
from ...hrv_engine.text.alignment import TokenTable
from ..host.node_texts import shown
from ..host.paired_prompts import REPLAY, Prompt, paired_latent, single_prompt, stacked
from ..host.pairing import paired
from ..host.wires import check_wires

MORE_TARGETS = ("target_2", "target_3", "target_4")


def pair_inputs(words: bool = False) -> list[io.Input]:
    """model, source, target, latent: what every editing node begins with."""
    encoded = ", encoded by HRV Prompt" if words else ""
    return [
        io.Model.Input(
            "model",
            tooltip="The model you sample with. Connect MODEL, CONDITIONING and LATENT of this node to a KSampler.",
        ),
        io.Conditioning.Input(
            "source", tooltip=f"The prompt of the image to be edited{encoded}. Its row stays as it is drawn alone."
        ),
        io.Conditioning.Input("target", tooltip=f"The prompt of the edited image{encoded}."),
        io.Latent.Input(
            "latent",
            tooltip=(
                "An empty latent of one image, or the start latent of HRV DDIM Invert to edit a real image. All rows"
                " get the same noise."
            ),
        ),
    ]


def more_targets() -> list[io.Input]:
    """Further targets from the same source, each a row of its own."""
    return [
        io.Conditioning.Input(name, optional=True, tooltip="A further edit of the same source; a row of its own.")
        for name in MORE_TARGETS
    ]


def seeds_input() -> io.Input:
    """How many noises are edited at once."""
    return io.Int.Input(
        "seeds",
        default=1,
        min=1,
        max=64,
        advanced=True,
        tooltip="How many pairs: every pair is drawn from a noise of its own, as the images of a batch are.",
    )


def limit_input(what: str) -> io.Input:
    """Which self-attention layers are taken over, by the size of their maps."""
    return io.Combo.Input(
        "self_limit",
        options=list(LIMITS),
        default="auto",
        advanced=True,
        tooltip=(
            "The largest self-attention maps that are taken over, as a part of the latent's sides, whatever the image"
            f" size. auto: {what}"
        ),
    )


def pair_outputs() -> list[io.Output]:
    """The model that pairs, the stacked prompts, the latent with a row each."""
    return [
        io.Model.Output(display_name="MODEL", tooltip="The same model, able to pair rows. Connect it to the sampler."),
        io.Conditioning.Output(
            display_name="positive", tooltip="All prompts in one, a row each. Connect it to the sampler's positive."
        ),
        io.Latent.Output(
            display_name="LATENT", tooltip="A row for the source and each target, from one noise. Connect it as latent."
        ),
    ]


def prompts_of(source: list, targets: list) -> list[Prompt]:
    """The prompts of the inputs, source first."""
    names = ("target", *MORE_TARGETS)
    return [single_prompt(source, "source")] + [
        single_prompt(one, name) for name, one in zip(names, targets, strict=False) if one is not None
    ]


def table_of_prompt(prompt: Prompt, name: str) -> TokenTable:
    """The token table of a prompt; raises HRVError when HRV Prompt did not encode it."""
    if prompt.tag is None:
        raise HRVError(
            f"The {name} has no token table, so its words cannot be compared. Encode it with HRV Prompt instead of CLIP"
            " Text Encode; it gives the same conditioning and adds the table. Or put HRV Tag Conditioning after"
            " the encoder that you use."
        )
    return prompt.tag.table


def pair(
    model: Any, prompts: list[Prompt], latent: dict, edit: PairedEdit, seeds: int, note: str = "",
    blend: LocalBlend | None = None,
) -> io.NodeOutput:  # fmt: skip
    """MODEL, CONDITIONING and LATENT in which the targets take from the source what the edit says.

    A latent of HRV DDIM Invert has its source replayed.
    """
    check_wires("This editing node", {0: "MODEL", 1: "positive", 2: "LATENT"})
    replay = latent.get(REPLAY)
    if replay is not None and seeds > 1:
        raise HRVError(f"A real image has one start latent, but seeds is {seeds}. Set it to 1.")
    if replay is not None and replay.latents[0].shape[1:] != latent["samples"].shape[1:]:
        raise HRVError(
            f"This latent was inverted at {tuple(replay.latents[0].shape[-2:])} and changed to"
            f" {tuple(latent['samples'].shape[-2:])} since (height, width). Connect HRV DDIM Invert itself and change"
            " the size of the image before it."
        )
    rows = paired_latent({key: value for key, value in latent.items() if key != REPLAY}, edit.size, seeds)
    conditioning = stacked(prompts, edit, replay, blend)
    layers = [f"{len(injection.sites)} self-attention layers" for injection in edit.injections]
    counted = f"{edit.size} rows a pair, {seeds} pair{'s' * (seeds > 1)}"
    text = ", ".join(filter(None, [counted, *layers, note]))
    return io.NodeOutput(paired(model), conditioning, rows, ui=shown(text))
