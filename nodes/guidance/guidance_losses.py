"""HRV Guidance Losses: what a guided run measured, step by step."""

from comfy_api.latest import io

from ...hrv_engine.errors import HRVError
from ...hrv_engine.guidance.loss_tables import losses_table, losses_text
from ...hrv_engine.tables import as_csv
from ..host.guidance import losses_of
from ..host.node_texts import shown
from ..types import CATEGORY


class HRVGuidanceLosses(io.ComfyNode):
    """The losses of the last run, per step and image."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="HRVGuidanceLosses",
            display_name="HRV Guidance Losses",
            category=f"{CATEGORY}/guidance",
            has_intermediate_output=True,
            description="After a guided sampling: the loss of every altered step, and how often it was refined.",
            search_aliases=["hrv", "loss", "attend and excite report", "syngen report", "did it work", "debug"],
            inputs=[
                io.Model.Input("model", tooltip="The model that went into the sampler, from the guiding node."),
                io.Latent.Input("samples", tooltip="The sampler's output, so that the report is made after it."),
            ],
            outputs=[
                io.String.Output(display_name="text", tooltip="One line per step; connect it to Preview as Text."),
                io.String.Output(display_name="table", tooltip="CSV: guidance, step, evaluation, image, loss."),
            ],
        )

    @classmethod
    def execute(cls, model, samples) -> io.NodeOutput:
        losses = losses_of(model)
        if losses is None:
            raise HRVError(
                "This model is not guided. Connect the MODEL of HRV Attend & Excite or HRV SynGen, the one the sampler"
                " used."
            )
        text = losses_text(losses.rows, losses.steps)
        return io.NodeOutput(text, as_csv(losses_table(losses.rows)), ui=shown(text))
