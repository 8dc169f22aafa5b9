"""HRV Report: what vectors, a model, its last run and a steered prompt say about themselves."""

from comfy_api.latest import io

from ...hrv_engine.errors import HRVError
from ...hrv_engine.inspection.report import fit_lines, model_lines, prompt_lines, report, run_lines
from ..host.conditioning import annotations_of
from ..host.control import receipts_of
from ..host.node_texts import shown
from ..host.steering import is_steered
from ..host.unet import fingerprint, layout_of, model_family
from ..types import CATEGORY, HRV

UNKNOWN = "A prompt that was not encoded by HRV Prompt: its words are unknown and it cannot be steered."


class HRVReport(io.ComfyNode):
    """A text on whatever is connected."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="HRVReport",
            display_name="HRV Report",
            category=f"{CATEGORY}/see",
            has_intermediate_output=True,
            description=(
                "Says what an HRV was built from, whether it fits a model, which words and heads a steered prompt"
                " touches, and what was done in the last run. Connect what you want to know about."
            ),
            search_aliases=["hrv", "info", "debug", "inspect", "what does it do", "statistics", "no effect"],
            inputs=[
                HRV.Input("hrv", optional=True, tooltip="Vectors: concepts, images, settings, vote shares, warnings."),
                io.Model.Input("model", optional=True, tooltip="The model, after the steering node if there is one."),
                io.Conditioning.Input(
                    "positive", optional=True, tooltip="The prompt, after the steering node if there is one."
                ),
                io.Latent.Input(
                    "latent",
                    optional=True,
                    tooltip=(
                        "The sampled latent, so that the report comes after the run and counts what HRV nodes did in"
                        " it. Connect the sampler's MODEL too."
                    ),
                ),
            ],
            outputs=[io.String.Output(display_name="text", tooltip="The report; connect it to Preview as Text.")],
        )

    @classmethod
    def execute(cls, hrv=None, model=None, positive=None, latent=None) -> io.NodeOutput:
        if hrv is None and model is None and positive is None:
            raise HRVError("There is nothing to report on. Connect hrv, model or positive, or several of them.")
        if latent is not None and model is None:
            raise HRVError("A latent does not say what was done to it. Connect the MODEL of its sampler too.")
        lines = [] if hrv is None else [report(hrv)]
        able = None if model is None else is_steered(model)
        if model is not None:
            about = (layout_of(model), model_family(model), fingerprint(model))
            lines += model_lines(*about, bool(able))
            lines += [] if hrv is None else fit_lines(hrv, *about)
            lines += [] if latent is None else run_lines(receipts_of(model))
        for annotation in [] if positive is None else annotations_of(positive):
            lines += [UNKNOWN] if annotation is None else prompt_lines(annotation.table, annotation.scales, able)
        text = "\n".join(lines)
        return io.NodeOutput(text, ui=shown(text))
