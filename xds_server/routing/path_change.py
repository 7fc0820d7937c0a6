"""How a redirect or rewrite changes a path."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PathChange:
    """Either the whole path or the matched prefix is replaced; exactly one is set. A prefix has no trailing slash."""

    full: str | None = None
    prefix: str | None = None
