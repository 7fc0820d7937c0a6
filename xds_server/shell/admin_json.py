"""Envoy messages as Envoy's own admin endpoint shows them: JSON with the .proto's field names, secrets redacted.

In: a type URL and the bytes that are served. Out: a JSON object. What is sensitive is Envoy's annotation
`udpa.annotations.sensitive`, which generated classes do not carry: the list below is that of the v3 API at Envoy 1.40.
Redaction follows Envoy's `MessageUtil::redact`: strings and bytes become "[redacted]", other scalars are left out,
messages are redacted field by field. An Any whose type is not known is redacted too, as nobody can tell what is in it.
"""

import base64
from collections.abc import Callable, Mapping
from typing import Any, Final

import betterproto2

from xds_server.wire.decode import to_json
from xds_server.wire.registry import PREFIX, UnknownTypeError, class_of, type_url_of
from xds_server.wire.schema import Field, fields_of
from xds_server.wire.wellknown import SPELLING

REDACTED: Final = "[redacted]"
REDACTED_BYTES: Final = base64.b64encode(REDACTED.encode()).decode()
_REDIS = "envoy.extensions.filters.network.redis_proxy.v3"
_AWS = "envoy.extensions.common.aws.v3"
_TLS = "envoy.extensions.transport_sockets.tls.v3"
_CALL_CREDENTIALS = "envoy.extensions.grpc_service.call_credentials"
SENSITIVE: Final[Mapping[str, frozenset[str]]] = {
    "envoy.config.core.v3.GrpcService.GoogleGrpc.SslCredentials": frozenset({"private_key"}),
    "envoy.config.grpc_credential.v3.FileBasedMetadataConfig": frozenset({"secret_data"}),
    "envoy.config.trace.v3.ClientConfig": frozenset({"backend_token"}),
    f"{_AWS}.AssumeRoleWithWebIdentityCredentialProvider": frozenset({"web_identity_token_data_source"}),
    f"{_AWS}.CredentialsFileCredentialProvider": frozenset({"credentials_data_source"}),
    f"{_AWS}.IAMRolesAnywhereCredentialProvider": frozenset({"private_key"}),
    f"{_AWS}.InlineCredentialProvider": frozenset({"secret_access_key", "session_token"}),
    "envoy.extensions.filters.http.api_key_auth.v3.ApiKeyAuth": frozenset({"credentials"}),
    "envoy.extensions.filters.http.api_key_auth.v3.ApiKeyAuthPerRoute": frozenset({"credentials"}),
    "envoy.extensions.filters.http.basic_auth.v3.BasicAuth": frozenset({"users"}),
    "envoy.extensions.filters.http.basic_auth.v3.BasicAuthPerRoute": frozenset({"users"}),
    "envoy.extensions.filters.http.ext_authz.v3.CheckSettings": frozenset({"context_extensions"}),
    f"{_REDIS}.RedisProtocolOptions": frozenset({"auth_password", "auth_username"}),
    f"{_REDIS}.RedisProtocolOptions.Credential": frozenset({"auth_password", "auth_username"}),
    f"{_REDIS}.RedisProxy": frozenset(
        {"downstream_auth_password", "downstream_auth_passwords", "downstream_auth_username"}
    ),
    f"{_CALL_CREDENTIALS}.file_based_metadata.v3.FileBasedMetadataCallCredentials": frozenset({"secret_data"}),
    f"{_TLS}.GenericSecret": frozenset({"secret", "secrets"}),
    f"{_TLS}.PrivateKeyProvider": frozenset({"typed_config"}),
    f"{_TLS}.TlsCertificate": frozenset({"private_key", "pkcs12", "password"}),
    f"{_TLS}.TlsSessionTicketKeys": frozenset({"keys"}),
}
"""By full name of a message: its sensitive fields."""

_Show = Callable[[Any], Any]
_CLEARED: Final = object()
_MESSAGES: dict[tuple[type[betterproto2.Message], bool], _Show] = {}


