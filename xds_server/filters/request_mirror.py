"""RequestMirror: a copy of a share of the requests to another backend, whose answers are thrown away.

Source: Gateway API HTTPRequestMirrorFilter; Envoy's request_mirror_policies. The copy's Host is the request's own. A
mirror to a backend that cannot be used is left out, and ResolvedRefs says why.
"""

from dataclasses import dataclass
from typing import Any

from envoy_data_plane.envoy.config.route import v3 as route_v3

from xds_server.envoy import kit, names
from xds_server.model.httproute import HTTPRouteFilter
from xds_server.routing.backend import Backend, InvalidBackend
from xds_server.routing.feature import Feature, Place, Refused, Surroundings
from xds_server.wire.construct import fast

MirrorPolicy = fast(route_v3.RouteActionRequestMirrorPolicy)


@dataclass(frozen=True, slots=True)
class Mirror:
    """Where copies go, and of how many requests."""

    backend: Backend | InvalidBackend
    numerator: int
    denominator: int


def _parse(spec: HTTPRouteFilter, around: Surroundings[Any]) -> Mirror | Refused:
    mirror = spec.request_mirror
    if mirror is None:
        return Refused("UnsupportedValue", "requestMirror is missing")
    numerator, denominator = 100, 100
    if mirror.percent is not None:
        numerator = mirror.percent
    elif mirror.fraction is not None:
        numerator, denominator = mirror.fraction.numerator, mirror.fraction.denominator
    if denominator < 1 or not 0 <= numerator <= denominator:
        return Refused("UnsupportedValue", f"requestMirror: {numerator} of {denominator} is not a share")
    return Mirror(around.resolve(mirror.backend_ref), numerator, denominator)


def _edit_route(mirror: Mirror, route: route_v3.Route, _: Place) -> list[route_v3.Route]:
    assert route.route is not None
    if isinstance(mirror.backend, Backend):
        route.route.request_mirror_policies.append(
            MirrorPolicy(
                cluster=names.cluster(mirror.backend),
                runtime_fraction=kit.share(mirror.numerator, mirror.denominator),
                disable_shadow_host_suffix_append=True,
            )
        )
    return []


def _describe(mirror: Mirror) -> str:
    if not isinstance(mirror.backend, Backend):
        return f"no copies: {mirror.backend.message}"
    share = "" if mirror.numerator == mirror.denominator else f" of {mirror.numerator} in {mirror.denominator}"
    return f"a copy{share} to {mirror.backend.kind} {mirror.backend.service} port {mirror.backend.port}"


REQUEST_MIRROR: Feature[HTTPRouteFilter, Mirror, route_v3.Route] = Feature(
    name="request-mirror",
    type="RequestMirror",
    advertises=(
        "HTTPRouteRequestMirror",
        "HTTPRouteRequestMultipleMirrors",
        "HTTPRouteRequestPercentageMirror",
    ),
    kinds=("HTTPRoute", "GRPCRoute"),
    parse=_parse,
    edit_route=_edit_route,
    describe=_describe,
    forwards=True,
    backends=lambda mirror: (mirror.backend,),
)
