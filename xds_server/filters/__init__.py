"""FILTERS: the one list of filters. One file each; a new filter is a file and a line here.

The order is that in which filters are written into a route and, for those with a filter of their own in Envoy's
chain, the order of that chain.
"""

from typing import Any

from xds_server.filters.cors import CORS
from xds_server.filters.external_auth import EXTERNAL_AUTH
from xds_server.filters.header_modifier import REQUEST_HEADER_MODIFIER, RESPONSE_HEADER_MODIFIER
from xds_server.filters.redirect import REQUEST_REDIRECT
from xds_server.filters.request_mirror import REQUEST_MIRROR
from xds_server.filters.url_rewrite import URL_REWRITE
from xds_server.routing.feature import Feature

FILTERS: tuple[Feature[Any, Any, Any], ...] = (
    CORS,
    EXTERNAL_AUTH,
    REQUEST_HEADER_MODIFIER,
    RESPONSE_HEADER_MODIFIER,
    REQUEST_REDIRECT,
    URL_REWRITE,
    REQUEST_MIRROR,
)
BY_TYPE = {feature.type: feature for feature in FILTERS}
