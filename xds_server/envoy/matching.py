"""Does a request match, and if not, what does not hold: as Envoy compares, for telling before anything is sent."""

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import re2

from xds_server.routing import escapes
from xds_server.routing.match import Match, PathKind, ValueMatch
from xds_server.routing.request import Request

_GRPC = "application/grpc"


def takes(match: Match, request: Request) -> bool:
    """Do all parts hold? The request is one that `arriving.seen` has been at."""
    return next(misses(match, request), None) is None


def misses(match: Match, request: Request) -> Iterator[tuple[str, str]]:
    """Each part that does not hold: its field in the API (`path`, `method`, `headers`, `queryParams`, `grpc`), and why
    in words.
    """
    if not path_matches(match, request):
        yield "path", f"path {_wanted_path(match)}, request has {request.bare_path}"
    if match.rpc is not None and not is_grpc(request):
        content = ", ".join(request.values("content-type")) or "none"
        yield "grpc", f"it takes gRPC calls alone (content-type {_GRPC}), request has content-type {content}"
    if match.method not in (None, request.method):
        yield "method", f"method is {match.method}, request has {request.method}"
    for wanted in match.headers:
        if not any(_holds(wanted, value) for value in request.values(wanted.name)):
            yield "headers", _told("header", wanted, request.values(wanted.name))
    if match.query:
        first = parameters(request.query)
        for wanted in match.query:
            value = first.get(wanted.name)
            if value is None or not _parameter_holds(wanted, value):
                yield "queryParams", _told("query parameter", wanted, [] if value is None else [value])


def path_matches(match: Match, request: Request) -> bool:
    """Does the path alone hold? A CONNECT has none."""
    path, value = request.bare_path, match.path.value
    if match.path.kind is not PathKind.REGEX:
        path = escapes.capital(path)
    if request.method == "CONNECT":
        return False
    match match.path.kind:
        case PathKind.EXACT:
            return path == value
        case PathKind.PREFIX if value == "/":
            return path.startswith("/")
        case PathKind.PREFIX:
            return path == value or path.startswith(f"{value}/")
        case PathKind.REGEX:
            return full_match(value, path)


def is_grpc(request: Request) -> bool:
    """Is it a call of gRPC, by its content-type?"""
    return any(value == _GRPC or value.startswith(f"{_GRPC}+") for value in request.values("content-type"))


def parameters(query: str) -> dict[str, str]:
    """The first value of each query parameter, as it is written: nothing is decoded."""
    found: dict[str, str] = {}
    for word in query.split("&"):
        name, _, value = word.partition("=")
        found.setdefault(name, value)
    return found


def full_match(pattern: str, text: str) -> bool:
    """Does the expression match the text in whole? Bytes are compared, as Envoy does."""
    compiled = _compiled(pattern)
    return compiled is not None and compiled.fullmatch(text.encode()) is not None


@lru_cache(maxsize=4096)
def _compiled(pattern: str) -> Any:
    """None for an expression that does not compile: what has one is not served."""
    options = re2.Options()
    options.log_errors = False
    options.encoding = re2.Options.Encoding.LATIN1
    try:
        return re2.compile(pattern.encode(), options=options)
    except re2.error:
        return None


def _holds(wanted: ValueMatch, value: str) -> bool:
    return full_match(wanted.value, value) if wanted.regex else value == wanted.value


def _parameter_holds(wanted: ValueMatch, value: str) -> bool:
    pattern = None if wanted.regex else escapes.of_parameter(wanted.value)
    return _holds(wanted, value) if pattern is None else full_match(pattern, value)


def _wanted_path(match: Match) -> str:
    match match.path.kind:
        case PathKind.EXACT:
            return f"is {match.path.value}"
        case PathKind.PREFIX:
            return f"begins with {match.path.value}"
        case PathKind.REGEX:
            return f"matches {match.path.value}"


def _told(what: str, wanted: ValueMatch, values: list[str]) -> str:
    verb = "matches" if wanted.regex else "is"
    has = " and ".join(value or '""' for value in values) if values else "none"
    return f"{what} {wanted.name} {verb} {wanted.value}, request has {has}"


def words(match: Match) -> str:
    """The match in words."""
    parts = [f"path {_wanted_path(match)}"]
    if match.rpc is not None:
        parts.append("gRPC")
    if match.method is not None:
        parts.append(f"method {match.method}")
    for what, values in (("header", match.headers), ("query parameter", match.query)):
        parts += [f"{what} {one.name} {'matches' if one.regex else 'is'} {one.value}" for one in values]
    return ", ".join(parts)
