"""What is read of the filter, and what Envoy is told: the values that scenarios do not show."""

import re

import pytest

from xds_server.filters.external_auth import EXTERNAL_AUTH, NEVER_TAKEN, OF_THE_ANSWER, ExternalAuth, check
from xds_server.model.httproute import (
    BackendObjectReference,
    ForwardBodyConfig,
    GRPCAuthConfig,
    HTTPAuthConfig,
    HTTPExternalAuthFilter,
    HTTPRouteFilter,
)
from xds_server.model.meta import Key
from xds_server.routing.backend import Backend, InvalidBackend, Protocol
from xds_server.routing.feature import Refused, Surroundings

SERVICE = Backend(Key("default", "auth"), 9000)
MISSING = InvalidBackend("BackendNotFound", "Service default/auth does not exist")


def parsed(
    protocol: str, *, backend: Backend | InvalidBackend = SERVICE, on_backend: bool = False, **settings: object
) -> ExternalAuth | Refused:
    auth = HTTPExternalAuthFilter(
        protocol=protocol,
        backend_ref=BackendObjectReference(name="auth", port=9000),
        **settings,  # type: ignore[arg-type]
    )
    around = Surroundings(lambda _: backend, on_backend=on_backend)
    return EXTERNAL_AUTH.parse(HTTPRouteFilter(type="ExternalAuth", external_auth=auth), around)


def test_settings_that_are_left_out() -> None:
    """As if each of them said what it says by default."""
    assert parsed("HTTP") == parsed("HTTP", http=HTTPAuthConfig()) == ExternalAuth(SERVICE, grpc=False)
    expected = ExternalAuth(SERVICE._replace(protocol="grpc"), grpc=True)
    assert parsed("GRPC") == parsed("GRPC", grpc=GRPCAuthConfig()) == expected
    assert parsed("GRPC", forward_body=ForwardBodyConfig()) == expected


def test_the_other_protocols_settings_do_not_count() -> None:
    assert parsed("GRPC", http=HTTPAuthConfig(path="/x", allowed_headers=("a b",))) == parsed("GRPC")
    assert parsed("HTTP", grpc=GRPCAuthConfig(allowed_headers=("a b",))) == parsed("HTTP")


@pytest.mark.parametrize("written", ["", "auto", "http1", "http2"])
def test_what_is_spoken(written: Protocol) -> None:
    """gRPC always over HTTP/2; HTTP as the Service's appProtocol says."""
    service = SERVICE._replace(protocol=written)
    for protocol, spoken in (("GRPC", "grpc"), ("HTTP", written)):
        found = parsed(protocol, backend=service)
        assert isinstance(found, ExternalAuth)
        assert isinstance(found.backend, Backend)
        assert found.backend.protocol == spoken


@pytest.mark.parametrize(
    ("path", "prefix"),
    [("", ""), ("/", ""), ("//", ""), ("/check", "/check"), ("check", "/check"), ("/a/b//", "/a/b"), ("%20", "/%20")],
)
def test_a_prefix_begins_with_a_slash_and_does_not_end_with_one(path: str, prefix: str) -> None:
    found = parsed("HTTP", http=HTTPAuthConfig(path=path))
    assert isinstance(found, ExternalAuth)
    assert found.path == prefix


@pytest.mark.parametrize("path", ["/a/../b", "/a//b", "/a/..", "/a?b=c", "/a#b", "/a b", "/%2f", "/a\nb"])
def test_no_prefix(path: str) -> None:
    found = parsed("HTTP", http=HTTPAuthConfig(path=path))
    assert isinstance(found, Refused)
    assert found.message.startswith("externalAuth.http.path: ")


@pytest.mark.parametrize("name", ["", "a b", "a:b", ":path", "ä", "a\r\nb"])
def test_no_header_names(name: str) -> None:
    for found in (
        parsed("GRPC", grpc=GRPCAuthConfig(allowed_headers=("x-good", name))),
        parsed("HTTP", http=HTTPAuthConfig(allowed_headers=(name,))),
        parsed("HTTP", http=HTTPAuthConfig(allowed_response_headers=(name,))),
    ):
        assert isinstance(found, Refused)
        assert found.reason == "UnsupportedValue"


@pytest.mark.parametrize("name", ["Host", "HOST", "Content-Length", "transfer-encoding", "connection"])
def test_what_is_never_taken_cannot_be_asked_for(name: str) -> None:
    assert isinstance(parsed("HTTP", http=HTTPAuthConfig(allowed_response_headers=(name,))), Refused)
    assert isinstance(parsed("HTTP", http=HTTPAuthConfig(allowed_headers=(name,))), ExternalAuth)


def test_the_expression_of_what_is_never_taken() -> None:
    """Envoy matches it in whole, and header names are lower case there."""
    for taken, never in (((), NEVER_TAKEN + OF_THE_ANSWER), (("x",), NEVER_TAKEN)):
        message = check(ExternalAuth(SERVICE, grpc=False, taken=taken))
        assert message.decoder_header_mutation_rules
        assert message.decoder_header_mutation_rules.disallow_expression
        expression = re.compile(message.decoder_header_mutation_rules.disallow_expression.regex)
        assert all(expression.fullmatch(name) for name in never)
        assert not any(expression.fullmatch(name) for name in ("x-host", "hosts", "ate", "te-x", "authorization"))


@pytest.mark.parametrize("grpc", [True, False])
def test_there_is_always_someone_to_ask(grpc: bool) -> None:
    """Without a service Envoy would crash at the first request: a cluster that never exists denies it."""
    message = check(ExternalAuth(MISSING, grpc=grpc))
    if grpc:
        assert message.grpc_service
        assert message.grpc_service.envoy_grpc
        assert message.grpc_service.envoy_grpc.cluster_name == "none"
    else:
        assert message.http_service
        assert message.http_service.server_uri
        assert message.http_service.server_uri.cluster == "none"
    assert not message.failure_mode_allow
    assert EXTERNAL_AUTH.backends(ExternalAuth(MISSING, grpc=grpc)) == (MISSING,)


def test_only_before_routing_the_service_chooses_the_route() -> None:
    auth = ExternalAuth(SERVICE, grpc=True)
    assert not check(auth).clear_route_cache
    assert check(auth).decoder_header_mutation_rules is None
    assert check(auth, routes=True).clear_route_cache
    assert check(auth, routes=True).decoder_header_mutation_rules
