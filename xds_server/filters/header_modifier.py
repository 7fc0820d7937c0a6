"""RequestHeaderModifier and ResponseHeaderModifier.

Source: Gateway API HTTPHeaderFilter; Envoy's request_headers_to_add and relatives. Within one list the first of
several entries of the same name counts; names are compared without case. Envoy refuses to touch `:`-headers and
`host`: setting `Host` becomes a host rewrite, adding or removing it is refused. So is writing into headers that frame
the message.
"""

import re
from dataclasses import dataclass
from typing import Any

from envoy_data_plane.envoy.config.core import v3 as core
from envoy_data_plane.envoy.config.route import v3 as route_v3

from xds_server.envoy import kit
from xds_server.model.httproute import HTTPHeader, HTTPHeaderFilter, HTTPRouteFilter
from xds_server.routing.feature import Feature, Place, Refused, Surroundings
from xds_server.routing.headers import FRAMING

_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+\-.^_`|~]+")
_VALUE = re.compile(r"[\t\x20-\x7e\x80-\U0010ffff]*")
_ACTION = core.HeaderValueOptionHeaderAppendAction


@dataclass(frozen=True, slots=True)
class HeaderChanges:
    """What happens to headers: replaced, appended, removed; `host` is a new Host for the backend."""

    set: tuple[tuple[str, str], ...] = ()
    add: tuple[tuple[str, str], ...] = ()
    remove: tuple[str, ...] = ()
    host: str | None = None


def _parse(spec: HTTPHeaderFilter | None, field: str) -> HeaderChanges | Refused:
    if spec is None:
        return Refused("UnsupportedValue", f"{field} is missing")
    for list_, headers in (("set", spec.set), ("add", spec.add)):
        for index, header in enumerate(headers):
            if problem := _header_problem(header):
                return Refused("UnsupportedValue", f"{field}.{list_}[{index}]: {problem}")
    for index, name in enumerate(spec.remove):
        if problem := _name_problem(name):
            return Refused("UnsupportedValue", f"{field}.remove[{index}]: {problem}")
    set_, add = _first_of_each(spec.set), _first_of_each(spec.add)
    remove = tuple(dict.fromkeys(name.lower() for name in spec.remove))
    host = set_.pop("host", None)
    if "host" in add or "host" in remove:
        return Refused("UnsupportedValue", f"{field}: Host can be set, but neither added nor removed")
    if host is not None and field == "responseHeaderModifier":
        return Refused("UnsupportedValue", f"{field}: Host is not a response header")
    return HeaderChanges(tuple(set_.items()), tuple(add.items()), remove, host)


def _first_of_each(headers: tuple[HTTPHeader, ...]) -> dict[str, str]:
    found: dict[str, str] = {}
    for header in headers:
        found.setdefault(header.name.lower(), header.value)
    return found


def _header_problem(header: HTTPHeader) -> str | None:
    if problem := _name_problem(header.name):
        return problem
    if not _VALUE.fullmatch(header.value) or not _encodable(header.value):
        return f"the value of {header.name} holds characters that no header may"
    if header.name.lower() == "host" and not header.value:
        return "Host may not be empty"
    return f"{header.name} tells how messages are framed" if header.name.lower() in FRAMING else None


def _name_problem(name: str) -> str | None:
    return None if _NAME.fullmatch(name) else f"{name!r} is not a header name"


def _encodable(value: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in value)


def _parse_request(spec: HTTPRouteFilter, _: Surroundings[Any]) -> HeaderChanges | Refused:
    return _parse(spec.request_header_modifier, "requestHeaderModifier")


def _parse_response(spec: HTTPRouteFilter, _: Surroundings[Any]) -> HeaderChanges | Refused:
    return _parse(spec.response_header_modifier, "responseHeaderModifier")


def _options(changes: HeaderChanges) -> list[core.HeaderValueOption]:
    options = [_option(name, value, _ACTION.OVERWRITE_IF_EXISTS_OR_ADD) for name, value in changes.set]
    return options + [_option(name, value, _ACTION.APPEND_IF_EXISTS_OR_ADD) for name, value in changes.add]


def _option(name: str, value: str, action: core.HeaderValueOptionHeaderAppendAction) -> core.HeaderValueOption:
    header = kit.HeaderValue(key=name, value=kit.literal(value))
    return kit.HeaderValueOption(header=header, append_action=action, keep_empty_value=True)


Target = route_v3.Route | route_v3.WeightedClusterClusterWeight


def _options_after(earlier: list[core.HeaderValueOption], changes: HeaderChanges) -> list[core.HeaderValueOption]:
    """Envoy removes before it adds; so what an earlier filter adds and this one removes is not added at all."""
    kept = [option for option in earlier if option.header is None or option.header.key not in changes.remove]
    return kept + _options(changes)


def _edit_request(changes: HeaderChanges, target: Target) -> None:
    target.request_headers_to_add = _options_after(target.request_headers_to_add, changes)
    target.request_headers_to_remove += list(changes.remove)
    if changes.host is not None:
        action = target.route if isinstance(target, route_v3.Route) else target
        if action is not None:
            action.host_rewrite_literal = changes.host


def _edit_response(changes: HeaderChanges, target: Target) -> None:
    target.response_headers_to_add = _options_after(target.response_headers_to_add, changes)
    target.response_headers_to_remove += list(changes.remove)


def _edit_request_route(changes: HeaderChanges, route: route_v3.Route, _: Place) -> list[route_v3.Route]:
    _edit_request(changes, route)
    return []


def _edit_response_route(changes: HeaderChanges, route: route_v3.Route, _: Place) -> list[route_v3.Route]:
    _edit_response(changes, route)
    return []


def _describe(changes: HeaderChanges) -> str:
    told = [f"sets {name}: {value}" for name, value in changes.set]
    told += [f"sets Host: {changes.host}"] if changes.host is not None else []
    told += [f"adds {name}: {value}" for name, value in changes.add]
    told += [f"removes {name}" for name in changes.remove]
    return ", ".join(told)


REQUEST_HEADER_MODIFIER: Feature[HTTPRouteFilter, HeaderChanges, route_v3.Route] = Feature(
    name="request-header-modifier",
    type="RequestHeaderModifier",
    advertises=("HTTPRouteBackendRequestHeaderModification",),
    kinds=("HTTPRoute", "GRPCRoute"),
    parse=_parse_request,
    edit_route=_edit_request_route,
    edit_backend=_edit_request,
    describe=_describe,
)

RESPONSE_HEADER_MODIFIER: Feature[HTTPRouteFilter, HeaderChanges, route_v3.Route] = Feature(
    name="response-header-modifier",
    type="ResponseHeaderModifier",
    advertises=("HTTPRouteResponseHeaderModification",),
    kinds=("HTTPRoute", "GRPCRoute"),
    parse=_parse_response,
    edit_route=_edit_response_route,
    edit_backend=_edit_response,
    describe=_describe,
)
