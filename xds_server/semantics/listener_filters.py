"""filters.requests of a listener: what its requests meet before a route is chosen, and why that cannot be.

Source: Gateway API v1.7 `ListenerFilters` (GEP-5224) and the listener conditions. No filter of the list may be left
out, so a listener with one that cannot be kept is not served; but it owns its hosts, or else a wider listener would
serve them without the filter.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from xds_server.flow.lookup import Lookup
from xds_server.model import gateway as api
from xds_server.model.httproute import BackendObjectReference
from xds_server.model.meta import Condition
from xds_server.routing.backend import Backend, InvalidBackend
from xds_server.routing.feature import Applied, Feature, Refused, Surroundings
from xds_server.routing.listener import ListenerId
from xds_server.semantics import backends, conditions
from xds_server.semantics.grants import Referrer
from xds_server.semantics.world import World

Features = Mapping[str, Feature[Any, Any, Any]]
SEEING_REQUESTS = ("HTTP", "HTTPS")


@dataclass(frozen=True, slots=True)
class Filters:
    """A listener's filters in their order; `accepted` and `resolved` say why they cannot be kept."""

    applied: tuple[Applied, ...] = ()
    accepted: Condition | None = None
    resolved: Condition | None = None

    @property
    def usable(self) -> bool:
        """Can the listener be served with all of them?"""
        return self.accepted is None and self.resolved is None


@dataclass(frozen=True, slots=True)
class _Problems:
    """Reasons and messages, in the order of the list."""

    accepted: list[tuple[str, str]]
    resolved: list[tuple[str, str]]


def judge(id_: ListenerId, listener: api.Listener, features: Features, *, look: Lookup, world: World) -> Filters:
    """The filters of one listener."""
    written = listener.filters.requests
    if not written:
        return Filters()
    referrer = Referrer.of(id_.owner)

    def resolve(reference: BackendObjectReference) -> Backend | InvalidBackend:
        return backends.resolve(reference, referrer, "http", look, world)

    applied: list[Applied] = []
    problems = _Problems([], [])
    if listener.protocol not in SEEING_REQUESTS:
        message = f"filters.requests: a listener of protocol {listener.protocol} sees no requests"
        problems.accepted.append(("InvalidListenerFilter", message))
    for index, spec in enumerate(written):
        at = f"filters.requests[{index}]"
        feature = features.get(spec.type)
        if feature is None or feature.before_routing is None:
            _unsupported(at, spec, problems)
            continue
        config = feature.parse(spec, Surroundings(resolve))
        if isinstance(config, Refused):
            problems.accepted.append(("InvalidListenerFilter", f"{at}: {config.message}"))
            continue
        applied.append(Applied(spec.type, config))
        for backend in feature.backends(config):
            if isinstance(backend, InvalidBackend):
                reason = "RefNotPermitted" if backend.reason == "RefNotPermitted" else "InvalidListenerFilterRef"
                problems.resolved.append((reason, f"{at}: {backend.message}"))
    return Filters(
        tuple(applied),
        accepted=conditions.not_accepted(*_joined(problems.accepted)) if problems.accepted else None,
        resolved=conditions.not_resolved(*_joined(problems.resolved)) if problems.resolved else None,
    )


def _unsupported(at: str, spec: api.ListenerRequestFilter, problems: _Problems) -> None:
    problems.accepted.append(("UnsupportedValue", f"{at}: filter {spec.type} is not supported"))
    if spec.extension_ref is not None:
        what = f"{spec.extension_ref.group}/{spec.extension_ref.kind}"
        message = f"{at}: extensionRef {spec.extension_ref.name}: {what} is not a kind of filter"
        problems.resolved.append(("InvalidListenerFilterRef", message))


def _joined(problems: list[tuple[str, str]]) -> tuple[str, str]:
    """The reason of the first, the messages of all."""
    return problems[0][0], "; ".join(message for _, message in problems)
