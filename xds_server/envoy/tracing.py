"""Tracing of a connection manager, by OpenTelemetry over gRPC. Part of a filter chain: a change drains connections.

What Envoy decides before a sampler is asked (`random_sampling`) holds for requests that come sampled as well, so the
share of those is decided there, and what begins a trace gets its own share of it. A collector that is not there costs
spans, nothing else: Envoy takes the configuration all the same.
"""

from datetime import timedelta

from betterproto2 import Message
from envoy_data_plane.envoy.config.core import v3 as core
from envoy_data_plane.envoy.config.trace import v3 as trace
from envoy_data_plane.envoy.extensions.filters.network.http_connection_manager import v3 as api
from envoy_data_plane.envoy.extensions.tracers.opentelemetry.samplers import v3 as samplers
from envoy_data_plane.envoy.type import v3 as type_v3
from envoy_data_plane.envoy.type.tracing import v3 as tags

from xds_server.envoy import kit, names
from xds_server.routing.tracing import ALL, Tag, Tracing
from xds_server.wire.construct import any_of, fast

HttpTracing = fast(api.HttpConnectionManagerTracing)
Percent = fast(type_v3.Percent)
TracingHttp = fast(trace.TracingHttp)
OpenTelemetryConfig = fast(trace.OpenTelemetryConfig)
GrpcService = fast(core.GrpcService)
EnvoyGrpc = fast(core.GrpcServiceEnvoyGrpc)
TypedExtensionConfig = fast(core.TypedExtensionConfig)
ParentBasedSamplerConfig = fast(samplers.ParentBasedSamplerConfig)
TraceIdRatioBasedSamplerConfig = fast(samplers.TraceIdRatioBasedSamplerConfig)
CustomTag = fast(tags.CustomTag)
CustomTagHeader = fast(tags.CustomTagHeader)
CustomTagLiteral = fast(tags.CustomTagLiteral)

EXPORT_TIMEOUT = timedelta(seconds=1)
_SAMPLERS = "envoy.tracers.opentelemetry.samplers"
ATTRIBUTES = {
    "client.address": "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%",
    "client.port": "%DOWNSTREAM_REMOTE_PORT%",
    "http.request.method": "%REQ(:METHOD)%",
    "http.response.status_code": "%RESPONSE_CODE%",
    "network.local.address": "%DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT%",
    "network.local.port": "%DOWNSTREAM_LOCAL_PORT%",
    "network.peer.address": "%DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT%",
    "network.peer.port": "%DOWNSTREAM_DIRECT_REMOTE_PORT%",
    "server.port": "%DOWNSTREAM_LOCAL_PORT%",
    "url.full": "%REQ(:SCHEME)%://%REQ(:AUTHORITY)%%PATH(WQ)%",
    "url.path": "%PATH(NQ)%",
    "url.query": "%QUERY_PARAMS%",
    "url.scheme": "%REQ(:SCHEME)%",
    "user_agent.original": "%REQ(USER-AGENT)%",
}
"""By OpenTelemetry's key: the command that Envoy's formatter fills in. One without a value leaves the tag out."""
_HEADERS = {"http.request.header.": "REQ", "http.response.header.": "RESP"}


def build(tracing: Tracing) -> api.HttpConnectionManagerTracing:
    """The setting of a connection manager."""
    return HttpTracing(
        client_sampling=Percent(value=0.0),
        random_sampling=Percent(value=_gate(tracing) * 100 / ALL),
        custom_tags=[_tag(one) for one in tracing.tags],
        provider=TracingHttp(name="envoy.tracers.opentelemetry", typed_config=any_of(_exporter(tracing))),
        operation=kit.literal(tracing.span_name),
    )


def _gate(tracing: Tracing) -> int:
    return ALL if tracing.of_sampled is None else tracing.of_sampled


def _exporter(tracing: Tracing) -> trace.OpenTelemetryConfig:
    gate = _gate(tracing)
    share = kit.share(min(tracing.sampled, gate), gate).default_value if gate else kit.share(0, 1).default_value
    ratio = _sampler("trace_id_ratio_based", TraceIdRatioBasedSamplerConfig(sampling_percentage=share))
    followed = _sampler("parent_based", ParentBasedSamplerConfig(wrapped_sampler=ratio))
    return OpenTelemetryConfig(
        grpc_service=GrpcService(
            envoy_grpc=EnvoyGrpc(cluster_name=names.cluster(tracing.collector)),
            timeout=EXPORT_TIMEOUT,
            initial_metadata=[kit.HeaderValue(key=name, value=value) for name, value in tracing.headers],
        ),
        service_name=tracing.service_name,
        sampler=ratio if tracing.of_sampled is None else followed,
    )


def _sampler(name: str, config: Message) -> core.TypedExtensionConfig:
    return TypedExtensionConfig(name=f"{_SAMPLERS}.{name}", typed_config=any_of(config))


def _tag(tag: Tag) -> tags.CustomTag:
    match tag.source:
        case "header":
            return CustomTag(tag=tag.name, request_header=CustomTagHeader(name=tag.value))
        case "literal":
            return CustomTag(tag=tag.name, literal=CustomTagLiteral(value=tag.value))
        case "attribute":
            return CustomTag(tag=tag.name, value=_command(tag.value))


def _command(key: str) -> str:
    for prefix, command in _HEADERS.items():
        if key.startswith(prefix):
            return f"%{command}({key.removeprefix(prefix)})%"
    return ATTRIBUTES[key]
