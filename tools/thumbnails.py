"""The images of workflows in ComfyUI's template browser: workflows/<name>.jpg, from the runs that test them.

`python -m tools.thumbnails` gives a graph whose model cannot be run here the image of its pocket twin, marked so.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from PIL import Image, ImageDraw, ImageFont

from hrv_engine.paths import WORKFLOWS

SIDE = 400
SAID, MARK = 22, "drawn by the pocket model"  # height of a word in px, and what a twin's image says
TWINS = {  # number of a graph -> of the pocket model's graph that shows the same
    **dict.fromkeys(("03", "04", "11"), "02"),
    **dict.fromkeys(("08", "09", "10"), "07"),
    **dict.fromkeys(("14", "15", "16", "17"), "13"),
    **dict.fromkeys(("19", "20", "21"), "18"),
    **{
        "24": "22",
        "25": "23",
        "26": "23",
        "28": "27",
        "33": "32",
        "36": "35",
        "37": "35",
        "39": "38",
        "40": "05",
        "42": "30",
    },
}


def write_thumbnail(name: str, images: Sequence[Image.Image] | Mapping[str, Sequence[Image.Image]]) -> None:
    """Tile images of one size into a square and write it beside the workflow.

    By title (of one word or two): a row for each, with its title on it.
    """
    rows = list(images.values()) if isinstance(images, Mapping) else _square(images)
    width, height = rows[0][0].size
    ground = rows[0][0].getpixel((0, 0))
    sheet = Image.new("RGB", (max(map(len, rows)) * width, len(rows) * height), ground)
    for number, row in enumerate(rows):
        for place, image in enumerate(row):
            sheet.paste(image, (place * width, number * height))
    zoom = SIDE / max(sheet.size)
    sheet = sheet.resize((round(sheet.width * zoom), round(sheet.height * zoom)), Image.Resampling.LANCZOS)
    for number, title in enumerate(images if isinstance(images, Mapping) else ()):
        label(sheet, title, (6, round(height * zoom * (number + 1)) - SAID - 12))
    square = Image.new("RGB", (SIDE, SIDE), ground)
    square.paste(sheet, ((SIDE - sheet.width) // 2, (SIDE - sheet.height) // 2))
    square.save(WORKFLOWS / f"{name}.jpg", quality=85)


def _square(images: Sequence[Image.Image]) -> list[Sequence[Image.Image]]:
    columns = math.ceil(math.sqrt(len(images) * images[0].height / images[0].width))
    return [images[start : start + columns] for start in range(0, len(images), columns)]


def label(image: Image.Image, text: str, at: tuple[int, int], size: int = SAID) -> None:
    """Text on a dark ground in an image, at its upper left corner."""
    draw, font = ImageDraw.Draw(image), ImageFont.load_default(size)
    left, top, right, bottom = draw.textbbox(at, text, font=font)
    draw.rectangle((left - 5, top - 4, right + 5, bottom + 4), fill=(20, 20, 20))
    draw.text(at, text, font=font, fill=(255, 255, 255))


def main() -> None:
    """Write the images of all that have a twin."""
    by_number = {path.stem[:2]: path for path in WORKFLOWS.glob("*.json")}
    for number, twin in TWINS.items():
        with Image.open(by_number[twin].with_suffix(".jpg")) as opened:
            image = opened.convert("RGB")
        label(image, MARK, (SIDE - 186, 8), 14)
        image.save(by_number[number].with_suffix(".jpg"), quality=85)


if __name__ == "__main__":
    main()
