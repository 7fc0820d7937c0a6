"""parse: a decoded JSON or YAML document to a frozen model value, or to what is wrong with it.

Reads every version listed in KINDS as the newest. Fills in what the API server would: defaults (they are in the
models), the namespace, Secret data out of base64. Decides only whether the document can be read at all; what the
CRD's schema would refuse beyond that is `validate`'s, what the API means by it is `semantics`'.
"""

import re
from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Mapping
from typing import Any

import msgspec

from xds_server.model.document import Document, Fault, Ignored, Object, text_at, without_nulls
from xds_server.model.kinds import BY_GROUP_KIND, Kind

DEFAULT_NAMESPACE = "default"
_WHERE = re.compile(r" - at (?:`key` in )?`\$\.?(.*)`$")


def parse(document: Document) -> Object | Fault | Ignored:
    """Reads one document. Never raises for what a document may hold; never changes it.

    An object of a kind not in KINDS is `Ignored`; an unknown version of a known kind is a `Fault`.
    """
    if not isinstance(document, Mapping):
        return Fault(reason=f"is {_called(document)}, not an object with apiVersion and kind")
    kind, api_version = text_at(document, "kind"), text_at(document, "apiVersion")
    name, namespace = text_at(document, "metadata", "name"), text_at(document, "metadata", "namespace")
    for field, value in (("kind", kind), ("apiVersion", api_version)):
        if not value:
            return Fault(kind=kind, namespace=namespace, name=name, field=field, reason="is required")
    group, _, version = api_version.rpartition("/")
    row = BY_GROUP_KIND.get((group, kind))
    if row is None:
        return Ignored(api_version=api_version, kind=kind, namespace=namespace, name=name)
    namespace = (namespace or DEFAULT_NAMESPACE) if row.namespaced else ""
    if version not in row.versions:
        reason = f"version {version} of {kind} is not known; read are {', '.join(row.versions)}"
        return Fault(kind=row.kind, namespace=namespace, name=name, field="apiVersion", reason=reason)
    try:
        return _object(row, document, namespace)
    except _Unreadable as wrong:
        return Fault(kind=row.kind, namespace=namespace, name=name, field=wrong.field, reason=wrong.reason)


class _Unreadable(Exception):  # noqa: N818 (not an error of ours)
    def __init__(self, field: str, reason: str) -> None:
        self.field, self.reason = field, reason


def _object(row: Kind, document: Document, namespace: str) -> Object:
    body: dict[str, Any] = without_nulls(dict(document))
    if not isinstance(metadata := body.get("metadata"), dict) or not metadata.get("name"):
        raise _Unreadable("metadata.name", "is required")
    body["metadata"] = {**metadata, "namespace": namespace}
    if row.kind == "Secret":
        body["data"] = _decoded(body, "data") | _texts(body, "stringData")
    elif row.kind == "ConfigMap":
        body["binaryData"] = _decoded(body, "binaryData")
    elif row.kind == "HTTPRoute":
        body["spec"] = _defaulted(body.get("spec"))
    try:
        return msgspec.convert(body, row.model, builtin_types=(bytes,))
    except msgspec.ValidationError as error:
        raise _located(error) from error


def _defaulted(spec: Any) -> Any:
    """An HTTPRoute's spec, where an empty list of rules or matches says no more than an absent one."""
    if not isinstance(spec, dict):
        return {} if spec is None else spec
    if spec.get("rules") == []:
        spec = {key: value for key, value in spec.items() if key != "rules"}
    if not isinstance(rules := spec.get("rules"), list):
        return spec
    return {**spec, "rules": [_without_empty_matches(rule) for rule in rules]}


def _without_empty_matches(rule: Any) -> Any:
    if isinstance(rule, dict) and rule.get("matches") == []:
        return {key: value for key, value in rule.items() if key != "matches"}
    return rule


def _decoded(body: dict[str, Any], field: str) -> dict[str, bytes]:
    decoded = {}
    for key, value in _entries(body, field).items():
        try:
            decoded[key] = b64decode(value.replace("\n", "").replace("\r", ""), validate=True)
        except (Base64Error, ValueError):
            raise _Unreadable(f"{field}.{key}", "is not base64") from None
    return decoded


def _texts(body: dict[str, Any], field: str) -> dict[str, bytes]:
    return {key: value.encode() for key, value in _entries(body, field).items()}


def _entries(body: dict[str, Any], field: str) -> dict[str, str]:
    entries = body.get(field, {})
    if not isinstance(entries, dict):
        raise _Unreadable(field, f"is {_called(entries)}, not a mapping of strings")
    for key, value in entries.items():
        if not isinstance(key, str) or not isinstance(value, str):
            raise _Unreadable(f"{field}.{key}", f"is {_called(value)}, not a string")
    return entries


def _located(error: msgspec.ValidationError) -> _Unreadable:
    text = str(error)
    where = _WHERE.search(text)
    return _Unreadable(where[1] if where else "", text[: where.start()] if where else text)


def _called(value: Any) -> str:
    names = {dict: "a mapping", list: "a list", str: "a string", bool: "a boolean", type(None): "empty"}
    return names.get(
        type(value), "a number" if isinstance(value, int | float) else f"a {type(value).__name__}"
    )
