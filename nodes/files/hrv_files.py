"""HRV Load, Save, Merge and Import: HRV files in models/hrv."""

from comfy_api.latest import io

from ...hrv_engine.errors import HRVError
from ...hrv_engine.inspection.report import report
from ...hrv_engine.relevance import files
from ..host.folders import forget_listing, hrv_files, hrv_path, last_changes, new_hrv_path, put_into_output
from ..host.node_texts import shown
from ..host.unet import layout_of
from ..types import CATEGORY, HRV, Concepts

NO_ORDER = "none"


class HRVLoad(io.ComfyNode):
    """Read an HRV file."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="HRVLoad",
            display_name="HRV Load",
            category=f"{CATEGORY}/files",
            has_intermediate_output=True,
            description="Loads Head Relevance Vectors from models/hrv or from the presets that come with the pack.",
            search_aliases=["hrv", "load vectors", "open hrv"],
            inputs=[
                io.Combo.Input(
                    "file",
                    options=hrv_files(),
                    tooltip=(
                        "An HRV file in models/hrv, or a shipped preset. It must belong to the architecture you sample"
                        " with."
                    ),
                )
            ],
            outputs=[HRV.Output(display_name="hrv", tooltip="The vectors, one per concept.")],
        )

    @classmethod
    def validate_inputs(cls, file) -> bool | str:
        """A file that is not there is named before anything runs, with the way to get it; a link is None."""
        try:
            if file is not None:
                hrv_path(str(file))
        except HRVError as error:
            return str(error)
        return True

    @classmethod
    def fingerprint_inputs(cls, file) -> list[float]:
        """Of a link (None), which may name any file, all files count."""
        return last_changes(hrv_files() if file is None else [file])

    @classmethod
    def execute(cls, file) -> io.NodeOutput:
        relevance = files.load(hrv_path(file))
        return io.NodeOutput(relevance, ui=shown(report(relevance)))


class HRVSave(io.ComfyNode):
    """Write an HRV file."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="HRVSave",
            display_name="HRV Save",
            category=f"{CATEGORY}/files",
            description=(
                "Saves Head Relevance Vectors to models/hrv. HRV Build saves by itself; use this after HRV Merge or HRV"
                " Import."
            ),
            search_aliases=["hrv", "save vectors", "export hrv"],
            is_output_node=True,
            inputs=[
                HRV.Input("hrv", tooltip="The vectors to save."),
                io.String.Input(
                    "filename",
                    default="my_hrv",
                    tooltip=(
                        "File name in models/hrv, with a folder before it if you like. An older file of that name is"
                        " replaced only when the new one is complete."
                    ),
                ),
                io.Boolean.Input(
                    "download",
                    default=False,
                    optional=True,
                    advanced=True,
                    tooltip=(
                        "Also put a copy into the folder hrv of ComfyUI's output, from where other machines can fetch"
                        " it: python -m hrv_engine build does."
                    ),
                ),
            ],
            outputs=[HRV.Output(display_name="hrv", tooltip="The same vectors, to go on with.")],
        )

    @classmethod
    def execute(cls, hrv, filename, download=False) -> io.NodeOutput:
        path = new_hrv_path(filename)
        files.save(path, hrv)
        forget_listing()
        shown = {"text": (f"Saved {path.name} ({path.stat().st_size} bytes)",)}
        return io.NodeOutput(hrv, ui=shown | ({"files": [put_into_output(path)]} if download else {}))


class HRVMerge(io.ComfyNode):
    """Add the votes of two builds."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="HRVMerge",
            display_name="HRV Merge",
            category=f"{CATEGORY}/files",
            has_intermediate_output=True,
            description=(
                "Adds the votes of two builds of the same model, concepts and settings but other images, e.g. parts"
                " built on two machines."
            ),
            search_aliases=["hrv", "add votes", "combine hrv"],
            inputs=[
                HRV.Input("hrv_a", tooltip="A build made by HRV Build (imported vectors have no votes to add)."),
                HRV.Input(
                    "hrv_b",
                    tooltip=(
                        "Another build with the same settings, but another seed, other prompts or another part of them."
                    ),
                ),
            ],
            outputs=[HRV.Output(display_name="hrv", tooltip="Vectors of the summed votes.")],
        )

    @classmethod
    def execute(cls, hrv_a, hrv_b) -> io.NodeOutput:
        for name, hrv in (("hrv_a", hrv_a), ("hrv_b", hrv_b)):
            if hrv.sums is None:
                raise HRVError(
                    f"{name} has no votes and no effects (imported or shuffled vectors), so it cannot be merged. Merge"
                    " files made by HRV Build, or by HRV Build by Effect."
                )
        merged = (hrv_a.sums + hrv_b.sums).relevance()
        return io.NodeOutput(merged, ui=shown(report(merged)))


class HRVImport(io.ComfyNode):
    """Read vectors published as .npy."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        arrays = hrv_files(".npy")
        return io.Schema(
            node_id="HRVImport",
            display_name="HRV Import",
            category=f"{CATEGORY}/files",
            has_intermediate_output=True,
            description=(
                "Imports vectors published by the paper's authors: a .npy of shape [concepts, heads], put into"
                " models/hrv."
            ),
            search_aliases=["hrv", "npy", "published vectors", "import vectors"],
            inputs=[
                io.Model.Input(
                    "model",
                    tooltip="A checkpoint of the architecture the vectors belong to; it tells which head is which.",
                ),
                Concepts.Input(
                    "concepts", tooltip="The concepts of the rows, in their order. paper34 for the published vectors."
                ),
                io.Combo.Input(
                    "file",
                    options=arrays,
                    tooltip=(
                        "The .npy in models/hrv: category_vectors_... or ..._ranking_list. Files with pickled objects"
                        " are refused."
                    ),
                ),
                io.Combo.Input(
                    "order_file",
                    options=[NO_ORDER, *arrays],
                    default=NO_ORDER,
                    advanced=True,
                    tooltip=(
                        "Optional .npy of head indices, most relevant first, that settles ties as published. none: ties"
                        " go to the lower index."
                    ),
                ),
            ],
            outputs=[HRV.Output(display_name="hrv", tooltip="The imported vectors; keep them with HRV Save.")],
        )

    @classmethod
    def fingerprint_inputs(cls, file, order_file, **_) -> list[float]:
        """Of a link (None), which may name any file, all files count."""
        return last_changes(hrv_files(".npy") if None in (file, order_file) else [file, order_file])

    @classmethod
    def execute(cls, model, concepts, file, order_file) -> io.NodeOutput:
        order = None if order_file == NO_ORDER else hrv_path(order_file)
        relevance = files.import_published(hrv_path(file), concepts, layout_of(model), order)
        return io.NodeOutput(relevance, ui=shown(report(relevance)))
