"""ExternalAuth: another service is asked whether a request may pass: one of a rule, of a backend, of a whole listener.

Source: Gateway API HTTPExternalAuthFilter (GEP-1494) and ListenerFilter (GEP-5224); Envoy's ext_authz. It fails
closed: a service that is missing, unreachable or slow means 403, and a body beyond `maxSize` 413. Header modifiers of
the same rule apply after it, since Envoy applies them when it forwards; redirects and faults wait for its consent.

The check of a rule or backend is a composite filter, which looks for its settings when a request reaches it
(docs/decisions/0007).
"""

from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any

from envoy_data_plane.envoy.config.common.mutation_rules import v3 as mutation_rules
from envoy_data_plane.envoy.config.core import v3 as core
from envoy_data_plane.envoy.config.route import v3 as route_v3
from envoy_data_plane.envoy.extensions.filters.http.composite import v3 as composite
from envoy_data_plane.envoy.extensions.filters.http.ext_authz import v3 as ext_authz
from envoy_data_plane.envoy.extensions.filters.network.http_connection_manager import v3 as manager
from envoy_data_plane.envoy.type.matcher import v3 as matcher
from envoy_data_plane.xds.core import v3 as xds_core
from envoy_data_plane.xds.type.matcher import v3 as xds_matcher

from xds_server.envoy import kit, names
from xds_server.model.gateway import ListenerRequestFilter
from xds_server.model.httproute import HTTPAuthConfig, HTTPExternalAuthFilter, HTTPRouteFilter
from xds_server.model.rules import syntax
from xds_server.routing.backend import Backend, InvalidBackend
from xds_server.routing.feature import Feature, Place, Refused, Surroundings
from xds_server.routing.headers import FRAMING
from xds_server.routing.request import Request, Response
from xds_server.wire.construct import any_of, fast

ExtAuthz = fast(ext_authz.ExtAuthz)
HttpService = fast(ext_authz.HttpService)
AuthorizationResponse = fast(ext_authz.AuthorizationResponse)
BufferSettings = fast(ext_authz.BufferSettings)
Composite = fast(composite.Composite)
CompositePerRoute = fast(composite.CompositePerRoute)
ExecuteFilterAction = fast(composite.ExecuteFilterAction)
Matcher = fast(xds_matcher.Matcher)
OnMatch = fast(xds_matcher.MatcherOnMatch)
Action = fast(xds_core.TypedExtensionConfig)
Extension = fast(core.TypedExtensionConfig)
GrpcService = fast(core.GrpcService)
EnvoyGrpc = fast(core.GrpcServiceEnvoyGrpc)
HttpUri = fast(core.HttpUri)
HttpFilter = fast(manager.HttpFilter)
ListStringMatcher = fast(matcher.ListStringMatcher)
HeaderMutationRules = fast(mutation_rules.HeaderMutationRules)

ON_RULES = "external-auth"
ON_BACKENDS = "external-auth-backend"
TIMEOUT = timedelta(seconds=10)
"""How long the service may take; the API has no field for it."""
_DENIED = 403
MOST_BODY = 2**31 - 1
NEVER_TAKEN = (":authority", "host", "te", "trailer", *FRAMING)
"""Headers of the service's answer that never go into the request: whose host it is, and how a message is framed."""
OF_THE_ANSWER = ("content-encoding", "content-type")
"""They tell what the answer's own body is: not copied unless asked for by name."""


@dataclass(frozen=True, slots=True)
class ExternalAuth:
    """Who is asked, and with what. `headers` are sent (none named: all for gRPC, the usual ones for HTTP); `taken` go
    from the service's answer into the request (none named: all). `body` is the most bytes of it that are sent.
    """

    backend: Backend | InvalidBackend
    grpc: bool
    headers: tuple[str, ...] = ()
    path: str = ""
    taken: tuple[str, ...] = ()
    body: int = 0
    on_backend: bool = False


def _parse(spec: HTTPRouteFilter | ListenerRequestFilter, around: Surroundings[Any]) -> ExternalAuth | Refused:
    auth = spec.external_auth
    if auth is None:
        return Refused("UnsupportedValue", "externalAuth is missing")
    if auth.protocol not in ("GRPC", "HTTP"):
        return Refused("UnsupportedValue", f"externalAuth.protocol: {auth.protocol} is not supported")
    if problem := _problem(auth):
        return Refused("UnsupportedValue", f"externalAuth.{problem}")
    backend = around.resolve(auth.backend_ref)
    body = auth.forward_body.max_size if auth.forward_body else 0
    if not 0 <= body <= MOST_BODY:
        return Refused("UnsupportedValue", f"externalAuth.forwardBody.maxSize: {body} is not from 0 to {MOST_BODY}")
    if auth.protocol == "GRPC":
        if isinstance(backend, Backend):
            backend = backend._replace(protocol="grpc")
        headers = _lower(auth.grpc.allowed_headers) if auth.grpc else ()
        return ExternalAuth(backend, grpc=True, headers=headers, body=body, on_backend=around.on_backend)
    http = auth.http or HTTPAuthConfig()
    return ExternalAuth(
        backend,
        grpc=False,
        headers=_lower(http.allowed_headers),
        path=_prefix(http.path),
        taken=_lower(http.allowed_response_headers),
        body=body,
        on_backend=around.on_backend,
    )


