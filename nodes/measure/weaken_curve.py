"""HRV Weakening Curve: scores against the number of weakened heads, over prompts and seeds (figure 7, Table 6)."""

from comfy_api.latest import io

from ...hrv_engine.figures.curves import curves_figure
from ...hrv_engine.tables import as_csv
from ...hrv_engine.weakening.curves import WeakeningResult
from ...hrv_engine.weakening.scored_rows import read_rows
from ..hints import hint
from ..host.node_pictures import pictured
from ..images import to_image
from ..types import CATEGORY


class HRVWeakenCurve(io.ComfyNode):
    """Collect all scored sweeps into one figure."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="HRVWeakenCurve",
            display_name="HRV Weakening Curve",
            category=f"{CATEGORY}/measure",
            is_output_node=True,
            has_intermediate_output=True,
            description=(
                "Draws how soon a concept disappears in MoRHF, LeRHF and random order: the mean score over prompts and"
                " seeds, with its confidence band and the area between the lines."
            ),
            search_aliases=["hrv", "ordered weakening", "MoRHF", "LeRHF", "plot", "curve", "area", "statistics"],
            is_input_list=True,
            inputs=[
                io.String.Input(
                    "table",
                    force_input=True,
                    tooltip="The table of HRV Score Images; a list of them is drawn as one curve.",
                ),
                io.String.Input(
                    "title",
                    default="",
                    placeholder="Color",
                    tooltip="The figure's title. Empty: the concept whose heads were weakened.",
                ),
                io.Float.Input(
                    "confidence",
                    default=0.95,
                    min=0.5,
                    max=0.999,
                    step=0.01,
                    tooltip="The confidence of the band, a bootstrap over prompts; three prompts at least.",
                ),
            ],
            outputs=[
                io.Image.Output(display_name="IMAGE", tooltip="The curves; connect it to Preview Image."),
                io.String.Output(display_name="areas", tooltip="The area between the lines and mean scores, as text."),
                io.String.Output(display_name="table", tooltip="CSV: order, factor, heads, score, low, high."),
            ],
        )

    @classmethod
    def execute(cls, table, title, confidence) -> io.NodeOutput:
        with hint("Connect the table of HRV Score Images, which takes images and table of HRV Weaken Sweep."):
            result = WeakeningResult.of(read_rows("\n".join(table)), confidence[0])
        image = to_image(curves_figure(result, title[0].strip() or result.concept or "ordered weakening"))
        return io.NodeOutput(image, result.text(), as_csv(result.table()), ui=pictured(image, result.text()))
