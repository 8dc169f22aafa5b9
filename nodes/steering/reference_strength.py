"""HRV Reference Strength: how much of a reference image the image sees, in all heads or through those of a concept."""

import numpy as np
from comfy_api.latest import io

from ...hrv_engine.errors import HRVError
from ...hrv_engine.relevance.relevance import HeadRelevance
from ...hrv_engine.relevance.rescale import check_window, concept_share
from ..host.node_texts import shown
from ..host.reference_steering import reference_steered
from ..host.references import (
    EVERY,
    ReferenceScale,
    check_takes_references,
    references_of,
    with_reference_scale,
)
from ..host.unet import layout_of, model_family
from ..host.wires import check_wires
from ..types import CATEGORY, HRV, window_inputs

TITLE = "HRV Reference Strength"


class HRVReferenceStrength(io.ComfyNode):
    """Scale the value rows of a reference image for the image's queries only."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="HRVReferenceStrength",
            display_name=TITLE,
            category=f"{CATEGORY}/steering",
            has_intermediate_output=True,
            description=(
                "How much of each reference image an edit model takes: Flux Kontext, Flux.2, Qwen-Image-Edit, OmniGen2."
                " With an HRV only through a concept, such as the Color of image 2."
            ),
            search_aliases=[
                "hrv",
                "reference image",
                "reference latent",
                "reference strength",
                "kontext",
                "qwen image edit",
                "image edit strength",
                "ip adapter weight",
                "image prompt weight",
                "style reference",
            ],
            inputs=[
                io.Model.Input(
                    "model", tooltip="The model you sample with. Connect MODEL and CONDITIONING to the sampler."
                ),
                io.Conditioning.Input(
                    "conditioning",
                    tooltip=(
                        "A prompt with its reference images. Where CFG is above 1 and the negative prompt has them too,"
                        " give it a second node with the same settings."
                    ),
                ),
                io.Int.Input(
                    "image",
                    default=EVERY,
                    min=EVERY,
                    max=99,
                    tooltip=(
                        "Which reference image: 1 is the one that was added first. 0 is every one. For two images with"
                        " a strength each, use two of these nodes."
                    ),
                ),
                io.Float.Input(
                    "strength",
                    default=1.0,
                    min=-10.0,
                    max=10.0,
                    step=0.05,
                    tooltip=(
                        "1 changes nothing, 0.5 takes half of it, 0 takes nothing from it, 1.5 takes more, below 0"
                        " pushes away from it."
                    ),
                ),
                io.String.Input(
                    "concept",
                    default="",
                    placeholder="Color, Style",
                    tooltip=(
                        "Only through the heads of this concept of the HRV, each in proportion of its relevance;"
                        " several are separated by commas. Empty: through all heads, no HRV is needed."
                    ),
                ),
                *window_inputs(),
                HRV.Input(
                    "hrv",
                    optional=True,
                    tooltip="Head Relevance Vectors of this kind of model. Only for a concept.",
                ),
            ],
            outputs=[
                io.Model.Output(
                    display_name="MODEL",
                    tooltip="The same model, able to carry out the strength. Connect it to the sampler.",
                ),
                io.Conditioning.Output(
                    display_name="CONDITIONING",
                    tooltip="The prompt, marked with the strength of its images. Connect it to the same sampler.",
                ),
                io.String.Output(display_name="report", tooltip="Which image got which strength in how many heads."),
            ],
        )

    @classmethod
    def execute(
        cls, model, conditioning, image, strength, concept, start_percent, end_percent, hrv=None
    ) -> io.NodeOutput:
        check_window(start_percent, end_percent)
        check_wires(TITLE, {0: "MODEL", 1: "CONDITIONING"})
        check_takes_references(TITLE, model)
        layout = layout_of(model)
        relevance = None if hrv is None else hrv.for_layout(layout, model_family(model))
        factors = (1.0 + (strength - 1.0) * _share(concept, layout.total, relevance)).astype(np.float32)
        scale = ReferenceScale(image, factors, start_percent, end_percent)
        marked = with_reference_scale(conditioning, scale)
        report = _report(scale, strength, concept.strip(), len(references_of(conditioning)))
        return io.NodeOutput(reference_steered(model), marked, report, ui=shown(report))


def _share(concept: str, heads: int, relevance: HeadRelevance | None) -> np.ndarray:
    """How much of the strength each head gets, float32 [heads]."""
    if not concept.strip():
        return np.ones(heads, np.float32)
    if relevance is None:
        raise HRVError(
            f'The strength is to act through the heads of "{concept.strip()}" alone, but no HRV is connected that knows'
            " them. Connect Head Relevance Vectors of this kind of model, or leave concept empty for all heads."
        )
    return concept_share(relevance, concept)


def _report(scale: ReferenceScale, strength: float, concept: str, count: int) -> str:
    """Which image got which strength in how many heads, in one line."""
    which = (
        f"image {scale.image} of {count}" if scale.image else "the only image" if count == 1 else f"all {count} images"
    )
    if scale.neutral:
        return f"{which}: strength {strength:.4g}, nothing to do"
    total, touched = scale.factors.size, int((scale.factors != 1).sum())
    heads = f"all {total} heads" if touched == total else f"{touched} of {total} heads"
    whole = (scale.start, scale.end) == (0, 1)
    when = "" if whole else f", from {scale.start:.0%} to {scale.end:.0%} of the sampling"
    return f"{which}: strength {strength:.4g} in {heads}{f' of {concept}' if concept else ''}{when}"
