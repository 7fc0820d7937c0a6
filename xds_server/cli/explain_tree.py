"""A prediction for people: a tree of its steps, the answer last."""

from collections.abc import Iterator

from xds_server.model.wording import some
from xds_server.pipeline.prediction import Answer, BackendStep, FilterStep, Prediction

_INDENT = "  "
_MOST_ENDPOINTS = 5


def lines(found: Prediction) -> Iterator[str]:
    """One line per step, each step indented under the one before it."""
    yield f"Gateway {found.gateway}"
    depth = 1
    if found.listener is not None:
        one = found.listener
        of_set = "" if one.source.object == f"Gateway {found.gateway}" else f" of {one.source.object}"
        yield _line(depth, f"{one.source.field}{of_set}: {one.protocol} port {one.port}, host {one.hostname}")
        depth += 1
        for certificate in one.certificates:
            yield _line(depth, f"certificate: {certificate}{_allowed(', '.join(one.grants))}")
        if one.client_certificates:
            yield _line(depth, f"certificates of clients are {one.client_certificates}")
        yield from _filters(depth, one.filters)
    if found.host:
        yield _line(depth, f"host {found.host}")
        depth += 1
    if found.rule is not None:
        written = "" if found.rule.hostname == found.host else f" (hostname {found.rule.hostname})"
        yield _line(depth, f"{found.rule.source}: {found.rule.match}{written}")
        yield from _filters(depth + 1, found.rule.filters)
        for setting in found.rule.settings:
            yield _line(depth + 1, setting)
        for backend in found.backends:
            yield from _backend(depth + 1, backend)
    yield _line(1, f"=> {answer(found.answer)}")
    for index, miss in enumerate(found.misses):
        yield _line(1, f"{'nearest:' if index == 0 else '        '} {miss}")


def answer(found: Answer) -> str:
    """What the client gets, in a line."""
    told = {
        "backend": "a backend answers",
        "redirect": f"{found.status} to {found.location}",
        "response": f"{found.status}",
        "closed": "no connection" if found.why.startswith(("port ", "Gateway ", "no listener")) else "closed",
    }[found.kind]
    grpc = f" (grpc-status {found.grpc_status})" if found.grpc_status is not None else ""
    return f"{told}{grpc}{f': {found.why}' if found.why else ''}"


def _backend(depth: int, one: BackendStep) -> Iterator[str]:
    share = f"{one.share:g}%"
    protocol = f", {one.protocol}" if one.protocol else ""
    problem = f": {one.problem}" if one.problem else ""
    yield _line(depth, f"{share} {one.object or 'nothing'}{protocol}{_allowed(one.grant)}{problem}")
    yield from _filters(depth + 1, one.filters)
    if one.tls:
        yield _line(depth + 1, f"TLS by {one.tls}")
    if one.unused:
        yield _line(depth + 1, f"{one.unused} is not used: the client's own TLS is passed on")
    if one.session:
        yield _line(depth + 1, f"session by {one.session}")
    if one.endpoints:
        slices = f" (EndpointSlice {', '.join(one.slices)})" if one.slices else ""
        yield _line(depth + 1, f"{some(one.endpoints, _MOST_ENDPOINTS)}{slices}")


def _filters(depth: int, steps: tuple[FilterStep, ...]) -> Iterator[str]:
    for one in steps:
        yield _line(depth, f"{one.type}{f': {one.does}' if one.does else ''}")


def _allowed(grant: str) -> str:
    return f" (ReferenceGrant {grant})" if grant else ""


def _line(depth: int, text: str) -> str:
    return f"{_INDENT * depth}{text}"
