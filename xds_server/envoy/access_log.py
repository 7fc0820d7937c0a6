"""The access log: one JSON object per request on the proxy's standard output.

Part of the connection manager, so a change of it drains connections: the fields are fixed here and held by a test.
"""

from envoy_data_plane.envoy.config.accesslog import v3 as accesslog
from envoy_data_plane.envoy.config.core import v3 as core
from envoy_data_plane.envoy.extensions.access_loggers.stream import v3 as stream
from envoy_data_plane.google import protobuf

from xds_server.wire.construct import any_of, fast

AccessLog = fast(accesslog.AccessLog)
StdoutAccessLog = fast(stream.StdoutAccessLog)
SubstitutionFormatString = fast(core.SubstitutionFormatString)
Struct = fast(protobuf.Struct)
Value = fast(protobuf.Value)

FIELDS = {
    "start_time": "%START_TIME%",
    "method": "%REQ(:METHOD)%",
    "authority": "%REQ(:AUTHORITY)%",
    "path": "%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%",
    "protocol": "%PROTOCOL%",
    "response_code": "%RESPONSE_CODE%",
    "response_flags": "%RESPONSE_FLAGS%",
    "response_code_details": "%RESPONSE_CODE_DETAILS%",
    "route": "%ROUTE_NAME%",
    "backend": "%UPSTREAM_CLUSTER_RAW%",
    "upstream_host": "%UPSTREAM_HOST%",
    "upstream_failure": "%UPSTREAM_TRANSPORT_FAILURE_REASON%",
    "downstream_remote_address": "%DOWNSTREAM_REMOTE_ADDRESS%",
    "downstream_local_address": "%DOWNSTREAM_LOCAL_ADDRESS%",
    "requested_server_name": "%REQUESTED_SERVER_NAME%",
    "downstream_failure": "%DOWNSTREAM_TRANSPORT_FAILURE_REASON%",
    "request_id": "%REQ(X-REQUEST-ID)%",
    "user_agent": "%REQ(USER-AGENT)%",
    "x_forwarded_for": "%REQ(X-FORWARDED-FOR)%",
    "bytes_received": "%BYTES_RECEIVED%",
    "bytes_sent": "%BYTES_SENT%",
    "duration_ms": "%DURATION%",
    "upstream_duration_ms": "%RESPONSE_DURATION%",
}
"""Envoy's command operators by field: `route` is kind/namespace/name/rule/match, `backend` a cluster's name."""


def to_stdout(gateway: str, listener: str) -> accesslog.AccessLog:
    """The log of one connection manager; `gateway` is namespace/name, `listener` the route configuration's name."""
    fields = {"gateway": gateway, "listener": listener} | FIELDS
    values = {name: Value(string_value=text) for name, text in fields.items()}
    format_ = SubstitutionFormatString(json_format=Struct(fields=values))
    return AccessLog(name="envoy.access_loggers.stdout", typed_config=any_of(StdoutAccessLog(log_format=format_)))
