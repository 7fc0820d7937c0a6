from xds_server.settings import Settings
from xds_server.shell.serve.options import ServeOptions, channel_arguments


def test_settings_reach_the_server() -> None:
    settings = Settings(
        ads_address="127.0.0.1:1",
        max_request_bytes=2,
        max_names_per_request=3,
        removal_grace_seconds=4.0,
        first_request_seconds=5.0,
        write_timeout_seconds=6.0,
    )
    options = ServeOptions.of(settings)
    assert (options.address, options.max_request_bytes) == ("127.0.0.1:1", 2)
    assert (options.limits.names, options.limits.removal_seconds) == (3, 4.0)
    assert (options.first_request_seconds, options.write_seconds) == (5.0, 6.0)


def test_envoys_pings_are_allowed_and_messages_are_not_compressed() -> None:
    """R12. The names are what counts: gRPC ignores one that it does not know."""
    arguments = dict(channel_arguments(ServeOptions(connection_seconds=60, max_request_bytes=7)))
    assert arguments["grpc.http2.min_ping_interval_without_data_ms"] <= 30_000
    assert arguments["grpc.max_receive_message_length"] == 7
    assert arguments["grpc.max_connection_age_ms"] == 60_000
    assert arguments["grpc.max_connection_age_grace_ms"] > 0
    assert not [name for name in arguments if "compression" in name]
