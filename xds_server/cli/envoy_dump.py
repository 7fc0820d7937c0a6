"""Envoy's /config_dump, by type: names, versions, and a few words about each resource and about its parts.

Reference: https://www.envoyproxy.io/docs/envoy/v1.40.0/api-v3/admin/v3/config_dump.proto
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from xds_server.cli.envoy_parts import Part, chains, destinations, endpoints, matches, object_of, socket_name

Json = Mapping[str, Any]
WARMING: Final = "warming"
DRAINING: Final = "draining"
_FILES: Final = ("ca", "token")
"""Secrets that an Envoy in a cluster has from files of its pod."""


@dataclass(frozen=True, slots=True)
class Held:
    """A resource that an Envoy has. `static`: from its bootstrap, or files of its pod. `error` is why it rejected a
    newer one. `content` is what there is to compare where Envoy tells no version. `state` is WARMING for what is not
    used yet, since something that it needs is not there, and DRAINING for what is about to go.
    """

    detail: str
    version: str = ""
    static: bool = False
    error: str = ""
    parts: tuple[Part, ...] = ()
    content: frozenset[str] | None = None
    state: str = ""


def held(dump: Json, type_: str) -> dict[str, Held]:
    """What an Envoy has of a type (`listeners`, `routes`, …), by name."""
    found: dict[str, Held] = {}
    for section in dump["configs"]:
        if section.get("@type", "").endswith(f".{_SECTIONS[type_]}"):
            found |= dict(_READ[type_](section))
    return found


_SECTIONS: Final = {
    "listeners": "ListenersConfigDump",
    "routes": "RoutesConfigDump",
    "clusters": "ClustersConfigDump",
    "endpoints": "EndpointsConfigDump",
    "secrets": "SecretsConfigDump",
}


def _listeners(section: Json) -> Iterator[tuple[str, Held]]:
    for one in section.get("dynamic_listeners") or ():
        phase = next((name for name in ("active", WARMING, DRAINING) if f"{name}_state" in one), "")
        state = one.get(f"{phase}_state") or {}
        listener = state.get("listener") or {}
        place = socket_name(listener.get("address"))
        detail = place if phase == "active" else f"{place}, {phase or 'never accepted'}"
        of_phase = phase if phase in (WARMING, DRAINING) else ""
        parts = tuple(chains(listener))
        yield one["name"], Held(detail, _version(state), error=_error(one), parts=parts, state=of_phase)
    for one in section.get("static_listeners") or ():
        listener = one.get("listener") or {}
        parts = tuple(chains(listener))
        yield listener.get("name", ""), Held(socket_name(listener.get("address")), static=True, parts=parts)


def _routes(section: Json) -> Iterator[tuple[str, Held]]:
    for static, field in ((False, "dynamic_route_configs"), (True, "static_route_configs")):
        for one in section.get(field) or ():
            config = one.get("route_config") or {}
            hosts = config.get("virtual_hosts") or ()
            parts = tuple(
                Part(f"{host.get('name', '')} {matches(route)}", destinations(route), object_of(route.get("name", "")))
                for host in hosts
                for route in host.get("routes") or ()
            )
            detail = f"{_count(len(hosts), 'host')}, {_count(len(parts), 'route')}"
            yield config.get("name", ""), Held(detail, _version(one), static, _error(one), parts)


def _clusters(section: Json) -> Iterator[tuple[str, Held]]:
    for field in ("static_clusters", "dynamic_active_clusters", "dynamic_warming_clusters"):
        for one in section.get(field) or ():
            cluster = one.get("cluster") or {}
            words = [(cluster.get("type") or "static").lower()]
            words += ["TLS"] if (cluster.get("transport_socket") or {}).get("name", "").endswith(".tls") else []
            state = WARMING if WARMING in field else ""
            words += [state] if state else []
            static = field.startswith("static")
            yield cluster.get("name", ""), Held(", ".join(words), _version(one), static, _error(one), state=state)


def _endpoints(section: Json) -> Iterator[tuple[str, Held]]:
    for static, field in ((True, "static_endpoint_configs"), (False, "dynamic_endpoint_configs")):
        for one in section.get(field) or ():
            config = one.get("endpoint_config") or {}
            parts = tuple(endpoints(config))
            healthy = sum(part.detail == "healthy" for part in parts)
            content = frozenset(part.name for part in parts)
            detail = f"{healthy} of {len(parts)} healthy"
            yield config.get("cluster_name", ""), Held(detail, "", static, _error(one), parts, content)


def _secrets(section: Json) -> Iterator[tuple[str, Held]]:
    for field in ("static_secrets", "dynamic_active_secrets", "dynamic_warming_secrets"):
        for one in section.get(field) or ():
            secret = one.get("secret") or {}
            kinds = ("tls_certificate", "validation_context", "generic_secret", "session_ticket_keys")
            what = next((word.replace("_", " ") for word in kinds if word in secret), "nothing yet")
            state = WARMING if WARMING in field else ""
            detail = f"{what}, {state}" if state else what
            static = field.startswith("static") or secret.get("name", "") in _FILES
            version = "" if static else _version(one)
            yield one.get("name", ""), Held(detail, version, static, _error(one), state=state)


_READ: Final[Mapping[str, Callable[[Json], Iterator[tuple[str, Held]]]]] = {
    "listeners": _listeners,
    "routes": _routes,
    "clusters": _clusters,
    "endpoints": _endpoints,
    "secrets": _secrets,
}


def _version(state: Json) -> str:
    return str(state.get("version_info") or "")


def _error(entry: Json) -> str:
    return str((entry.get("error_state") or {}).get("details") or "")


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
