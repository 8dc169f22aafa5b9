"""HRV Prompt Set: the prompts whose images vote."""

from pathlib import Path

import folder_paths
from comfy_api.latest import io

from ...hrv_engine.benchmarks.prompts import PLAIN, READINGS, PromptSet, is_list
from ...hrv_engine.errors import HRVError, nearest
from ..host.folders import FOLDER, last_changes, preset_names, preset_path
from ..types import CATEGORY, Prompts


class HRVPromptSet(io.ComfyNode):
    """A preset list of prompts, or your own."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        presets = [*preset_names("prompts"), *own_lists()]
        return io.Schema(
            node_id="HRVPromptSet",
            display_name="HRV Prompt Set",
            category=f"{CATEGORY}/build",
            description="The prompts HRV Build draws images for. More and more varied prompts give steadier vectors.",
            search_aliases=["hrv", "prompt list", "imagenet prompts", "prompts from text"],
            inputs=[
                io.Combo.Input(
                    "preset",
                    options=presets,
                    default="quick" if "quick" in presets else None,
                    tooltip=(
                        "quick: a small varied set for a first try; imagenet1000: a photo of each of 1000 classes, as"
                        " in the paper; pocket: for the pocket model; and your own lists, text files in models/hrv with"
                        " one prompt a line. Ignored when custom is filled."
                    ),
                ),
                io.String.Input(
                    "custom",
                    multiline=True,
                    default="",
                    placeholder="one prompt per line",
                    tooltip="Your own prompts, one per line. Empty: the preset.",
                ),
                io.Int.Input(
                    "limit",
                    default=0,
                    min=0,
                    max=1000000,
                    tooltip=(
                        "Use only the first prompts; 0 uses all. A build with a higher limit later is another build:"
                        " start with all prompts and cancel, the file keeps what was counted."
                    ),
                ),
                io.Combo.Input(
                    "reading",
                    options=list(READINGS),
                    default=PLAIN,
                    optional=True,
                    advanced=True,
                    tooltip=(
                        "plain: parentheses are characters, as in the authors' code. weights: they are weights, as in"
                        " CLIP Text Encode. Makes no difference to prompts without parentheses."
                    ),
                ),
            ],
            outputs=[Prompts.Output(display_name="prompts", tooltip="For HRV Build.")],
        )

    @classmethod
    def fingerprint_inputs(cls, preset, custom, **_) -> list[float]:
        """Of a link (None), which may name any list, all lists count."""
        own = own_lists() if preset is None else [preset] if is_list(preset) else []
        return last_changes([] if (custom or "").strip() else own, prompts_path)

    @classmethod
    def execute(cls, preset, custom, limit, reading=PLAIN) -> io.NodeOutput:
        chosen = PromptSet.of_lines(custom) if custom.strip() else PromptSet.load(prompts_path(preset))
        return io.NodeOutput(chosen.read_as(reading).first(limit))


def own_lists() -> list[str]:
    """The text files in the `hrv` folders, as paths below them."""
    paths = ((path, folder) for folder in _folders() for path in folder.rglob("*") if is_list(path.name))
    return sorted({path.relative_to(folder).as_posix() for path, folder in paths if path.is_file()})


def prompts_path(name: str) -> Path:
    """The file of a preset, or of one of the user's lists; raises HRVError with the legal names."""
    if not is_list(name):
        return preset_path("prompts", name)
    if name not in own_lists():
        raise HRVError(
            f'There is no list of prompts "{name}" in models/{FOLDER}. Nearest:'
            f" {nearest(name, own_lists()) or 'none yet'}. Put a text file there, one prompt a line, and reload the"
            " page."
        )
    return next(folder / name for folder in _folders() if (folder / name).is_file())


def _folders() -> list[Path]:
    return [Path(folder) for folder in folder_paths.get_folder_paths(FOLDER)]
