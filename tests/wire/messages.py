"""Generated messages of every class that the product uses: hypothesis strategies written from the field tables.

Comes in: a message class. Goes out: keyword arguments for it, to be given to either constructor.
"""

import datetime
from collections.abc import Iterator
from functools import cache
from typing import Any

import betterproto2
from envoy_data_plane.envoy.admin import v3 as admin
from envoy_data_plane.envoy.config.bootstrap import v3 as bootstrap
from envoy_data_plane.envoy.config.cluster import v3 as cluster
from envoy_data_plane.envoy.config.endpoint import v3 as endpoint
from envoy_data_plane.envoy.config.listener import v3 as listener
from envoy_data_plane.envoy.config.route import v3 as route
from envoy_data_plane.envoy.extensions.access_loggers.stream import v3 as stream
from envoy_data_plane.envoy.extensions.filters.http.composite import v3 as composite
from envoy_data_plane.envoy.extensions.filters.http.ext_authz import v3 as ext_authz
from envoy_data_plane.envoy.extensions.filters.http.filter_chain import v3 as http_filter_chain
from envoy_data_plane.envoy.extensions.filters.http.router import v3 as router
from envoy_data_plane.envoy.extensions.filters.listener.tls_inspector import v3 as tls_inspector
from envoy_data_plane.envoy.extensions.filters.network.http_connection_manager import v3 as hcm
from envoy_data_plane.envoy.extensions.transport_sockets.tls import v3 as tls
from envoy_data_plane.envoy.extensions.upstreams.http import v3 as upstreams
from envoy_data_plane.google import protobuf
from hypothesis import strategies as st

from xds_server.wire.encode import encode
from xds_server.wire.registry import type_url_of
from xds_server.wire.schema import Field, fields_of

ROOTS: tuple[type[betterproto2.Message], ...] = (
    route.RouteConfiguration,
    route.VirtualHost,
    route.Route,
    listener.Listener,
    listener.FilterChain,
    cluster.Cluster,
    endpoint.ClusterLoadAssignment,
    tls.Secret,
    tls.DownstreamTlsContext,
    tls.UpstreamTlsContext,
    hcm.HttpConnectionManager,
    router.Router,
    composite.Composite,
    composite.CompositePerRoute,
    composite.ExecuteFilterAction,
    ext_authz.ExtAuthz,
    http_filter_chain.FilterChainConfig,
    http_filter_chain.FilterChainConfigPerRoute,
    upstreams.HttpProtocolOptions,
    stream.StdoutAccessLog,
    tls_inspector.TlsInspector,
    bootstrap.Bootstrap,
    admin.ConfigDump,
    admin.BootstrapConfigDump,
    admin.ListenersConfigDump,
    admin.ClustersConfigDump,
    admin.RoutesConfigDump,
    admin.EndpointsConfigDump,
    admin.SecretsConfigDump,
)


@cache
def reachable() -> tuple[type[betterproto2.Message], ...]:
    """Every message class that a root can hold, by name of module and class."""
    found: set[type[betterproto2.Message]] = set()
    waiting = list(ROOTS)
    while waiting:
        cls = waiting.pop()
        if cls not in found:
            found.add(cls)
            waiting.extend(_held(cls))
    return tuple(sorted(found, key=lambda cls: (cls.__module__, cls.__name__)))


def _held(cls: type[betterproto2.Message]) -> Iterator[type[betterproto2.Message]]:
    for field in fields_of(cls):
        for one in (field, field.value):
            if one is not None and one.message is not None:
                yield one.message


