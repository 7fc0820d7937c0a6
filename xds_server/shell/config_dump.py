"""What a proxy is served, in the shape of Envoy's own /config_dump, so that tools for that one read this one.

In: a View and filters. Out: an envoy.admin.v3.ConfigDump as JSON, made from the very bytes that are served. As in
Envoy's, `resource` names one list of the dump and gives its entries bare, `name_regex` is matched against whole names;
the `version_info` of an entry is the one that Envoy is told, that of a section stands for the whole set (SotW's; delta
has none). When Envoy applied something is not known here, so `last_updated` is left out.
Source: envoy/admin/v3/config_dump.proto and config_dump_shared.proto.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from xds_server.shell.admin_json import any_json
from xds_server.wire.decode import DecodeError
from xds_server.wire.registry import UnknownTypeError
from xds_server.xds.catalog import View
from xds_server.xds.resource import Resource, ResourceType

_ADMIN: Final = "type.googleapis.com/envoy.admin.v3."


@dataclass(frozen=True, slots=True)
class _Section:
    """One of the messages that a dump consists of; `field` is its list, `entry` the message in that list."""

    type: ResourceType
    message: str
    field: str
    entry: str
    body: str
    """The entry's field that holds the resource."""
    named: bool = False
    """Whether an entry has a name of its own."""
    versioned: bool = False
    """Whether the section has a version of its own."""


SECTIONS: Final = (
    _Section(
        ResourceType.CLUSTER,
        "ClustersConfigDump",
        "dynamic_active_clusters",
        "ClustersConfigDump.DynamicCluster",
        "cluster",
        versioned=True,
    ),
    _Section(
        ResourceType.ENDPOINT,
        "EndpointsConfigDump",
        "dynamic_endpoint_configs",
        "EndpointsConfigDump.DynamicEndpointConfig",
        "endpoint_config",
    ),
    _Section(
        ResourceType.LISTENER,
        "ListenersConfigDump",
        "dynamic_listeners",
        "ListenersConfigDump.DynamicListener",
        "listener",
        named=True,
        versioned=True,
    ),
    _Section(
        ResourceType.ROUTE,
        "RoutesConfigDump",
        "dynamic_route_configs",
        "RoutesConfigDump.DynamicRouteConfig",
        "route_config",
    ),
    _Section(
        ResourceType.SECRET,
        "SecretsConfigDump",
        "dynamic_active_secrets",
        "SecretsConfigDump.DynamicSecret",
        "secret",
        named=True,
    ),
)
"""In the order in which Envoy dumps them."""
FIELDS: Final = tuple(section.field for section in SECTIONS)


@dataclass(frozen=True, slots=True)
class Filter:
    """What of a dump is wanted: all of it, one type, or one of FIELDS (`resource`); resources whose name matches."""

    type: ResourceType | None = None
    resource: str | None = None
    name: Callable[[str], object] = bool
    """Truthy for the names wanted."""


def config_dump(view: View, wanted: Filter) -> bytes:
    """The dump as JSON, indented. Takes long for thousands of resources: not for the event loop."""
    configs: list[Any] = []
    for section in SECTIONS:
        if wanted.resource is not None:
            if section.field == wanted.resource:
                head = {"@type": f"{_ADMIN}{section.entry}"}
                configs += [
                    msgspec.Raw(msgspec.json.encode({**head, **one})) for one in _entries(view, section, wanted)
                ]
        elif wanted.type in (None, section.type):
            configs.append(_section(view, section, wanted))
    return msgspec.json.format(msgspec.json.encode({"configs": configs}), indent=1) + b"\n"


def _section(view: View, section: _Section, wanted: Filter) -> dict[str, Any]:
    shown: dict[str, Any] = {"@type": f"{_ADMIN}{section.message}"}
    if section.versioned:
        shown["version_info"] = view.version(section.type)
    # As text already, for the values of one resource take many times the memory of its bytes.
    entries = [msgspec.Raw(msgspec.json.encode(entry)) for entry in _entries(view, section, wanted)]
    return {**shown, section.field: entries} if entries else shown


def _entries(view: View, section: _Section, wanted: Filter) -> Iterator[dict[str, Any]]:
    for name, resource in sorted(view.resources(section.type).items()):
        # Empty: what proxies of this build are not to have.
        if resource.body and wanted.name(name):
            yield _entry(section, resource)


def _entry(section: _Section, resource: Resource) -> dict[str, Any]:
    entry: dict[str, Any] = {"name": resource.name} if section.named else {}
    state: dict[str, Any] = {"version_info": resource.version}
    try:
        state[section.body] = any_json(resource.type.url, resource.body)
    except (DecodeError, UnknownTypeError) as error:
        entry["error_state"] = {"details": f"{resource.name} cannot be decoded: {error}"}
    if section.type is ResourceType.LISTENER:
        return {**entry, "active_state": state}
    return {**entry, **state}
