"""Filters that a listener has of its own, before a route is chosen: settings of its virtual hosts.

HTTP listeners of a port share a connection manager, so what belongs to one of them stands in the virtual hosts that are
its own. The filter that looks for it is first in every chain. Envoy looks once, when a request begins, at the route
that it finds first, and none of a virtual host without a matching route: so such virtual hosts end with a route for
everything. A filter that then changes the route cannot change the virtual host, since Host stays.
"""

from collections.abc import Sequence
from typing import Any

import betterproto2
from envoy_data_plane.envoy.config.core import v3 as core
from envoy_data_plane.envoy.extensions.filters.http.filter_chain import v3 as filter_chain
from envoy_data_plane.envoy.extensions.filters.network.http_connection_manager import v3 as manager

from xds_server.wire.construct import any_of, fast

FilterChainConfig = fast(filter_chain.FilterChainConfig)
FilterChainConfigPerRoute = fast(filter_chain.FilterChainConfigPerRoute)
FilterChain = fast(filter_chain.FilterChain)
Extension = fast(core.TypedExtensionConfig)
HttpFilter = fast(manager.HttpFilter)

NAME = "listener-filters"
IDLE = HttpFilter(name=NAME, typed_config=any_of(FilterChainConfig()))


def settings(filters: Sequence[betterproto2.Message]) -> dict[str, Any]:
    """For typed_per_filter_config: these filters in this order; at least one, Envoy rejects none."""
    extensions = [Extension(name=f"requests[{i}]", typed_config=any_of(one)) for i, one in enumerate(filters)]
    return {NAME: any_of(FilterChainConfigPerRoute(filter_chain=FilterChain(filters=extensions)))}