# -0.0 is what betterproto2 does not write; tests of its own hold it.
_DOUBLES = st.floats(allow_nan=False).map(lambda number: number + 0.0)
_FINITE = st.floats(allow_nan=False, allow_infinity=False).map(lambda number: number + 0.0)
_TEXT = st.one_of(st.sampled_from(["", "a", "*.example.com", "ü€𝄞", "x" * 200]), st.text(max_size=5))
_INTEGERS = {
    kind: (0, 2**bits) if kind.startswith(("u", "f")) else (-(2 ** (bits - 1)), 2 ** (bits - 1))
    for bits in (32, 64)
    for kind in (f"int{bits}", f"uint{bits}", f"sint{bits}", f"fixed{bits}", f"sfixed{bits}")
}
_SCALARS: dict[str, st.SearchStrategy[Any]] = {
    "bool": st.booleans(),
    "string": _TEXT,
    "bytes": st.binary(max_size=5),
    "double": _DOUBLES,
    "float": st.floats(allow_nan=False, width=32).map(lambda number: number + 0.0),
} | {
    kind: st.one_of(st.sampled_from([0, 1, 127, 128, high - 1]), st.integers(low, high - 1))
    for kind, (low, high) in _INTEGERS.items()
}
_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
_WRAPPED: dict[str, st.SearchStrategy[Any]] = {
    # betterproto2 writes negative durations wrongly and very long ones inexactly; tests of their own hold them.
    "Duration": st.timedeltas(datetime.timedelta(0), datetime.timedelta(days=36_500)),
    "Timestamp": st.integers(-6 * 10**16, 6 * 10**16).map(
        lambda micros: _EPOCH + datetime.timedelta(microseconds=micros)
    ),
}
_INSIDE_ANY: tuple[type[betterproto2.Message], ...] = (
    router.Router,
    composite.Composite,
    composite.CompositePerRoute,
    composite.ExecuteFilterAction,
    ext_authz.ExtAuthz,
    http_filter_chain.FilterChainConfig,
    http_filter_chain.FilterChainConfigPerRoute,
    stream.StdoutAccessLog,
    tls_inspector.TlsInspector,
    protobuf.StringValue,
    protobuf.Struct,
    protobuf.Any,
)


@cache
def arguments(cls: type[betterproto2.Message], depth: int = 2) -> st.SearchStrategy[dict[str, Any]]:
    """Keyword arguments of `cls`: a few of its fields set, at most one of each oneof, `depth` levels below it."""
    if cls is protobuf.Any:
        return _any_arguments(depth)
    if cls is protobuf.Value:
        return _value_arguments(depth)
    if cls in (protobuf.Duration, protobuf.Timestamp):
        # What is beyond these has no JSON.
        return st.fixed_dictionaries(
            {}, optional={"seconds": st.integers(0, 10**11), "nanos": st.integers(0, 10**9 - 1)}
        )
    fields = fields_of(cls)

    @st.composite
    def draw_arguments(draw: st.DrawFn) -> dict[str, Any]:
        chosen = draw(st.lists(st.sampled_from(fields), max_size=4, unique=True)) if fields else []
        groups: set[str] = set()
        made: dict[str, Any] = {}
        for field in chosen:
            if field.group is None or field.group not in groups:
                groups |= {field.group} if field.group else set()
                made[field.name] = draw(_field(field, depth))
        return made

    return draw_arguments()


def messages(cls: type[betterproto2.Message], depth: int) -> st.SearchStrategy[betterproto2.Message]:
    """Instances of `cls`, validated by pydantic."""
    return st.builds(lambda made: cls(**made), arguments(cls, depth))


def _field(field: Field, depth: int) -> st.SearchStrategy[Any]:
    if field.key is not None and field.value is not None:
        pairs = st.dictionaries(_SCALARS[field.key.kind], _single(field.value, depth), max_size=2)
        return pairs.map(lambda made: dict(sorted(made.items())))
    single = _single(field, depth)
    return st.lists(single, max_size=2) if field.repeated else single


def _single(field: Field, depth: int) -> st.SearchStrategy[Any]:
    if field.enum is not None:
        return st.one_of(st.sampled_from(list(field.enum)), st.just(field.enum(1_000)))
    if field.message is None:
        return _SCALARS[field.kind]
    if field.wrapped:
        if field.message.__name__ in _WRAPPED:
            return _WRAPPED[field.message.__name__]
        (inner,) = fields_of(field.message)
        return _SCALARS[inner.kind]
    if depth == 0 and field.message not in (protobuf.Value, protobuf.Any):
        return st.builds(field.message)
    return messages(field.message, max(depth - 1, 0))


def _any_arguments(depth: int) -> st.SearchStrategy[dict[str, Any]]:
    if depth == 0:
        return st.just({})
    packed = st.sampled_from(_INSIDE_ANY).flatmap(lambda cls: messages(cls, depth - 1))
    return st.one_of(st.just({}), packed.map(lambda one: {"type_url": type_url_of(type(one)), "value": encode(one)}))


def _value_arguments(depth: int) -> st.SearchStrategy[dict[str, Any]]:
    """One member always, and finite numbers only: anything else has no JSON."""
    members = [
        st.just({"null_value": protobuf.NullValue(0)}),
        _FINITE.map(lambda number: {"number_value": number}),
        _TEXT.map(lambda text: {"string_value": text}),
        st.booleans().map(lambda flag: {"bool_value": flag}),
    ]
    if depth > 0:
        members.append(messages(protobuf.Struct, depth - 1).map(lambda one: {"struct_value": one}))
        members.append(messages(protobuf.ListValue, depth - 1).map(lambda one: {"list_value": one}))
    return st.one_of(members)
