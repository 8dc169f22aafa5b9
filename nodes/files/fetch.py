"""HRV Fetch: vectors that the paper's authors published, in one step."""

import comfy.model_management
from comfy_api.latest import io

from ...hrv_engine.inspection.report import report
from ...hrv_engine.relevance.fetch import fetch, published, registry
from ..host.folders import forget_listing, new_hrv_path
from ..host.node_texts import shown
from ..types import CATEGORY, HRV


class HRVFetch(io.ComfyNode):
    """Download, check and import published vectors."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        names = list(registry())
        return io.Schema(
            node_id="HRVFetch",
            display_name="HRV Fetch",
            category=f"{CATEGORY}/files",
            description=(
                "Downloads vectors that the paper's authors published, checks them and saves them to models/hrv. It"
                " uses the network when it runs and the file is not there yet, never otherwise."
            ),
            search_aliases=["hrv", "download vectors", "published vectors", "authors' vectors", "pretrained"],
            is_output_node=True,
            inputs=[
                io.Combo.Input(
                    "name",
                    options=names,
                    default=names[0],
                    tooltip="sd14 fits SD1.4, SD1.5 and their fine-tunes; sdxl fits SDXL and its fine-tunes.",
                ),
                io.String.Input(
                    "save_as",
                    default="",
                    placeholder="as the workflows name it",
                    advanced=True,
                    tooltip=(
                        "File name in models/hrv. Empty: sd15_paper34 or sdxl_paper34, as the workflows name it. A file"
                        " of that name with other vectors is never replaced."
                    ),
                ),
                io.String.Input(
                    "mirror",
                    default="",
                    placeholder="https://...",
                    advanced=True,
                    tooltip=(
                        "Another http(s) address of the authors' folder, without ?, # or a user. The hash is checked"
                        " all the same, and redirects are not followed."
                    ),
                ),
            ],
            outputs=[HRV.Output(display_name="hrv", tooltip="The published vectors.")],
        )

    @classmethod
    def execute(cls, name, save_as, mirror) -> io.NodeOutput:
        entry = published(name)
        path = new_hrv_path(save_as.strip() or entry.save_as)
        relevance = fetch(entry, path, mirror, comfy.model_management.throw_exception_if_processing_interrupted)
        forget_listing()
        return io.NodeOutput(relevance, ui=shown(f"{path.name}\n{report(relevance)}"))
