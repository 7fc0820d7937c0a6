"""How long messages take to construct, encode and decode: ours beside betterproto2's, medians of one run.

Run as `python -m tests.bench.bench_wire`; `rows()` is for `make bench`. Times are microseconds.
"""

import datetime
import functools
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import betterproto2
from envoy_data_plane.envoy.config.cluster import v3 as cluster
from envoy_data_plane.envoy.config.core import v3 as core
from envoy_data_plane.envoy.config.endpoint import v3 as endpoint
from envoy_data_plane.envoy.config.listener import v3 as listener
from envoy_data_plane.envoy.config.route import v3 as route
from envoy_data_plane.envoy.extensions.filters.http.router import v3 as router
from envoy_data_plane.envoy.extensions.filters.network.http_connection_manager import v3 as hcm
from envoy_data_plane.envoy.extensions.transport_sockets.tls import v3 as tls
from envoy_data_plane.envoy.type.matcher import v3 as matcher
from envoy_data_plane.google import protobuf

from xds_server.wire.construct import fast
from xds_server.wire.decode import to_json
from xds_server.wire.encode import encode
from xds_server.wire.registry import type_url_of
from xds_server.wire.splice import splice

Make = Callable[[Any], Any]
"""From a message class to its constructor: the class itself, or `fast` of it."""


def any_of(make: Make, message: betterproto2.Message, value: bytes) -> Any:
    """An Any whose value is ready, so that only construction is measured."""
    return make(protobuf.Any)(type_url=type_url_of(type(message)), value=value)


def one_route(make: Make, number: int = 0) -> Any:
    header = make(route.HeaderMatcher)(name=":method", string_match=make(matcher.StringMatcher)(exact="GET"))
    weights = [
        make(route.WeightedClusterClusterWeight)(name=f"default/httpbin-{name}:8000/auto", weight=weight)
        for name, weight in (("stable", 9), ("canary", 1))
    ]
    added = make(core.HeaderValueOption)(
        header=make(core.HeaderValue)(key="my-added-header", value="added-value"),
        append_action=core.HeaderValueOptionHeaderAppendAction(2),
    )
    return make(route.Route)(
        name=f"default/http/{number}",
        match=make(route.RouteMatch)(path_separated_prefix=f"/get/{number}", headers=[header]),
        route=make(route.RouteAction)(
            weighted_clusters=make(route.WeightedCluster)(clusters=weights), timeout=datetime.timedelta(seconds=15)
        ),
        request_headers_to_add=[added],
        typed_per_filter_config={"router": any_of(make, ROUTER, b"")},
    )


def virtual_host(make: Make) -> Any:
    return make(route.VirtualHost)(
        name="httpbin.example.com",
        domains=["httpbin.example.com", "httpbin.example.com:*"],
        routes=[one_route(make, number) for number in range(3)],
    )


def one_cluster(make: Make) -> Any:
    source = make(core.ConfigSource)(ads=make(core.AggregatedConfigSource)(), resource_api_version=core.ApiVersion(2))
    return make(cluster.Cluster)(
        name="default/httpbin:8000/auto",
        type=cluster.ClusterDiscoveryType(3),
        eds_cluster_config=make(cluster.ClusterEdsClusterConfig)(
            service_name="default/httpbin:8000", eds_config=source
        ),
        connect_timeout=datetime.timedelta(seconds=5),
        lb_policy=cluster.ClusterLbPolicy(1),
        circuit_breakers=make(cluster.CircuitBreakers)(
            thresholds=[make(cluster.CircuitBreakersThresholds)(max_connections=2**32 - 1, max_requests=2**32 - 1)]
        ),
    )


def assignment(make: Make) -> Any:
    def address(number: int) -> Any:
        socket = make(core.SocketAddress)(address=f"10.0.{number // 256}.{number % 256}", port_value=8000)
        return make(core.Address)(socket_address=socket)

    endpoints = [
        make(endpoint.LbEndpoint)(endpoint=make(endpoint.Endpoint)(address=address(number))) for number in range(100)
    ]
    locality = make(core.Locality)(region="eu", zone="eu-1")
    return make(endpoint.ClusterLoadAssignment)(
        cluster_name="default/httpbin:8000",
        endpoints=[
            make(endpoint.LocalityLbEndpoints)(locality=locality, lb_endpoints=endpoints, load_balancing_weight=100)
        ],
    )


