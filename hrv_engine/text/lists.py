"""Lists as a user types them into one line."""


def listed(text: str, separator: str = ",") -> list[str]:
    """The parts of a typed list without the blanks around them; empty parts are left out."""
    return [part.strip() for part in text.split(separator) if part.strip()]
