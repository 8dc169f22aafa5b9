"""Misreading (section 5.1, appendix D): the share of images in which a polysemous word is misread.

On real checkpoints people say so, as in the paper: `ratings.csv` has a line for each image and a column `misread` to
fill with 1 or 0. The pocket model's images are read by its scorer.
"""

import csv
import hashlib
import io
from pathlib import Path
from typing import Any

from ..errors import HRVError, first_line
from ..tables import as_csv
from .contact import add_contact_sheet
from .plan import Experiment, Job
from .readers import Readers
from .results import Results, Row, grouped, mean, without_empty
from .store import Store, write_whole

RATINGS = "ratings.csv"
OPTIONAL = ("variant", "asked_meaning", "misread_published_prompts", "clip_similarity")


def misreading(experiment: Experiment, jobs: list[Job], store: Store, readers: Readers) -> Results:
    """Rates by condition (plain, adjusted, ...), over all prompts and prompt by prompt."""
    rows = [row for job in jobs for row in _rows(experiment, job, store, readers)]
    if "pocket" not in experiment.score:
        _join_ratings(store.folder, rows)
    summary = [_rates(several, variant=key[0], condition=key[1]) for key, several in _by(rows).items()]
    by_prompt = [
        _rates(several, variant=key[0], condition=key[1], prompt=key[2]) for key, several in _by(rows, "prompt").items()
    ]
    tables = {"summary": summary, "by_prompt": by_prompt}
    found = Results(tables={name: without_empty(lines, *OPTIONAL) for name, lines in tables.items()})
    found.tables["pictures"] = rows
    for row in (row for row in summary if row["misread"] != ""):
        found.figures[", ".join(filter(None, ("misread", row["condition"], row["variant"])))] = row["misread"]
    if all(row["misread"] == "" for row in rows):
        found.notes.append(
            f"The rate of misread images is a judgement of people, as in the paper: look at the images, write 1"
            f" (misread) or 0 into the column `misread` of {RATINGS}, and run the command again."
        )
    add_contact_sheet(found, jobs, store, list(experiment.pictures))
    return found


def _rows(experiment: Experiment, job: Job, store: Store, readers: Readers) -> list[Row]:
    rows = []
    for condition in experiment.pictures:
        read: dict[str, Any] = {"misread": "", "asked_meaning": ""}
        if "pocket" in experiment.score:
            seen = readers.pocket.senses(store.pictures(job.name, condition), job.case.about)
            read = {"misread": int(seen.misread[0]), "asked_meaning": int(seen.intended[0])}
        scores = readers.score("clip", store, job, condition, job.case.group)
        rows.append(
            {
                "variant": job.variant,
                "condition": condition,
                "prompt": job.case.group,
                "word": job.case.label,
                "seed": job.case.seed,
                "published": int(bool(job.case.about.get("published"))),
                **read,
                "clip_similarity": scores[0] if scores else "",
                "file": store.files(job.name, condition)[0].relative_to(store.folder).as_posix(),
            }
        )
    return rows


def _by(rows: list[Row], *more: str) -> dict[tuple, list[Row]]:
    return grouped(rows, "variant", "condition", *more)


def _rates(rows: list[Row], **key: str) -> Row:
    """Shares of 1; published: of the prompts that stand in the paper."""
    return {
        **key,
        "pictures": len(rows),
        "misread": mean(row["misread"] for row in rows),
        "asked_meaning": mean(row["asked_meaning"] for row in rows),
        "misread_published_prompts": mean(row["misread"] for row in rows if row["published"]),
        "clip_similarity": mean(row["clip_similarity"] for row in rows),
    }


def _join_ratings(folder: Path, rows: list[Row]) -> None:
    """Take over what people wrote, and write a line for every image that has none yet.

    A rating holds for the image that was rated (`picture`, a hash of its file), not for another drawn in its place
    later; no line that was filled in is ever dropped.
    """
    lines = {(line["file"], line["picture"]): line for line in _ratings(folder / RATINGS)}
    for row in rows:
        picture = hashlib.sha256((folder / row["file"]).read_bytes()).hexdigest()[:12]
        new = {"file": row["file"], "misread": "", "prompt": row["prompt"], "picture": picture}
        rated = lines.setdefault((row["file"], picture), new)["misread"]
        row["misread"] = int(rated) if rated else ""
    write_whole(folder / RATINGS, as_csv([lines[key] for key in sorted(lines)]))


def _ratings(path: Path) -> list[dict[str, str]]:
    """The lines of a ratings file, none if there is no file; raises HRVError for a rating but 1, 0 or ""."""
    if not path.exists():
        return []
    found = []
    try:
        lines = list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8-sig"))))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise HRVError(
            f"The ratings in {path} cannot be read: {first_line(error)}. Save them as CSV in UTF-8, or move the file"
            " away."
        ) from error
    for line in lines:
        value = (line.get("misread") or "").strip()
        if value not in ("", "0", "1") or "file" not in line:
            raise HRVError(
                f'{path} says "{value}" of {line.get("file")}. Write 1 for a misread image, 0 for one that is not, or'
                " nothing; keep the columns as they are."
            )
        kept = {name: line.get(name) or "" for name in ("file", "prompt", "picture")}
        found.append({"file": kept["file"], "misread": value, "prompt": kept["prompt"], "picture": kept["picture"]})
    return found
