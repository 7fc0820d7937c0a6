"""parse: a decoded JSON or YAML document to a frozen model value, or to what is wrong with it.

Reads every version listed in KINDS as the newest. Fills in what the API server would: defaults (they are in
the models), the namespace, Secret data out of base64. Decides only whether the document can be read at all;
what the CRD's schema would refuse beyond that is `validate`'s, what the API means by it is `semantics`'.
"""

import re
from base64 import b64decode
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from typing import Any

import msgspec

from xds_server.model.convert import respelled
from xds_server.model.document import Fault, Ignored, Object, text_at, without_nulls
from xds_server.model.kinds import BY_GROUP_KIND, EXPERIMENTAL_GROUP, GATEWAY_GROUP, KINDS, VERSIONS, Kind

DEFAULT_NAMESPACE = "default"

_WHERE = re.compile(r" - at (?:`key` in )?`\$\.?(.*)`$")
_EXPECTED = re.compile(r"^Expected `([^`]+)`(?:, got `([^`]+)`)?$")
_MISSING = re.compile(r"^Object missing required field `([^`]+)`$")
_WORDS = {
    "str": "a string",
    "int": "an integer",
    "float": "a fraction",
    "bool": "true or false",
    "object": "a mapping",
    "array": "a list",
    "null": "empty",
}
_GROUPS = (GATEWAY_GROUP, EXPERIMENTAL_GROUP)
_SPELLINGS = {row.kind.lower(): row for row in KINDS if row.group in _GROUPS}


def parse(document: object) -> Object | Fault | Ignored:
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
        if (items := document.get("items")) is not None and _is_list(group, kind):
            return Fault(kind=kind, namespace=namespace, name=name, field="items", reason=_not("a list", items))
        if reason := _misspelt(group, kind):
            return Fault(kind=kind, namespace=namespace, name=name, field="apiVersion", reason=reason)
        return Ignored(api_version=api_version, kind=kind, namespace=namespace, name=name)
    namespace = (namespace or DEFAULT_NAMESPACE) if row.namespaced else ""
    if version not in (versions := VERSIONS[group, kind]):
        reason = f"names version {version}; versions of {kind} that are read: {', '.join(versions)}"
        return Fault(kind=row.kind, namespace=namespace, name=name, field="apiVersion", reason=reason)
    try:
        return _object(row, dict(document), namespace)
    except _Unreadable as wrong:
        return Fault(kind=row.kind, namespace=namespace, name=name, field=wrong.field, reason=wrong.reason)
    except RecursionError:
        return Fault(kind=row.kind, namespace=namespace, name=name, reason="is nested too deeply")


class _Unreadable(Exception):  # noqa: N818 (what a user wrote, not an error of this program)
    def __init__(self, field: str, reason: str) -> None:
        super().__init__(field, reason)
        self.field, self.reason = field, reason


def _is_list(group: str, kind: str) -> bool:
    """Is it a list of objects that are read? Its items are documents of their own, unless they are no list."""
    return (group, kind) == ("", "List") or (group, kind.removesuffix("List")) in BY_GROUP_KIND


def _misspelt(group: str, kind: str) -> str:
    """Why a document that looks like a Gateway API object names none; "" for other people's kinds."""
    if group and not get_close_matches(group, _GROUPS, n=1, cutoff=0.9):
        return ""
    likeness = 0.85 if group in _GROUPS else 1.0
    for close in get_close_matches(kind.lower(), _SPELLINGS, n=1, cutoff=likeness):
        row = _SPELLINGS[close]
        return f"and kind name nothing known; perhaps meant: {row.api_version} {row.kind}"
    return ""


def _object(row: Kind, document: dict[str, Any], namespace: str) -> Object:
    try:
        return _converted(row, document, namespace)
    except _Unreadable:
        pruned = without_nulls(document)  # costs more than converting, and few documents have nulls
        if pruned is document:
            raise
    return _converted(row, pruned, namespace)


def _converted(row: Kind, document: dict[str, Any], namespace: str) -> Object:
    body = dict(document)
    if not isinstance(metadata := body.get("metadata"), dict) or not metadata.get("name"):
        raise _Unreadable("metadata.name", "is required")
    if isinstance(metadata.get("namespace"), str | None):
        body["metadata"] = {**metadata, "namespace": namespace}
    body = respelled(row.kind, body)
    if prepare := _PREPARE.get(row.kind):
        prepare(body)
    try:
        return msgspec.convert(body, row.model, builtin_types=(bytes,))
    except msgspec.ValidationError as error:
        raise _located(str(error), body) from None


