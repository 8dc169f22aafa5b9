"""HRV Logit Scale: how strongly each head attends before the softmax (equation 6, Table 4)."""

from comfy_api.latest import io

from ...hrv_engine.figures.logit_scale import logit_figure
from ...hrv_engine.relevance.logit_scale import logit_table, logit_text, measured
from ...hrv_engine.tables import as_csv
from ..host.node_pictures import pictured
from ..images import to_image
from ..types import CATEGORY, HRV


class HRVLogitScale(io.ComfyNode):
    """Mean and standard deviation of each head's logits."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="HRVLogitScale",
            display_name="HRV Logit Scale",
            category=f"{CATEGORY}/see",
            is_output_node=True,
            has_intermediate_output=True,
            description=(
                "Shows how large each head's attention logits are: why heads vote for one concept each instead of"
                " adding up raw scores. Collected by HRV Build on request."
            ),
            search_aliases=["hrv", "attention logits", "head scale", "softmax temperature", "interpretability"],
            inputs=[HRV.Input("hrv", tooltip="Vectors built with logit_scale switched on.")],
            outputs=[
                io.Image.Output(display_name="IMAGE", tooltip="Mean and standard deviation over layers and heads."),
                io.String.Output(display_name="text", tooltip="The largest and the smallest head, and their ratio."),
                io.String.Output(display_name="table", tooltip="CSV: head, layer, head in layer, block, mean, std."),
            ],
        )

    @classmethod
    def execute(cls, hrv) -> io.NodeOutput:
        scale = measured(hrv.votes and hrv.votes.logits)
        text = logit_text(hrv.layout, scale)
        table = as_csv(logit_table(hrv.layout, scale))
        image = to_image(logit_figure(hrv.layout, scale))
        return io.NodeOutput(image, text, table, ui=pictured(image, text))
