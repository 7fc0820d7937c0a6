"""What the ADS server can be told: one frozen value, and the gRPC channel arguments that it means."""

from dataclasses import dataclass, field

import grpc

from xds_server.settings import ServerSettings
from xds_server.xds.limits import Limits


@dataclass(frozen=True, slots=True, kw_only=True)
class ServeOptions:
    """Address is host:port (port 0 for a free one); times are seconds, sizes bytes."""

    address: str = "127.0.0.1:18000"
    credentials: grpc.ServerCredentials | None = None
    """None serves plaintext."""
    max_request_bytes: int = 64 * 1024 * 1024
    first_request_seconds: float = 15.0
    """How long a client may be connected without saying who it is."""
    write_seconds: float = 60.0
    """How long a client may read nothing before it is given up."""
    connection_seconds: float = 30 * 60.0
    """The age at which a connection is ended, so that clients spread over replicas and prove anew who they are."""
    stop_seconds: float = 1.0
    """How long ending streams may take when the server stops."""
    limits: Limits = field(default_factory=Limits)

    @classmethod
    def of(cls, settings: ServerSettings) -> "ServeOptions":
        """What the process was told."""
        return cls(
            address=settings.ads_address,
            max_request_bytes=settings.max_request_bytes,
            first_request_seconds=settings.first_request_seconds,
            write_seconds=settings.write_timeout_seconds,
            limits=Limits(names=settings.max_names_per_request, removal_seconds=settings.removal_grace_seconds),
        )


def channel_arguments(options: ServeOptions) -> list[tuple[str, int]]:
    """gRPC's own options. Compression stays off: Envoy closes a stream whose messages are compressed."""
    return [
        # One process listens; with port sharing a second server would silently take half of the clients.
        ("grpc.so_reuseport", 0),
        ("grpc.max_receive_message_length", options.max_request_bytes),
        # Envoy pings an idle stream; by default gRPC answers with GOAWAY after a few. This very name has the effect.
        ("grpc.http2.min_ping_interval_without_data_ms", 5_000),
        # Our own pings find clients that vanished without closing.
        ("grpc.keepalive_time_ms", 30_000),
        ("grpc.keepalive_timeout_ms", 10_000),
        ("grpc.max_connection_age_ms", int(options.connection_seconds * 1000)),
        ("grpc.max_connection_age_grace_ms", 10_000),
    ]