def _prepare_secret(body: dict[str, Any]) -> None:
    body["data"] = _decoded(body, "data") | _encoded(body, "stringData")


def _prepare_config_map(body: dict[str, Any]) -> None:
    body["binaryData"] = _decoded(body, "binaryData")


def _prepare_route(body: dict[str, Any]) -> None:
    """Empty lists of rules and matches say no more than absent ones, so they get the same defaults."""
    spec = body.get("spec")
    if not isinstance(spec, dict):
        return
    if (rules := spec.get("rules")) == []:
        body["spec"] = {key: value for key, value in spec.items() if key != "rules"}
    elif isinstance(rules, list) and any(isinstance(rule, dict) and rule.get("matches") == [] for rule in rules):
        body["spec"] = {**spec, "rules": [_without_empty_matches(rule) for rule in rules]}


def _without_empty_matches(rule: Any) -> Any:
    if isinstance(rule, dict) and rule.get("matches") == []:
        return {key: value for key, value in rule.items() if key != "matches"}
    return rule


def _prepare_pod(body: dict[str, Any]) -> None:
    """A Pod's one address, as old kubelets and hand-written Pods give it, is the list of its addresses."""
    status = body.get("status")
    if isinstance(status, dict) and status.get("podIP") and not status.get("podIPs"):
        body["status"] = {**status, "podIPs": [{"ip": status["podIP"]}]}


_PREPARE: dict[str, Callable[[dict[str, Any]], None]] = {
    "Secret": _prepare_secret,
    "ConfigMap": _prepare_config_map,
    "HTTPRoute": _prepare_route,
    "GRPCRoute": _prepare_route,
    "Pod": _prepare_pod,
}


def _decoded(body: dict[str, Any], field: str) -> dict[str, bytes]:
    decoded = {}
    for key, value in _entries(body, field).items():
        try:
            decoded[key] = b64decode(value.translate({10: None, 13: None}), validate=True)
        except ValueError:
            raise _Unreadable(f"{field}.{key}", "is not base64") from None
    return decoded


def _encoded(body: dict[str, Any], field: str) -> dict[str, bytes]:
    encoded = {}
    for key, value in _entries(body, field).items():
        try:
            encoded[key] = value.encode()
        except UnicodeEncodeError:
            raise _Unreadable(f"{field}.{key}", "is not Unicode text") from None
    return encoded


def _entries(body: dict[str, Any], field: str) -> dict[str, str]:
    entries = body.get(field, {})
    if not isinstance(entries, dict):
        raise _Unreadable(field, _not("a mapping", entries))
    for key, value in entries.items():
        if not isinstance(key, str) or not isinstance(value, str):
            raise _Unreadable(f"{field}.{key}", _not("a string", value))
    return entries


def _located(text: str, body: dict[str, Any]) -> _Unreadable:
    """msgspec's complaint in this program's words; `[...]`, its name for any key of a mapping, made exact."""
    field = ""
    if where := _WHERE.search(text):
        field, text = where[1], text[: where.start()]
    if missing := _MISSING.match(text):
        return _Unreadable(f"{field}.{missing[1]}".lstrip("."), "is required")
    if field.endswith("[...]"):
        field = _exact(field.removesuffix("[...]"), body)
    if expected := _EXPECTED.match(text):
        wanted = " or ".join(_WORDS.get(word, word) for word in expected[1].split(" | ") if word != "null")
        text = f"must be {wanted}" + (f", is {_WORDS.get(expected[2], expected[2])}" if expected[2] else "")
    return _Unreadable(field, text)


def _exact(field: str, body: dict[str, Any]) -> str:
    value: Any = body
    for part in re.findall(r"[^.\[\]]+", field):
        value = value[int(part)] if isinstance(value, list) else value[part]
    return next((f"{field}.{key}" for key, child in value.items() if not isinstance(child, str)), field)


def _not(wanted: str, value: Any) -> str:
    return f"must be {wanted}, is {_called(value)}"


def _called(value: Any) -> str:
    names = {dict: "a mapping", list: "a list", str: "a string", bool: "true or false", type(None): "empty"}
    if isinstance(value, int | float) and not isinstance(value, bool):
        return f"the number {value}"
    return names.get(type(value), f"a {type(value).__name__}")
