"""The port of a proxy's pod for kubelet and Prometheus: three paths, and nothing else of Envoy's admin endpoint.

`/ready` and `/stats/prometheus` are the admin endpoint's own. `/drain` answers when the pod may end, so that it can be
a preStop hook: not before kube-proxies have heard that the pod goes, then as soon as no connection is left, or at the
latest when its time is over. Where no control plane is connected, which would have clients told to connect anew (see
`draining`), it does that itself; only there, since everybody in the cluster can ask for it and nothing undoes it. It
needs neither a shell nor another container: a script asks the admin endpoint how many connections there are, and sleeps
by calling a listener that answers slowly, on a socket without a port.

Envoy opens its static listeners once it has its configuration: before that nothing answers, and the pod is not ready.
Measured in docs/decisions/0021-the-status-port.md.
"""

from datetime import timedelta
from typing import Final

from envoy_data_plane.envoy.config.cluster.v3 import Cluster, ClusterDiscoveryType
from envoy_data_plane.envoy.config.core.v3 import Address, DataSource, Pipe, SocketAddress
from envoy_data_plane.envoy.config.endpoint.v3 import (
    ClusterLoadAssignment,
    Endpoint,
    LbEndpoint,
    LocalityLbEndpoints,
)
from envoy_data_plane.envoy.config.listener.v3 import AdditionalAddress, Filter, FilterChain, Listener
from envoy_data_plane.envoy.config.route.v3 import (
    DirectResponseAction,
    HeaderMatcher,
    Route,
    RouteAction,
    RouteConfiguration,
    RouteMatch,
    VirtualHost,
)
from envoy_data_plane.envoy.extensions.filters.common.fault.v3 import FaultDelay
from envoy_data_plane.envoy.extensions.filters.http.fault.v3 import HttpFault
from envoy_data_plane.envoy.extensions.filters.http.lua.v3 import Lua
from envoy_data_plane.envoy.extensions.filters.http.router.v3 import Router
from envoy_data_plane.envoy.extensions.filters.network.http_connection_manager.v3 import (
    HttpConnectionManager,
    HttpFilter,
)
from envoy_data_plane.envoy.type.matcher.v3 import StringMatcher
from envoy_data_plane.envoy.type.v3 import FractionalPercent, FractionalPercentDenominatorType

from xds_server.envoy import kit
from xds_server.wire.construct import any_of

LEAST_SECONDS: Final = 2
"""What `/drain` waits in any case: kube-proxies send new connections for about that long."""
_ADMIN: Final = "admin"
_LOOPBACK: Final = "127.0.0.1"
_NAP: Final = "nap"
_NAP_SOCKET: Final = "@xds-server/nap-{}"
"""An abstract socket, one per status port: it is no file, and other pods do not see it."""
_NAP_SECONDS: Final = 0.2

_DRAIN: Final = """
function envoy_on_request(handle)
  local headers = handle:headers()
  if headers:get(":path") ~= "/drain" or headers:get(":method") ~= "GET" then return end
  local nap = {[":method"] = "GET", [":path"] = "/", [":authority"] = "nap"}
  local ask = {[":method"] = "GET", [":path"] = "/stats?filter=STATS", [":authority"] = "admin"}
  local go = {[":method"] = "POST", [":path"] = "/drain_listeners?graceful&skip_exit", [":authority"] = "admin"}
  local own = {admin = true, status = true, nap = true}
  local naps, open = 0, 0
  repeat
    handle:httpCall("nap", nap, "", 5000)
    naps = naps + 1
    local _, stats = handle:httpCall("admin", ask, "", 5000)
    open = 0
    if naps == 1 and not (stats or ""):find("control_plane.connected_state: 1", 1, true) then
      handle:httpCall("admin", go, "", 5000)
    end
    for listener, count in (stats or ""):gmatch("listener%.(%S-)%.downstream_cx_active: (%d+)") do
      if not own[listener] and not listener:find(".", 1, true) then open = open + tonumber(count) end
    end
  until naps >= MOST or (naps >= LEAST and open == 0)
  handle:respond({[":status"] = "200"}, open .. " connections open\\n")
end
"""