def manager(make: Make) -> Any:
    source = make(core.ConfigSource)(ads=make(core.AggregatedConfigSource)())
    return make(hcm.HttpConnectionManager)(
        stat_prefix="http-80",
        rds=make(hcm.Rds)(route_config_name="http-80", config_source=source),
        http_filters=[make(hcm.HttpFilter)(name="router", typed_config=any_of(make, ROUTER, b""))],
        use_remote_address=True,
        normalize_path=True,
    )


def one_listener(make: Make) -> Any:
    config = any_of(make, MANAGER, MANAGER_BYTES)
    chain = make(listener.FilterChain)(name="*", filters=[make(listener.Filter)(name="http", typed_config=config)])
    socket = make(core.SocketAddress)(address="::", port_value=80, ipv4_compat=True)
    return make(listener.Listener)(
        name="tcp-80", address=make(core.Address)(socket_address=socket), filter_chains=[chain], enable_reuse_port=True
    )


def one_secret(make: Make) -> Any:
    source = functools.partial(make(core.DataSource), inline_bytes=b"-----BEGIN" + b"x" * 1700)
    return make(tls.Secret)(
        name="secret/shop/cert",
        tls_certificate=make(tls.TlsCertificate)(certificate_chain=source(), private_key=source()),
    )


ROUTER = router.Router()
MANAGER = manager(lambda cls: cls)
MANAGER_BYTES = encode(MANAGER)
MESSAGES: dict[str, Callable[[Make], Any]] = {
    "Route": one_route,
    "VirtualHost, 3 routes": virtual_host,
    "Cluster": one_cluster,
    "ClusterLoadAssignment, 100 endpoints": assignment,
    "HttpConnectionManager": manager,
    "Listener": one_listener,
    "Secret": one_secret,
}


def median(work: Callable[[], object], seconds: float = 0.1) -> float:
    """Microseconds that `work` takes, the median of at least five runs and of about `seconds` of them."""
    work()
    taken: list[float] = []
    until = time.perf_counter() + seconds
    while len(taken) < 5 or time.perf_counter() < until:
        start = time.perf_counter()
        work()
        taken.append(time.perf_counter() - start)
    return statistics.median(taken) * 1e6


def rows() -> list[dict[str, object]]:
    """One row per message class and step: name, step, bytes, ours and betterproto2's in microseconds, their ratio."""
    quick, found = functools.cache(fast), []
    for name, build in MESSAGES.items():
        message = build(quick)
        cls, encoded = type(message), encode(message)
        assert encoded == bytes(build(lambda cls: cls))
        steps: dict[str, tuple[Callable[[], object], Callable[[], object]]] = {
            "construct": (functools.partial(build, quick), functools.partial(build, lambda cls: cls)),
            "encode": (functools.partial(encode, message), functools.partial(bytes, message)),
            "decode": (
                functools.partial(to_json, cls, encoded),
                lambda cls=cls, encoded=encoded: cls.parse(encoded).to_dict(),
            ),
        }
        for step, (ours, theirs) in steps.items():
            found.append(_row(name, step, len(encoded), median(ours), median(theirs)))
    return [*found, _splice_row()]


def _row(name: str, step: str, size: int, ours: float, theirs: float | None) -> dict[str, object]:
    return {
        "message": name,
        "step": step,
        "bytes": size,
        "ours_us": round(ours, 1),
        "betterproto2_us": None if theirs is None else round(theirs, 1),
        "times_faster": None if theirs is None else round(theirs / ours),
    }


def _splice_row() -> dict[str, object]:
    child = encode(one_route(lambda cls: cls)).ljust(400, b"\0")
    children = [child] * 5_000
    whole = splice(route.VirtualHost, "routes", children)
    return _row(
        "5,000 routes", "splice", len(whole), median(lambda: splice(route.VirtualHost, "routes", children)), None
    )


def table(found: list[dict[str, object]]) -> str:
    """The rows as text."""
    lines = [f"{'message':38}{'step':11}{'bytes':>9}{'ours µs':>12}{'betterproto2 µs':>17}{'faster':>9}"]
    for row in found:
        theirs = f"{row['betterproto2_us']:,}" if row["betterproto2_us"] is not None else "-"
        faster = f"{row['times_faster']}x" if row["times_faster"] is not None else "-"
        lines.append(
            f"{row['message']:38}{row['step']:11}{row['bytes']:>9,}{row['ours_us']:>12,}{theirs:>17}{faster:>9}"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    sys.stdout.write(table(rows()) + "\n")
