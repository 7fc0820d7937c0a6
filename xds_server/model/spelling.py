"""perhaps: the name that was meant by one that nothing has, for the end of a sentence that tells of it."""

from collections.abc import Iterable
from difflib import get_close_matches

LIKENESS = 0.7


def perhaps(word: str, known: Iterable[str]) -> str:
    """`; perhaps meant: NAME` with the most similar of the known names, whatever its case; empty where none is."""
    spelled = {name.lower(): name for name in known}
    close = get_close_matches(word.lower(), spelled, n=1, cutoff=LIKENESS)
    return f"; perhaps meant: {spelled[close[0]]}" if close else ""
