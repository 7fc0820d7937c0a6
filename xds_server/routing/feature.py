"""Feature: one filter end to end, from its Gateway API spelling to its Envoy spelling.

`filters/` holds one file per feature. The two halves are joined here without knowing each other: `Spec` is the API's
value, `Config` the feature's own, `Message` whatever the data plane's route is. Members that a filter does not need
are left out.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, fields, is_dataclass, replace
from typing import Any, Generic, NamedTuple, TypeVar

from xds_server.model.meta import Key
from xds_server.routing.backend import Backend, InvalidBackend
from xds_server.routing.match import Match
from xds_server.routing.request import Request, Response

Spec = TypeVar("Spec")
Config = TypeVar("Config")
Message = TypeVar("Message")
Reference = TypeVar("Reference")


@dataclass(frozen=True, slots=True)
class Refused:
    """A filter that cannot be honoured: its rule must not be served without it. `reason` is one of Accepted's."""

    reason: str
    message: str


class Place(NamedTuple):
    """Where a rule is served, for what depends on it: the listener's port and scheme, and the match of this route."""

    port: int
    scheme: str
    match: Match


class Surroundings(NamedTuple, Generic[Reference]):
    """What a filter may ask about while it is parsed."""

    resolve: Callable[[Reference], Backend | InvalidBackend]
    matches: tuple[Match, ...] = ()
    on_backend: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Feature(Generic[Spec, Config, Message]):
    """The interface of a filter.

    parse: the filter's value, or why it is refused.
    edit_route: writes the filter into the route being built; returns further routes to be tried before it.
    edit_backend: writes it into one weighted backend of a route; without it a filter on a backendRef
        makes that backend a route of its own.
    wrap: is handed all routes of a rule, or of one backend with a route of its own, once every filter is written into
        them, those that answer with a failure too; returns them with others between. Of two filters of one type the
        later one counts.
    backends: further backends that need a cluster; invalid ones among them are reported in ResolvedRefs.
    chain: filters that every chain for HTTP has in the order of FILTERS, idle until a route configures them; being
        there always, they cost no connection when the first route needs them. Idle, not switched off: Envoy switches
        on what the first route asks for, which a listener's filters may change (docs/decisions/0007).
    before_routing: its filter for a listener, before a route is chosen; without it no listener may have it.
    kinds: the kinds of routes that may have the filter.
    answers: the filter answers itself, backends are not asked.
    describe: what the filter does, in words that follow its type.
    response: what the filter says to a request that its rule takes; None where it lets it pass.
    intercepts: what it says to requests of its rule's path and query that the rest of the match need not take.
    forwards: the filter is about the request to the backend, so it does not go with one that answers.
    guards: the filter comes before whatever answers, a fault of the rule included.
    once: a second one of the kind on one rule or backend is refused.
    """

    name: str
    type: str
    advertises: tuple[str, ...] = ()
    parse: "Callable[[Spec, Surroundings[Any]], Config | Refused]"
    edit_route: Callable[[Config, Message, Place], list[Message]] | None = None
    edit_backend: Callable[[Config, Any], None] | None = None
    wrap: Callable[[Config, list[Message], Place], list[Message]] | None = None
    backends: Callable[[Config], tuple[Backend | InvalidBackend, ...]] = field(default=lambda _: ())
    chain: tuple[Any, ...] = ()
    before_routing: Callable[[Config], Any] | None = None
    kinds: tuple[str, ...] = ("HTTPRoute",)
    answers: bool = False
    describe: Callable[[Config], str] | None = None
    response: Callable[[Config, Place, Request], Response | None] | None = None
    intercepts: Callable[[Config, Place, Request], Response | None] | None = None
    forwards: bool = False
    guards: bool = False
    once: bool = False
    on_backends: bool = True


@dataclass(frozen=True, slots=True)
class Applied:
    """A parsed filter on a rule or a backend: the feature's type and its config.

    Backends that a filter has of its own are fields of its config, so that each Gateway can reach them in its way.
    """

    type: str
    config: Any

    def reached(self, certificate: Key) -> "Applied":
        """The filter as a Gateway with that certificate serves it (`Backend.reached`)."""
        if not is_dataclass(self.config) or isinstance(self.config, type):
            return self
        own = ((one.name, getattr(self.config, one.name)) for one in fields(self.config))
        moved = {name: value.reached(certificate) for name, value in own if isinstance(value, Backend)}
        return Applied(self.type, replace(self.config, **moved)) if moved else self
