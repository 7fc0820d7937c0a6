"""Envoy's /config_dump, by type: names, versions, and a few words about each resource.

Reference: https://www.envoyproxy.io/docs/envoy/v1.40.0/api-v3/admin/v3/config_dump.proto
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Held:
    """A resource that an Envoy has. `static`: from its bootstrap. `error` is why it rejected a newer one."""

    detail: str
    version: str = ""
    static: bool = False
    error: str = ""


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
        state = one.get("active_state") or one.get("warming_state") or one.get("draining_state") or {}
        listener = state.get("listener") or {}
        phase = next((name for name in ("active", "warming", "draining") if f"{name}_state" in one), "")
        detail = _address(listener.get("address")) + ("" if phase == "active" else f", {phase}")
        error = (one.get("error_state") or {}).get("details", "")
        yield one["name"], Held(f"{detail}, {_count(listener, 'filter_chains')}", _version(state), error=error)
    for one in section.get("static_listeners") or ():
        listener = one.get("listener") or {}
        yield listener.get("name", ""), Held(_address(listener.get("address")), static=True)


def _routes(section: Json) -> Iterator[tuple[str, Held]]:
    for static, field in ((False, "dynamic_route_configs"), (True, "static_route_configs")):
        for one in section.get(field) or ():
            routes = one.get("route_config") or {}
            hosts = routes.get("virtual_hosts") or ()
            count = sum(len(host.get("routes") or ()) for host in hosts)
            error = (one.get("error_state") or {}).get("details", "")
            detail = f"{len(hosts)} hosts, {count} routes"
            yield routes.get("name", ""), Held(detail, _version(one), static=static, error=error)


def _clusters(section: Json) -> Iterator[tuple[str, Held]]:
    for field in ("static_clusters", "dynamic_active_clusters", "dynamic_warming_clusters"):
        for one in section.get(field) or ():
            cluster = one.get("cluster") or {}
            kind = (cluster.get("type") or "").lower() or "-"
            warming = ", warming" if "warming" in field else ""
            error = (one.get("error_state") or {}).get("details", "")
            held_ = Held(f"{kind}{warming}", _version(one), static=field.startswith("static"), error=error)
            yield cluster.get("name", ""), held_


def _endpoints(section: Json) -> Iterator[tuple[str, Held]]:
    for static, field in ((True, "static_endpoint_configs"), (False, "dynamic_endpoint_configs")):
        for one in section.get(field) or ():
            config = one.get("endpoint_config") or {}
            all_ = [each for place in config.get("endpoints") or () for each in place.get("lb_endpoints") or ()]
            healthy = sum(each.get("health_status") in (None, "HEALTHY", "UNKNOWN") for each in all_)
            # Envoy tells no version of assignments
            yield config.get("cluster_name", ""), Held(f"{healthy}/{len(all_)} healthy", static=static)


def _secrets(section: Json) -> Iterator[tuple[str, Held]]:
    for field in ("static_secrets", "dynamic_active_secrets", "dynamic_warming_secrets"):
        for one in section.get(field) or ():
            secret = one.get("secret") or {}
            what = next(
                (word for word in ("tls_certificate", "validation_context", "generic_secret") if word in secret), "-"
            )
            warming = ", warming" if "warming" in field else ""
            error = (one.get("error_state") or {}).get("details", "")
            # those of files have no version that a server gave them
            of_file = secret.get("name", "") in ("ca", "token")
            static = field.startswith("static") or of_file
            yield one.get("name", ""), Held(f"{what}{warming}", "" if static else _version(one), static, error)


_READ: Final[Mapping[str, Callable[[Json], Iterator[tuple[str, Held]]]]] = {
    "listeners": _listeners,
    "routes": _routes,
    "clusters": _clusters,
    "endpoints": _endpoints,
    "secrets": _secrets,
}


def _version(state: Json) -> str:
    return str(state.get("version_info") or "")


def _address(address: Json | None) -> str:
    place = (address or {}).get("socket_address") or {}
    if not place:
        return str(((address or {}).get("pipe") or {}).get("path") or "-")
    host = place.get("address", "")
    return f"{f'[{host}]' if ':' in host else host}:{place.get('port_value', 0)}"


def _count(listener: Json, field: str) -> str:
    chains = len(listener.get(field) or ()) + ("default_filter_chain" in listener)
    return f"{chains} filter chain{'' if chains == 1 else 's'}"
