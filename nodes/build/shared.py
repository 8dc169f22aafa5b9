"""What the two building nodes have in common: the image's size, the file, and the part to build."""

from comfy_api.latest import io

from ...hrv_engine.relevance.build_settings import DrawingSettings


def size_inputs(width: int, height: int) -> list[io.Input]:
    """width, height."""
    return [
        io.Int.Input(
            side,
            default=pixels,
            min=16,
            max=16384,
            step=8,
            tooltip=f"Image {side} in pixels: 512 for SD1.x, 1024 for SDXL, 64 or 32 for HRV Pocket Model.",
        )
        for side, pixels in (("width", width), ("height", height))
    ]


def run_inputs(settings: DrawingSettings, seed: str, batch: str) -> list[io.Input]:
    """seed, batch_size, with what each means for this build."""
    return [
        io.Int.Input(
            "seed",
            default=settings.seed,
            min=0,
            max=0xFFFFFFFFFFFF,
            control_after_generate=io.ControlAfterGenerate.fixed,
            tooltip=seed,
        ),
        io.Int.Input("batch_size", default=settings.batch_size, min=1, max=256, tooltip=batch),
    ]


def saving_inputs(name: str) -> list[io.Input]:
    """save_as, resume."""
    return [
        io.String.Input(
            "save_as",
            default=name,
            tooltip=(
                "File name in models/hrv. Saved about once a minute, when cancelled and at the end. Empty: nothing is"
                " saved, and cancelling loses the count."
            ),
        ),
        io.Boolean.Input(
            "resume",
            default=True,
            tooltip=(
                "On: go on from the file if it is there and was built with the same settings (else an error). Off:"
                " start over and replace it."
            ),
        ),
    ]


def part_inputs(image: str, whole: str) -> list[io.Input]:
    """start, count: the part of a build, by numbers of its images or samples."""
    return [
        io.Int.Input(
            "start",
            default=0,
            min=0,
            max=1000000,
            optional=True,
            advanced=True,
            tooltip=(
                f"The first {image} of this part, for sharing a build among machines: {image}s are numbered from 0 over"
                f" {whole}. Parts cut at multiples of batch_size cost nothing extra; HRV Merge adds them up to the very"
                " file of one build."
            ),
        ),
        io.Int.Input(
            "count",
            default=0,
            min=0,
            max=1000000,
            optional=True,
            advanced=True,
            tooltip=f"How many {image}s this part has; 0 is to the end of {whole}.",
        ),
    ]
