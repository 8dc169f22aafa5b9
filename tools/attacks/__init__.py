"""What `make attack` tries, one file per kind of input: `attempts(random, folder)` yields Attempts without end.

To add a kind, write such a file and name it in KINDS.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Kind:
    """How many attempts a full run makes, and whether they need ComfyUI's modules."""

    count: int
    host: bool = False


KINDS = {
    "vote_files": Kind(10_000),
    "npy_files": Kind(5000),
    "yaml_texts": Kind(10_000),
    "names": Kind(5000, host=True),
    "prompts": Kind(5000, host=True),
    "replies": Kind(5000),
    "tables": Kind(3000),
    "plans": Kind(5000),
    "jobs": Kind(3000),
}
