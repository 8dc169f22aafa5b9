"""Whole numbers as a user types them."""

DIGITS = 20  # what 2**64 - 1 has; Python refuses to read thousands
MOST_SEED = 2**64 - 1


def whole_number(text: str, most: int = MOST_SEED) -> int | None:
    """The number from 0 to `most` that these digits are, None for anything else."""
    number = int(text) if text.isdecimal() and len(text) <= DIGITS else None
    return None if number is None or number > most else number