def status_listeners(port: int, drain_seconds: int, address: str = "::") -> list[Listener]:
    """The listener on `port`, and the one by which its script sleeps.

    `address` stands for itself and loopback, `::` for all of both families, which a kernel without IPv6 does not grant.
    """
    script = _DRAIN.replace("STATS", "downstream_cx_active%7Ccontrol_plane.connected_state")
    script = script.replace("MOST", str(round(drain_seconds / _NAP_SECONDS)))
    script = script.replace("LEAST", str(round(LEAST_SECONDS / _NAP_SECONDS)))
    routes = [
        _route("/ready", RouteAction(cluster=_ADMIN, timeout=timedelta(seconds=5))),
        _route("/stats/prometheus", RouteAction(cluster=_ADMIN, timeout=timedelta(seconds=30))),
        _route("/drain", DirectResponseAction(status=200)),
    ]
    lua = HttpFilter(
        name="envoy.filters.http.lua",
        typed_config=any_of(Lua(default_source_code=DataSource(inline_string=script))),
    )
    delay = FaultDelay(
        fixed_delay=timedelta(seconds=_NAP_SECONDS),
        percentage=FractionalPercent(numerator=100, denominator=FractionalPercentDenominatorType.HUNDRED),
    )
    fault = HttpFilter(name="envoy.filters.http.fault", typed_config=any_of(HttpFault(delay=delay)))
    answer = Route(match=RouteMatch(prefix="/"), direct_response=DirectResponseAction(status=200))
    hosts = [address] if address in ("::", _LOOPBACK) else [address, _LOOPBACK]
    return [
        _listener("status", [kit.tcp(one, port) for one in hosts], [lua], routes),
        _listener(_NAP, [_nap(port)], [fault], [answer]),
    ]


def status_clusters(admin_address: str, admin_port: int, port: int) -> list[Cluster]:
    """What these listeners call."""
    admin = Address(socket_address=SocketAddress(address=admin_address, port_value=admin_port))
    return [_cluster(_ADMIN, admin), _cluster(_NAP, _nap(port))]


def _nap(port: int) -> Address:
    return Address(pipe=Pipe(path=_NAP_SOCKET.format(port)))


def _route(path: str, action: RouteAction | DirectResponseAction) -> Route:
    get = HeaderMatcher(name=":method", string_match=StringMatcher(exact="GET"))
    match = RouteMatch(path=path, headers=[get])
    if isinstance(action, RouteAction):
        return Route(match=match, route=action)
    return Route(match=match, direct_response=action)


def _listener(name: str, addresses: list[Address], filters: list[HttpFilter], routes: list[Route]) -> Listener:
    """Its connections are none of those that the Gateway's limit counts."""
    router = HttpFilter(name="envoy.filters.http.router", typed_config=any_of(Router()))
    manager = HttpConnectionManager(
        stat_prefix=name,
        route_config=RouteConfiguration(
            name=name, virtual_hosts=[VirtualHost(name=name, domains=["*"], routes=routes)]
        ),
        http_filters=[*filters, router],
    )
    chain = FilterChain(
        filters=[Filter(name="envoy.filters.network.http_connection_manager", typed_config=any_of(manager))]
    )
    return Listener(
        name=name,
        stat_prefix=name,
        address=addresses[0],
        additional_addresses=[AdditionalAddress(address=one) for one in addresses[1:]],
        filter_chains=[chain],
        ignore_global_conn_limit=True,
    )


def _cluster(name: str, address: Address) -> Cluster:
    endpoint = LbEndpoint(endpoint=Endpoint(address=address))
    return Cluster(
        name=name,
        type=ClusterDiscoveryType.STATIC,
        connect_timeout=timedelta(seconds=1),
        load_assignment=ClusterLoadAssignment(
            cluster_name=name, endpoints=[LocalityLbEndpoints(lb_endpoints=[endpoint])]
        ),
    )
