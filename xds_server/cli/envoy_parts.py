"""Parts of Envoy's resources in words: filter chains, routes, endpoints, as its admin endpoint shows them (JSON).

Reference: https://www.envoyproxy.io/docs/envoy/v1.40.0/api-v3/config/route/v3/route_components.proto
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

Json = Mapping[str, Any]
_RULE: Final = re.compile(r"(?P<kind>\w+Route)/(?P<namespace>[^/]+)/(?P<name>[^/]+)/(?P<rule>.+)/(?P<match>\d+)")
_PATHS: Final = {"prefix": "{}*", "path": "{}", "path_separated_prefix": "{}/*"}
_WORDS: Final = {":method": "method", ":authority": "host"}


class Part(NamedTuple):
    """A part of a resource. `object` is what made it, empty where that is the whole resource's to say."""

    name: str
    detail: str
    object: str = ""


def chains(listener: Json) -> Iterator[Part]:
    """The filter chains of a listener: for which server names, and where their traffic goes."""
    all_ = [*(listener.get("filter_chains") or ())]
    all_ += [listener["default_filter_chain"]] if listener.get("default_filter_chain") else []
    for chain in all_:
        names = (chain.get("filter_chain_match") or {}).get("server_names") or ()
        filters = chain.get("filters") or ()
        leads = next((told for one in filters if (told := _leads(one.get("typed_config") or {}))), "")
        tls = ", TLS" if chain.get("transport_socket") else ""
        yield Part(f"chain {chain.get('name') or ','.join(names) or '*'}", f"{leads or 'closes'}{tls}")
    for one in listener.get("listener_filters") or ():
        if told := _leads(one.get("typed_config") or {}):
            yield Part("datagrams", told)


def _leads(config: Json) -> str:
    """Where a network filter leads; empty for one that passes on."""
    if name := (config.get("rds") or {}).get("route_config_name"):
        return f"routes {name}"
    if "route_config" in config:
        return "routes of its own"
    return _targets(config) if config.get("cluster") or config.get("weighted_clusters") else ""


def matches(route: Json) -> str:
    """What a route takes."""
    match = route.get("match") or {}
    path = next((form.format(match[field]) for field, form in _PATHS.items() if field in match), "")
    if regex := (match.get("safe_regex") or {}).get("regex"):
        path = f"~ {regex}"
    words = [path or ("CONNECT" if "connect_matcher" in match else "any path")]
    words += [_matcher(one) for one in match.get("headers") or ()]
    words += [f"?{_matcher(one)}" for one in match.get("query_parameters") or ()]
    if "runtime_fraction" in match:
        fraction = match["runtime_fraction"].get("default_value") or {}
        words.append(f"share {fraction.get('numerator', 0)}/{fraction.get('denominator', 'HUNDRED').lower()}")
    return " ".join(words)


def _matcher(one: Json) -> str:
    name = _WORDS.get(one.get("name", ""), one.get("name", ""))
    how = one.get("string_match") or {}
    negated = "!" if one.get("invert_match") else ""
    if regex := (how.get("safe_regex") or {}).get("regex"):
        return f"{name}{negated}~{regex}"
    value = next((f"{negated}={how[form]}" for form in ("exact", "prefix", "suffix", "contains") if form in how), "")
    return f"{name}{value}" if value else f"{negated}{name}"


def destinations(route: Json) -> str:
    """Where a route leads."""
    if "redirect" in route:
        changes = ", ".join(f"{name} {value}" for name, value in sorted(route["redirect"].items()))
        return f"redirect: {changes}"
    if "direct_response" in route:
        return f"answers {route['direct_response'].get('status', '')}"
    return _targets(route.get("route") or {}) or "nothing"


def _targets(action: Json) -> str:
    several = (action.get("weighted_clusters") or {}).get("clusters") or ()
    if several:
        return ", ".join(f"{one.get('weight', 0)}× {one.get('name', '')}" for one in several)
    return str(action.get("cluster") or action.get("cluster_header") or "")


def object_of(route: str) -> str:
    """The object and the field behind a route, by its name; empty for one that is not named after a rule."""
    found = _RULE.fullmatch(route)
    if found is None:
        return ""
    return f"{found['kind']} {found['namespace']}/{found['name']} rules[{found['rule']}].matches[{found['match']}]"


def endpoints(assignment: Json) -> Iterator[Part]:
    """The endpoints of an assignment, in their order."""
    for place in assignment.get("endpoints") or ():
        zone = (place.get("locality") or {}).get("zone", "")
        for one in place.get("lb_endpoints") or ():
            health = (one.get("health_status") or "HEALTHY").lower().replace("unknown", "healthy")
            address = socket_name((one.get("endpoint") or {}).get("address"))
            yield Part(address + (f" in {zone}" if zone else ""), health)


def socket_name(address: Json | None) -> str:
    """ADDRESS:PORT, or the path of a pipe."""
    place = (address or {}).get("socket_address") or {}
    if not place:
        return str(((address or {}).get("pipe") or {}).get("path") or "-")
    host = place.get("address", "")
    return f"{f'[{host}]' if ':' in host else host}:{place.get('port_value', 0)}"