def admin_json(type_url: str, data: bytes) -> dict[str, Any]:
    """The JSON of an encoded message, without "@type".

    Raises DecodeError for bytes that cannot be read, UnknownTypeError for a type URL without a class.
    """
    cls = class_of(type_url)
    shown: dict[str, Any] = _message(cls, secret=False)(to_json(cls, data))
    return shown


def any_json(type_url: str, data: bytes) -> dict[str, Any]:
    """The same as an Any shows it: "@type" first."""
    return {"@type": type_url, **admin_json(type_url, data)}


def _full_name(cls: type[betterproto2.Message]) -> str:
    try:
        return type_url_of(cls).removeprefix(PREFIX)
    except UnknownTypeError:
        return cls.__name__


def _message(cls: type[betterproto2.Message], *, secret: bool) -> _Show:
    """How messages of a class are shown; all of their fields are sensitive with `secret`."""
    found = _MESSAGES.get((cls, secret))
    if found is None:
        found = _MESSAGES[cls, secret] = _compile(cls, secret=secret)
    return found


def _compile(cls: type[betterproto2.Message], *, secret: bool) -> _Show:
    name = _full_name(cls)
    if name == "google.protobuf.Any":
        return _any_redacted if secret else _any_shown
    if name in SPELLING:
        return _spelled_redacted if secret else _same
    sensitive = SENSITIVE.get(name, frozenset())
    slots: dict[str, tuple[str, _Show]] = {}

    def show(value: dict[str, Any]) -> dict[str, Any]:
        if not slots:
            # Not before: classes may contain themselves.
            slots.update(_slots(cls, sensitive, secret=secret))
        shown = {}
        for json_name, inner in value.items():
            plain, how = slots[json_name]
            if (kept := inner if how is _same else how(inner)) is not _CLEARED:
                shown[plain] = kept
        return shown

    return show


def _slots(cls: type[betterproto2.Message], sensitive: frozenset[str], *, secret: bool) -> dict[str, tuple[str, _Show]]:
    """By JSON name: the .proto's name of a field, and how its value is shown."""
    plain = {field: field.name.rstrip("_") for field in fields_of(cls)}
    return {field.json_name: (name, _field(field, secret=secret or name in sensitive)) for field, name in plain.items()}


def _field(field: Field, *, secret: bool) -> _Show:
    if field.value is not None:
        how = _single(field.value, secret=secret)
        return how if how is _same else lambda entries: _kept_entries(entries, how)
    how = _single(field, secret=secret)
    if how is _same or not field.repeated:
        return how
    return lambda items: [kept for item in items if (kept := how(item)) is not _CLEARED]


def _kept_entries(entries: dict[str, Any], how: _Show) -> dict[str, Any]:
    return {key: kept for key, value in entries.items() if (kept := how(value)) is not _CLEARED}


def _single(field: Field, *, secret: bool) -> _Show:
    if field.message is not None:
        return _message(field.message, secret=secret)
    if not secret:
        return _same
    replaced = {"string": REDACTED, "bytes": REDACTED_BYTES}.get(field.kind, _CLEARED)
    return lambda _: replaced


def _same(value: Any) -> Any:
    return value


def _spelled_redacted(_: Any) -> Any:
    """A wrapper, a Struct, a Duration: Envoy redacts what is in it, here it goes as a whole."""
    return _CLEARED


def _any_shown(value: dict[str, Any]) -> dict[str, Any]:
    return _any(value, secret=False)


def _any_redacted(value: dict[str, Any]) -> dict[str, Any]:
    return _any(value, secret=True)


def _any(value: dict[str, Any], *, secret: bool) -> dict[str, Any]:
    rest = {name: inner for name, inner in value.items() if name != "@type"}
    type_url = value.get("@type", "")
    head = {"@type": type_url} if type_url else {}
    try:
        cls = class_of(type_url)
    except UnknownTypeError:
        return {**head, "value": REDACTED_BYTES} if rest else head
    name = _full_name(cls)
    if name in SPELLING or name == "google.protobuf.Any":
        inner = _message(cls, secret=secret)(rest.get("value"))
        return head if inner is _CLEARED else {**head, "value": inner}
    return {**head, **_message(cls, secret=secret)(rest)}
