"""What a request would come to at one Gateway, step by step, with the objects that made each step."""

from dataclasses import dataclass
from typing import Literal

_FAILURES = 400
"""The first HTTP status that says that something is wrong."""


@dataclass(frozen=True, slots=True)
class Source:
    """An object, and the field in it that counts, e.g. `HTTPRoute shop/cart` and `rules[2].matches[0]`."""

    object: str
    field: str = ""

    def __str__(self) -> str:
        return f"{self.object} {self.field}".rstrip()


@dataclass(frozen=True, slots=True)
class ListenerStep:
    """The listener that takes the connection. `hostname` is "*" for all; it shows `certificates`, which `grants` allow.

    `client_certificates` are "required" or "asked for", or nothing is said of them. `filters` see the
    request before a rule is chosen; what they change of it may lead to another rule.
    """

    source: Source
    port: int
    protocol: str
    hostname: str
    certificates: tuple[str, ...] = ()
    grants: tuple[str, ...] = ()
    client_certificates: str = ""
    filters: "tuple[FilterStep, ...]" = ()


@dataclass(frozen=True, slots=True)
class FilterStep:
    """A filter, and what it does in words."""

    type: str
    does: str = ""


@dataclass(frozen=True, slots=True)
class RuleStep:
    """The rule that takes the request: its match in words, the hostname of the route that gave it the host."""

    source: Source
    match: str
    hostname: str
    filters: tuple[FilterStep, ...] = ()
    settings: tuple[str, ...] = ()
    """Time-outs and the like, in words."""


@dataclass(frozen=True, slots=True)
class BackendStep:
    """A backend and its share of the requests, in percent. `endpoints` are ADDRESS:PORT, from `slices`; `grant` allows
    the reference, `tls` secures connections, `session` keeps a client with an endpoint. With a `problem` its share is
    answered with an error, and that says why. `unused` is what would secure connections if the client's own TLS were
    not passed on.
    """

    object: str
    share: float
    protocol: str = ""
    endpoints: tuple[str, ...] = ()
    slices: tuple[str, ...] = ()
    grant: str = ""
    tls: str = ""
    unused: str = ""
    session: str = ""
    filters: tuple[FilterStep, ...] = ()
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the client gets: a backend's answer, a redirect, an answer of Envoy's own, or no connection.

    `why` is set where it is not a backend's or a redirect's alone. `grpc_status` is what a caller of gRPC sees.
    """

    kind: Literal["backend", "redirect", "response", "closed"]
    status: int | None = None
    location: str = ""
    why: str = ""
    grpc_status: int | None = None

    @property
    def good(self) -> bool:
        """Does it reach a backend, or is it an answer that a filter was to give?"""
        return self.kind in ("backend", "redirect") or (self.status is not None and self.status < _FAILURES)


@dataclass(frozen=True, slots=True)
class Miss:
    """A rule, route or listener that came close, and the first thing about it that did not hold."""

    source: Source
    why: str

    def __str__(self) -> str:
        return f"{self.source}: {self.why}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """All steps that were taken; those after the last are None or empty. `host` is the virtual host.

    `misses` are what came closest, where nothing takes the request.
    """

    gateway: str
    listener: ListenerStep | None = None
    host: str = ""
    rule: RuleStep | None = None
    backends: tuple[BackendStep, ...] = ()
    answer: Answer
    misses: tuple[Miss, ...] = ()
