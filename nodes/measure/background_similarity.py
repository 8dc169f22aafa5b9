"""HRV Background Similarity: BG-DINO, how much of the background an edit keeps (section 5.2, appendix E.3)."""

import torch
from comfy_api.latest import io

from ...hrv_engine.errors import HRVError
from ...hrv_engine.scoring.background import BackgroundSimilarity, image_pairs, without_object
from ...hrv_engine.scoring.pretrained import DINOV2
from ...hrv_engine.weakening.scored_rows import with_scores, write_rows
from ..host.eval_models import model_menu, model_source, torch_device
from ..host.node_texts import shown
from ..host.segmenters import segmenter as finder_of
from ..host.segmenters import segmenter_menu
from ..types import CATEGORY


class HRVBackgroundSimilarity(io.ComfyNode):
    """Compare source and edited images outside the object."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        models, segmenters = model_menu(DINOV2), segmenter_menu()
        return io.Schema(
            node_id="HRVBackgroundSimilarity",
            display_name="HRV Background Similarity",
            category=f"{CATEGORY}/measure",
            has_intermediate_output=True,
            description=(
                "Scores how much of the background an edit keeps: the object is painted black in source and edited"
                " image, and the cosine of their DINOv2 embeddings is taken (BG-DINO)."
            ),
            search_aliases=["hrv", "BG-DINO", "DINOv2", "structure preservation", "edit", "background", "metric"],
            inputs=[
                io.Image.Input(
                    "source",
                    tooltip="The images before the edit; or, without edited, source and edited images in turn.",
                ),
                io.Combo.Input(
                    "model",
                    options=models,
                    default=models[0],
                    tooltip=(
                        "A folder with a DINOv2 of transformers in models/hrv_eval. The last entry fetches one (0.35"
                        " GB) when the node runs."
                    ),
                ),
                io.String.Input(
                    "words",
                    default="",
                    placeholder="car",
                    tooltip="What was edited, found by the segmenter in each image; commas part several objects.",
                ),
                io.Combo.Input(
                    "segmenter",
                    options=segmenters,
                    default=segmenters[0],
                    tooltip=(
                        "Finds the words: CLIPSeg, or the paper's Grounding DINO + SAM 2, folders in models/hrv_eval."
                        " The last entries fetch them (0.6 and 1.8 GB). Not used with a mask."
                    ),
                ),
                io.Float.Input(
                    "threshold",
                    default=0.4,
                    min=0.0,
                    max=1.0,
                    step=0.01,
                    advanced=True,
                    tooltip="The segmenter's certainty from which on a pixel (CLIPSeg) or a box counts.",
                ),
                io.Image.Input("edited", optional=True, tooltip="The images after the edit, in the same order."),
                io.Mask.Input(
                    "mask",
                    optional=True,
                    tooltip="The object in the source images, from any segmentation node, in place of words.",
                ),
                io.Mask.Input(
                    "edited_mask",
                    optional=True,
                    tooltip="The object in the edited images. Not connected: mask holds for both.",
                ),
            ],
            outputs=[
                io.String.Output(
                    display_name="table", tooltip="One JSON object per pair: score, the object's share of the image."
                ),
                io.Float.Output(display_name="mean", tooltip="The mean similarity of all pairs."),
                io.Image.Output(display_name="edited", tooltip="The edited images alone, for HRV Score Images."),
                io.Image.Output(
                    display_name="background", tooltip="What was compared: source and edited, without the object."
                ),
            ],
        )

    @classmethod
    def execute(
        cls, source, model, words, segmenter, threshold, edited=None, mask=None, edited_mask=None
    ) -> io.NodeOutput:
        measure = BackgroundSimilarity(model_source(DINOV2, model), torch_device())
        before, after = image_pairs(source, edited)
        if (mask is None) == (not words.strip()):
            what = "neither mask nor words say" if mask is None else "both mask and words say"
            raise HRVError(
                f"It must be clear what was edited, but {what} where the object is. Connect a mask, or type a word such"
                " as car."
            )
        if mask is None:
            finder = finder_of(segmenter, threshold)
            mask, edited_mask = finder.masks(before, words), finder.masks(after, words)
        hidden = mask if edited_mask is None else edited_mask
        scores = measure.compare(before, after, mask, hidden)
        kept = torch.stack([without_object(before, mask), without_object(after, hidden)], 1).flatten(0, 1)
        share = (mask > 0.5).float().mean((1, 2)).expand(len(scores)).tolist()
        rows = [
            {**row, "object": round(part, 4)}
            for row, part in zip(with_scores("", words.strip(), scores, measure.name), share, strict=True)
        ]
        text, mean = write_rows(rows), float(scores.mean())
        return io.NodeOutput(text, mean, after, kept, ui=shown(f"mean {mean:.4f}\n{text}"))
