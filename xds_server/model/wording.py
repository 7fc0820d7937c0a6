"""How lists of names are told, wherever a message has one."""

from collections.abc import Sequence


def some(names: Sequence[str], most: int) -> str:
    """The first of them, and how many there are besides; nothing of none."""
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more} more" if more > 0 else "")
