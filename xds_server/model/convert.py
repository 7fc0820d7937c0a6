"""Older spellings of Gateway API documents to the newest: documents in, documents out, no judgement of them.

Source: the CRDs of gateway-api's releases 0.4 (the first with v1alpha2) to 1.7. The kinds that are read here kept
the names, types, values and defaults of all their fields but these:

- kind ReferencePolicy (v1alpha2, until 0.5) is ReferenceGrant
- kind XListenerSet (1.3 and 1.4) is ListenerSet; `parentRefs` of routes and `from` of ReferenceGrants named it
- kind BackendLBPolicy (1.1 and 1.2) is XBackendTrafficPolicy
- Gateway `listeners[].tls.frontendValidation` (1.1 to 1.3) is `tls.frontend.perPort[]`
- Gateway `backendTLS` (1.1 to 1.3) is `tls.backend`
- GRPCRoute `matches[].method` of nothing but a type (the default until 0.7) is a match without method
- BackendTLSPolicy `targetRef` and `tls` (v1alpha2, 1.0) are `targetRefs[]` and `validation`
- XBackend `port.port` (1.6) is `port.number`
- `sessionPersistence.sessionName` and `.cookieConfig` (until 1.6, wherever it occurs) are `.cookie` and `.header`
"""

from collections.abc import Callable
from typing import Any

from xds_server.model.document import Document, text_at
from xds_server.model.kinds import BY_GROUP_KIND, BY_KIND, EXPERIMENTAL_GROUP, VERSIONS

Body = dict[str, Any]


def to_v1(document: Document) -> Body:
    """The document as its kind's newest version spells it, without status; unknown fields and the order of keys stay.

    Documents of the core API, and of kinds that are not read here, come back as they are. The items of a list
    are converted one by one. Never changes its argument.
    """
    body = dict(document)
    kind, api_version = text_at(body, "kind"), text_at(body, "apiVersion")
    if kind.endswith("List") and isinstance(items := body.get("items"), list):
        return _list_to_v1(body, items)
    group, _, version = api_version.rpartition("/")
    row = BY_GROUP_KIND.get((group, kind))
    if row is None or row.channel == "core" or version not in VERSIONS[group, kind]:
        return body
    body["apiVersion"], body["kind"] = row.api_version, row.kind
    body.pop("status", None)
    return respelled(row.kind, body)


def respelled(kind: str, body: Body) -> Body:
    """A body of one of our kinds with every field where the newest version has it; the same one if nothing moved."""
    spec = body.get("spec")
    if (respell := _RESPELL.get(kind)) is None or not isinstance(spec, dict):
        return body
    new = respell(spec)
    return body if new is spec else {**body, "spec": new}


def _list_to_v1(body: Body, items: list[Any]) -> Body:
    kind = body["kind"].removesuffix("List")
    row = BY_GROUP_KIND.get((text_at(body, "apiVersion").rpartition("/")[0], kind))
    if kind and row is not None and row.channel != "core":
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


def _respell_route(spec: Body) -> Body:
    spec = _each(spec, "parentRefs", _renamed)
    return _each(spec, "rules", _with_session)


def _respell_grpc_route(spec: Body) -> Body:
    return _each(_respell_route(spec), "rules", lambda rule: _each(rule, "matches", _without_bare_method))


def _without_bare_method(match: Body) -> Body:
    if _mapping(match.get("method")).keys() != {"type"}:
        return match
    return {key: value for key, value in match.items() if key != "method"}


def _respell_grant(spec: Body) -> Body:
    return _each(spec, "from", _renamed)


def _renamed(ref: Body) -> Body:
    """A reference to an XListenerSet, now to a ListenerSet."""
    if (ref.get("group"), ref.get("kind")) != (EXPERIMENTAL_GROUP, "XListenerSet"):
        return ref
    row = BY_KIND["ListenerSet"]
    return {**ref, "group": row.group, "kind": row.kind}


def _respell_backend(spec: Body) -> Body:
    spec = _with_session(spec)
    port = _mapping(spec.get("port"))
    if "port" not in port or "number" in port:
        return spec
    return {**spec, "port": {"number" if key == "port" else key: value for key, value in port.items()}}


_VALIDATION = {"caCertRefs": "caCertificateRefs", "wellKnownCACerts": "wellKnownCACertificates"}


def _respell_tls_policy(spec: Body) -> Body:
    """v1alpha2 could name a target in another namespace; there is no other spelling for that, so it stays."""
    new = dict(spec)
    target = _mapping(spec.get("targetRef"))
    if target and "namespace" not in target and "targetRefs" not in spec:
        new["targetRefs"] = [new.pop("targetRef")]
    if (tls := _mapping(spec.get("tls"))) and "validation" not in spec:
        del new["tls"]
        new["validation"] = {_VALIDATION.get(key, key): value for key, value in tls.items()}
    return new if new != spec else spec


def _with_session(holder: Body) -> Body:
    session = _mapping(holder.get("sessionPersistence"))
    if "sessionName" not in session and "cookieConfig" not in session:
        return holder
    new = {key: value for key, value in session.items() if key not in ("sessionName", "cookieConfig")}
    named = {"name": session["sessionName"]} if "sessionName" in session else {}
    if session.get("type") == "Header":
        new["header"] = {**named, **_mapping(session.get("header"))}
    else:
        new["cookie"] = {**named, **_mapping(session.get("cookieConfig")), **_mapping(session.get("cookie"))}
    return {**holder, "sessionPersistence": new}


_RESPELL: dict[str, Callable[[Body], Body]] = {
    "Gateway": _respell_gateway,
    "HTTPRoute": _respell_route,
    "GRPCRoute": _respell_grpc_route,
    "TLSRoute": _respell_route,
    "TCPRoute": _respell_route,
    "UDPRoute": _respell_route,
    "ReferenceGrant": _respell_grant,
    "BackendTLSPolicy": _respell_tls_policy,
    "XBackend": _respell_backend,
    "XBackendTrafficPolicy": _with_session,
}


def _each(holder: Body, field: str, respell: Callable[[Body], Body]) -> Body:
    """The mapping with each mapping in the list at `field` respelled; the same object where none changes."""
    items = _list(holder.get(field))
    new = [respell(item) if isinstance(item, dict) else item for item in items]
    return holder if all(one is other for one, other in zip(new, items, strict=True)) else {**holder, field: new}


def _port(entry: Any) -> Any:
    return _mapping(entry).get("port")


def _mapping(value: Any) -> Body:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