def _problem(auth: HTTPExternalAuthFilter) -> str:
    """What is wrong with the values of the protocol's own settings."""
    config = auth.grpc if auth.protocol == "GRPC" else auth.http
    for name in config.allowed_headers if config else ():
        if problem := syntax.header_name(name):
            return f"{auth.protocol.lower()}.allowedHeaders: {problem}"
    if not isinstance(config, HTTPAuthConfig):
        return ""
    for name in config.allowed_response_headers:
        if problem := syntax.header_name(name):
            return f"http.allowedResponseHeaders: {problem}"
        if name.lower() in NEVER_TAKEN:
            return f"http.allowedResponseHeaders: {name} may not be taken from the answer"
    prefix = _prefix(config.path)
    return f"http.path: {problem}" if prefix and (problem := syntax.path(prefix)) else ""


def _prefix(path: str) -> str:
    """What is put before the request's path, which has a slash of its own."""
    inner = path.strip("/")
    return f"/{inner}" if inner else ""


def _lower(headers: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name.lower() for name in headers))


def check(auth: ExternalAuth, *, routes: bool = False) -> ext_authz.ExtAuthz:
    """Envoy's filter. Where the service cannot be used it names a cluster that never exists, so that all is denied.

    With `routes`, what the service changes decides the route, but for Host, by which the listener was found.
    """
    message = ExtAuthz(transport_api_version=core.ApiVersion.V3, clear_route_cache=routes, validate_mutations=True)
    cluster, authority = names.MISSING_CLUSTER, names.MISSING_CLUSTER
    if isinstance(auth.backend, Backend):
        cluster = names.cluster(auth.backend)
        authority = f"{auth.backend.service.name}.{auth.backend.service.namespace}.svc"
    if auth.grpc:
        grpc = EnvoyGrpc(cluster_name=cluster, authority=authority)
        message.grpc_service = GrpcService(envoy_grpc=grpc, timeout=TIMEOUT)
    else:
        taken = _exactly(auth.taken) if auth.taken else [kit.string_matcher("[^:].*", regex=True)]
        answer = AuthorizationResponse(allowed_upstream_headers=ListStringMatcher(patterns=taken))
        uri = HttpUri(uri=f"http://{authority}", cluster=cluster, timeout=TIMEOUT)
        message.http_service = HttpService(server_uri=uri, path_prefix=auth.path, authorization_response=answer)
    if routes or not auth.grpc:
        message.decoder_header_mutation_rules = _rules(auth)
    if auth.headers:
        message.allowed_headers = ListStringMatcher(patterns=_exactly(auth.headers))
    if auth.body > 0:
        message.with_request_body = BufferSettings(max_request_bytes=auth.body)
    return message


def _rules(auth: ExternalAuth) -> mutation_rules.HeaderMutationRules:
    """Which changes of the request are left out, and all others go on."""
    never = NEVER_TAKEN if auth.grpc or auth.taken else NEVER_TAKEN + OF_THE_ANSWER
    return HeaderMutationRules(allow_all_routing=True, disallow_expression=kit.RegexMatcher(regex="|".join(never)))


def _exactly(headers: tuple[str, ...]) -> list[matcher.StringMatcher]:
    return [kit.StringMatcher(exact=name, ignore_case=True) for name in headers]


def _edit(auth: ExternalAuth, target: route_v3.Route | route_v3.WeightedClusterClusterWeight) -> None:
    inner = Extension(name=ON_RULES, typed_config=any_of(check(auth)))
    action = Action(name=ON_RULES, typed_config=any_of(ExecuteFilterAction(typed_config=inner)))
    settings = CompositePerRoute(matcher=Matcher(on_no_match=OnMatch(action=action)))
    target.typed_per_filter_config[ON_BACKENDS if auth.on_backend else ON_RULES] = any_of(settings)


def _edit_route(auth: ExternalAuth, route: route_v3.Route, _: Place) -> list[route_v3.Route]:
    _edit(auth, route)
    return []


def _describe(auth: ExternalAuth) -> str:
    if not isinstance(auth.backend, Backend):
        return auth.backend.message
    backend = f"{auth.backend.kind} {auth.backend.service} port {auth.backend.port}"
    return f"{backend} is asked over {'gRPC' if auth.grpc else 'HTTP'} whether the request may pass"


def _response(auth: ExternalAuth, _: Place, __: Request) -> Response | None:
    return None if isinstance(auth.backend, Backend) else Response(_DENIED)


EXTERNAL_AUTH: Feature[HTTPRouteFilter, ExternalAuth, route_v3.Route] = Feature(
    name="external-auth",
    type="ExternalAuth",
    advertises=(
        "GatewayListenerFilters",
        "HTTPRouteExternalAuth",
        "HTTPRouteExternalAuthForwardBody",
        "HTTPRouteExternalAuthGRPC",
        "HTTPRouteExternalAuthHTTP",
    ),
    parse=_parse,
    edit_route=_edit_route,
    edit_backend=_edit,
    describe=_describe,
    response=_response,
    backends=lambda auth: (auth.backend,),
    before_routing=partial(check, routes=True),
    chain=tuple(HttpFilter(name=name, typed_config=any_of(Composite())) for name in (ON_RULES, ON_BACKENDS)),
    guards=True,
    once=True,
)
