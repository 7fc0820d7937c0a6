"""Older spellings of Gateway API documents to v1: documents in, documents out, no judgement of them.

Source: the CRDs of gateway-api's releases 0.4 (the first with v1alpha2) to 1.7. GatewayClass, Gateway,
HTTPRoute and ReferenceGrant kept the names, types, values and defaults of all their fields but these:

- kind ReferencePolicy (v1alpha2, until 0.5) is ReferenceGrant
- Gateway `listeners[].tls.frontendValidation` (1.1 to 1.3) is `tls.frontend.perPort[]`
- Gateway `backendTLS` (1.1 to 1.3) is `tls.backend`
- HTTPRoute `sessionPersistence.sessionName` and `.cookieConfig` (until 1.6) are `.cookie` and `.header`
"""

from collections.abc import Callable
from typing import Any

from xds_server.model.document import Document, text_at
from xds_server.model.kinds import BY_GROUP_KIND, GATEWAY_GROUP

Body = dict[str, Any]


def to_v1(document: Document) -> Body:
    """The document as v1 spells it, without status; unknown fields and the order of keys stay.

    Documents of the core API, and of kinds that are not read here, come back as they are. The items of a list
    are converted one by one. Never changes its argument.
    """
    body = dict(document)
    kind, api_version = text_at(body, "kind"), text_at(body, "apiVersion")
    if kind.endswith("List") and isinstance(items := body.get("items"), list):
        return _list_to_v1(body, items)
    row = BY_GROUP_KIND.get((api_version.rpartition("/")[0], kind))
    if row is None or row.group != GATEWAY_GROUP or api_version.rpartition("/")[2] not in row.versions:
        return body
    body["apiVersion"], body["kind"] = row.api_version, row.kind
    body.pop("status", None)
    return respelled(row.kind, body)


def respelled(kind: str, body: Body) -> Body:
    """A body of one of our kinds with every field where v1 has it; the same object where nothing moved."""
    spec = body.get("spec")
    if (respell := _RESPELL.get(kind)) is None or not isinstance(spec, dict):
        return body
    new = respell(spec)
    return body if new is spec else {**body, "spec": new}


def _list_to_v1(body: Body, items: list[Any]) -> Body:
    kind = body["kind"].removesuffix("List")
    row = BY_GROUP_KIND.get((text_at(body, "apiVersion").rpartition("/")[0], kind))
    if kind and row is not None and row.group == GATEWAY_GROUP:
        named = {"apiVersion": body["apiVersion"], "kind": kind}
        items = [{**named, **item} if isinstance(item, dict) else item for item in items]
        body["apiVersion"], body["kind"] = row.api_version, f"{row.kind}List"
    body["items"] = [to_v1(item) if isinstance(item, dict) else item for item in items]
    return body


def _respell_gateway(spec: Body) -> Body:
    new = spec
    if "backendTLS" in spec and "backend" not in _mapping(spec.get("tls")):
        new = {key: value for key, value in spec.items() if key != "backendTLS"}
        new["tls"] = {**_mapping(spec.get("tls")), "backend": spec["backendTLS"]}
    listeners = new.get("listeners")
    if isinstance(listeners, list) and any(_client_validation(listener) for listener in listeners):
        new = _with_frontend(new, listeners)
    return new


def _with_frontend(spec: Body, listeners: list[Any]) -> Body:
    """Client validation moved from listeners to their ports.

    It stays on the listeners of a port of which v1 says something already, or on which listeners disagree.
    """
    tls = _mapping(spec.get("tls"))
    frontend = _mapping(tls.get("frontend"))
    per_port = _list(frontend.get("perPort"))
    asked: dict[int, list[Any]] = {}
    for listener in listeners:
        port = _mapping(listener).get("port")
        if isinstance(port, int) and "tls" in listener and not any(_port(entry) == port for entry in per_port):
            asked.setdefault(port, []).append(_client_validation(listener))
    moved = {port: all_[0] for port, all_ in asked.items() if all_[0] and all(one == all_[0] for one in all_)}
    if not moved:
        return spec
    per_port = per_port + [{"port": port, "tls": {"validation": validation}} for port, validation in moved.items()]
    stripped = [
        _without_client_validation(one) if _port(one) in list(moved) else one  # a port may be unhashable
        for one in listeners
    ]
    frontend = {"default": {}, **frontend, "perPort": per_port}
    return {**spec, "listeners": stripped, "tls": {**tls, "frontend": frontend}}


def _client_validation(listener: Any) -> Any:
    return _mapping(_mapping(listener).get("tls")).get("frontendValidation")


def _without_client_validation(listener: Body) -> Body:
    if "tls" not in listener:
        return listener
    return {
        **listener,
        "tls": {key: value for key, value in listener["tls"].items() if key != "frontendValidation"},
    }


def _respell_http_route(spec: Body) -> Body:
    rules = spec.get("rules")
    if not isinstance(rules, list) or not any("sessionPersistence" in _mapping(rule) for rule in rules):
        return spec
    return {**spec, "rules": [_with_session(rule) for rule in rules]}


def _with_session(rule: Any) -> Any:
    session = _mapping(_mapping(rule).get("sessionPersistence"))
    if "sessionName" not in session and "cookieConfig" not in session:
        return rule
    new = {key: value for key, value in session.items() if key not in ("sessionName", "cookieConfig")}
    named = {"name": session["sessionName"]} if "sessionName" in session else {}
    if session.get("type") == "Header":
        new["header"] = {**named, **_mapping(session.get("header"))}
    else:
        new["cookie"] = {**named, **_mapping(session.get("cookieConfig")), **_mapping(session.get("cookie"))}
    return {**rule, "sessionPersistence": new}


_RESPELL: dict[str, Callable[[Body], Body]] = {"Gateway": _respell_gateway, "HTTPRoute": _respell_http_route}


def _port(entry: Any) -> Any:
    return _mapping(entry).get("port")


def _mapping(value: Any) -> Body:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
