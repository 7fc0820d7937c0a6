"""The access log: one JSON object per request on the proxy's standard output, and per connection or session of
datagrams where those are handed on.

Part of filter chains, so a change of it drains connections: the fields are fixed here and held by a test.
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


_OF_SESSIONS = (
    "start_time",
    "response_flags",
    "upstream_host",
    "downstream_remote_address",
    "downstream_local_address",
    "bytes_received",
    "bytes_sent",
    "duration_ms",
)
_OF_CONNECTIONS = (*_OF_SESSIONS, "backend", "upstream_failure", "requested_server_name", "downstream_failure")
CONNECTION_FIELDS = {name: text for name, text in FIELDS.items() if name in _OF_CONNECTIONS}
"""Those that have a meaning for a connection as a whole; a line is written when it ends."""
SESSION_FIELDS = {name: text for name, text in FIELDS.items() if name in _OF_SESSIONS}
"""Those that have a meaning for datagrams between a client and a backend; a line is written when they cease."""


def to_stdout(gateway: str, listener: str) -> accesslog.AccessLog:
    """The log of one connection manager; `gateway` is namespace/name, `listener` the route configuration's name."""
    return _log({"gateway": gateway, "listener": listener} | FIELDS)


def of_connections(gateway: str, listener: str, route: str) -> accesslog.AccessLog:
    """The log of connections that are handed on: `listener` is what takes them, `route` the rule, if there is one."""
    ours = {"gateway": gateway, "listener": listener} | ({"route": route} if route else {})
    return _log(ours | CONNECTION_FIELDS)


def of_sessions(gateway: str, listener: str) -> accesslog.AccessLog:
    """The log of datagrams. The rule is not told: the log must not change with it."""
    return _log({"gateway": gateway, "listener": listener} | SESSION_FIELDS)


def _log(fields: dict[str, str]) -> accesslog.AccessLog:
    values = {name: Value(string_value=text) for name, text in fields.items()}
    format_ = SubstitutionFormatString(json_format=Struct(fields=values))
    return AccessLog(name="envoy.access_loggers.stdout", typed_config=any_of(StdoutAccessLog(log_format=format_)))
