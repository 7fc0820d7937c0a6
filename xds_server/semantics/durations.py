"""GEP-2257 durations as rules read them: the schema's own reading, for values that no schema has checked."""

from xds_server.model.rules import syntax


def milliseconds(text: str) -> int:
    """The duration in milliseconds; ValueError when it is not one."""
    if syntax.duration(text):
        raise ValueError(f"{text!r} is not a duration such as 1h30m, 10s or 500ms")
    return syntax.milliseconds(text)
