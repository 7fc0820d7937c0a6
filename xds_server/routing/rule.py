"""Rules: what happens to requests that match."""

from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

from xds_server.model.meta import Key
from xds_server.routing.backend import NO_CERTIFICATE, Backend, InvalidBackend
from xds_server.routing.feature import Applied
from xds_server.routing.match import Match, precedence


@dataclass(frozen=True, slots=True)
class Session:
    """Requests of one client stay with one endpoint: a cookie, or a header with what they have to show.

    `seconds` is how long that lasts, None without an end; `path` is the cookie's. Clients keep a `permanent` cookie
    until its end, another one while they run.
    """

    type: Literal["cookie", "header"]
    name: str
    path: str = "/"
    seconds: int | None = None
    permanent: bool = False


@dataclass(frozen=True, slots=True)
class WeightedBackend:
    """A backend's share of a rule's traffic, relative to the sum of weights; `filters` apply to its share alone, and
    `session` is with its endpoints.
    """

    backend: Backend | InvalidBackend
    weight: int
    filters: tuple[Applied, ...] = ()
    session: Session | None = None

    def reached(self, certificate: Key) -> "WeightedBackend":
        """The share as a Gateway with that certificate serves it."""
        backend = self.backend.reached(certificate) if isinstance(self.backend, Backend) else self.backend
        return replace(self, backend=backend, filters=tuple(one.reached(certificate) for one in self.filters))


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Milliseconds; None where nothing was said, 0 for no limit."""

    request: int | None = None
    backend_request: int | None = None


@dataclass(frozen=True, slots=True)
class Retry:
    """Further tries when a backend could not be reached, did not take the request, or answered with one of `codes`.

    `attempts` is at least 1, beside the first try; `backoff` is in milliseconds, None where nothing was said.
    """

    attempts: int
    codes: tuple[int, ...] = ()
    backoff: int | None = None


@dataclass(frozen=True, slots=True)
class Fault:
    """A rule that cannot be served: its requests get this HTTP status."""

    status: int
    message: str


@dataclass(frozen=True, slots=True)
class Action:
    """What a rule does with a request: a fault, or filters and then a backend.

    `unusable` is the HTTP status that the share of a backend gets that cannot be used.
    """

    filters: tuple[Applied, ...] = ()
    backends: tuple[WeightedBackend, ...] = ()
    timeouts: Timeouts = Timeouts()
    retry: Retry | None = None
    fault: Fault | None = None
    unusable: int = 500


class RuleId(NamedTuple):
    """One match of one rule of a route; `rule_name` is the API's optional name."""

    kind: str
    route: Key
    rule: int
    match: int
    rule_name: str = ""

    @property
    def field(self) -> str:
        """Where the rule stands in its object, e.g. `rules[2]`."""
        return f"rules[{self.rule}]"

    @property
    def owner(self) -> str:
        """The route, e.g. `HTTPRoute shop/cart`."""
        return f"{self.kind} {self.route}"

    @property
    def place(self) -> str:
        """Where the match stands in its object, e.g. `rules[2].matches[0]`."""
        return f"{self.field}.matches[{self.match}]"

    def __str__(self) -> str:
        return f"{self.kind}/{self.route.namespace}/{self.route.name}/{self.rule}/{self.match}"


@dataclass(frozen=True, slots=True)
class Rule:
    """One match and its action; rules of one listener hostname are tried in the order of `rank`."""

    id: RuleId
    match: Match
    action: Action
    created: str

    def reached(self, certificate: Key) -> "Rule":
        """The rule as a Gateway serves it that shows that certificate to backends over TLS."""
        if certificate == NO_CERTIFICATE:
            return self
        action = self.action
        filters = tuple(one.reached(certificate) for one in action.filters)
        backends = tuple(one.reached(certificate) for one in action.backends)
        return replace(self, action=replace(action, filters=filters, backends=backends))

    @property
    def rank(self) -> tuple[object, ...]:
        """Precedence within a hostname: match, then oldest route, then name, then place in the route."""
        route = self.id.route
        return (
            *precedence(self.match),
            self.created,
            str(route),
            self.id.rule,
            self.id.match,
        )
