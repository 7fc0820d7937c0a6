"""What a request must look like, and which of several matches wins.

Source: Gateway API `HTTPRouteRule.matches` (precedence list) and `HTTPRouteMatch`.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple


class PathKind(IntEnum):
    """Kinds of path matches in order of precedence; where the API leaves regular expressions free, they rank after
    Exact and before prefixes, so that a prefix never hides a more deliberate pattern.
    """

    EXACT = 0
    REGEX = 1
    PREFIX = 2


class PathMatch(NamedTuple):
    """A path match. The value of a prefix has no trailing slash, the root prefix is "/"."""

    kind: PathKind
    value: str


@dataclass(frozen=True, slots=True)
class ValueMatch:
    """A header or query parameter that must equal a value or match a regular expression in whole."""

    name: str
    value: str
    regex: bool = False


class Match(NamedTuple):
    """All parts must hold. Header names are lower case and unique, as are query parameter names.

    `rpc` makes it a match for gRPC calls alone: the characters in its matches on service and method, which rank it.
    """

    path: PathMatch
    headers: tuple[ValueMatch, ...] = ()
    query: tuple[ValueMatch, ...] = ()
    method: str | None = None
    rpc: tuple[int, int] | None = None


def precedence(match: Match) -> tuple[int, int, bool, int, int]:
    """Sort key: smaller is tried first. Path kind, longest path, method, most headers, most query parameters.

    Matches for gRPC come before all others, since they take gRPC calls alone: most characters of the service, then of
    the method, then most headers (GRPCRoute).
    """
    if match.rpc is not None:
        service, method = match.rpc
        return (-1, -service, False, -method, -len(match.headers))
    return (
        match.path.kind,
        -len(match.path.value),
        match.method is None,
        -len(match.headers),
        -len(match.query),
    )
