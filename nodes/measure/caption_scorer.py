"""HRV Caption Scorer: BLIP-2 says what is in the image, CLIP compares that with the prompt (section 5.3)."""

from comfy_api.latest import io

from ...hrv_engine.errors import HRVError
from ...hrv_engine.scoring.caption_scorer import CaptionScorer
from ...hrv_engine.scoring.captions import Captioner
from ...hrv_engine.scoring.clip_scorer import CLIPScorer
from ...hrv_engine.scoring.pretrained import BLIP2
from ..host.eval_models import half_precision, model_menu, model_source, torch_device
from ..types import CATEGORY, Scorer


class HRVCaptionScorer(io.ComfyNode):
    """Score images by their captions."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        models = model_menu(BLIP2)
        return io.Schema(
            node_id="HRVCaptionScorer",
            display_name="HRV Caption Scorer",
            category=f"{CATEGORY}/measure",
            description=(
                "Captions each image with BLIP-2 and scores the caption by the similarity of CLIP's text embeddings"
                " of caption and prompt. The captions are in the table of HRV Score Images."
            ),
            search_aliases=["hrv", "BLIP score", "BLIP-2", "caption", "text-text similarity", "metric", "scorer"],
            inputs=[
                Scorer.Input("clip", tooltip="HRV CLIP Scorer, whose text encoder compares caption and prompt."),
                io.Combo.Input(
                    "captioner",
                    options=models,
                    default=models[0],
                    tooltip=(
                        "A folder with a BLIP-2 of transformers in models/hrv_eval. The last entry fetches one (15 GB)"
                        " when images are scored; nothing else uses the network."
                    ),
                ),
            ],
            outputs=[Scorer.Output(display_name="scorer", tooltip="For HRV Score Images, with the prompt as word.")],
        )

    @classmethod
    def execute(cls, clip, captioner) -> io.NodeOutput:
        if not isinstance(clip, CLIPScorer):
            raise HRVError(
                f'The scorer connected to clip measures "{clip.name}" and has no text encoder that could compare a'
                " caption with a prompt. Connect HRV CLIP Scorer."
            )
        blip = Captioner(model_source(BLIP2, captioner), torch_device(), half_precision())
        return io.NodeOutput(CaptionScorer(blip, clip))
