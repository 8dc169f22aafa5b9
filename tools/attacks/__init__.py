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
    "vote_files": Kind(3000),
    "npy_files": Kind(1500),
    "yaml_texts": Kind(2500),
    "names": Kind(1500, host=True),
    "prompts": Kind(1500, host=True),
    "replies": Kind(1500),
    "tables": Kind(500),
    "plans": Kind(1500),
    "jobs": Kind(800),
}
