"""Remarks: what is served as it is written and is hardly what was meant, or soon will not do. Codes XDS10xx.

Reads a settled pipeline, from outside of its functions. The time is an argument.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from xds_server.model.kinds import BY_GROUP_KIND, BY_KIND, EXPERIMENTAL_GROUP, GATEWAY_GROUP
from xds_server.model.meta import Key, ObjectRef
from xds_server.model.spelling import perhaps
from xds_server.pipeline.gateway import DIALECTS, RouteKey
from xds_server.pipeline.program import Pipeline
from xds_server.pipeline.shadows import shadowed
from xds_server.routing.backend import Backend, EndpointsId
from xds_server.routing.listener import ListenerId
from xds_server.routing.rule import Rule
from xds_server.semantics.certificate_names import fits, normal, told
from xds_server.semantics.certificates import Certificate
from xds_server.semantics.endpoints import serving
from xds_server.semantics.routes.l7 import NO_BACKEND
from xds_server.semantics.statuses import ListenerStatus

_PARENTS = ((GATEWAY_GROUP, "Gateway"), (GATEWAY_GROUP, "ListenerSet"))
SOON = timedelta(days=30)
"""How long before it expires a certificate should have been renewed."""


class Remark(NamedTuple):
    """One remark; `field` is a path in the object."""

    code: str
    object: ObjectRef
    field: str
    message: str


def remarks(pipeline: Pipeline, now: datetime) -> Iterator[Remark]:
    """Everything there is to remark."""
    for shadow in shadowed(pipeline):
        id_ = shadow.rule
        yield Remark("XDS1010", ObjectRef(id_.kind, *id_.route), f"spec.{id_.place}", shadow.message)
    for route, row in pipeline.tables.rules.items():
        firsts = {rule.id.rule: rule for rule in reversed(row.rules)}
        for index in sorted(firsts):
            yield from _without_backend(firsts[index])
            yield from _without_endpoints(route, firsts[index], pipeline)
    yield from _without_parent(pipeline)
    yield from _gateways(pipeline)
    yield from _listeners(pipeline)
    yield from _certificates(pipeline, now)
    yield from _policies(pipeline)
    yield from _grants(pipeline)


def _without_backend(rule: Rule) -> Iterator[Remark]:
    action, owner = rule.action, ObjectRef(rule.id.kind, *rule.id.route)
    if action.fault is not None and action.fault.message == NO_BACKEND:
        yield Remark("XDS1011", owner, f"spec.{rule.id.field}", f"the rule names no backend: {_answered(rule)}")
    taken = action.fault is not None or rule.id.kind not in DIALECTS
    if taken and action.backends and not any(entry.weight for entry in action.backends):
        field = f"spec.{rule.id.field}.backendRefs"
        yield Remark("XDS1012", owner, field, f"all backends have weight 0: {_answered(rule)}")


def _answered(rule: Rule) -> str:
    fault = rule.action.fault
    return f"its requests are answered with {fault.status}" if fault is not None else "its connections are closed"


def _without_endpoints(route: RouteKey, rule: Rule, pipeline: Pipeline) -> Iterator[Remark]:
    """In a cluster EndpointSlices are made from Pods; so where files hold none at all, they are meant to be."""
    tables = pipeline.tables
    if not len(pipeline.inputs.kinds["EndpointSlice"]) or not tables.claims_by_route.keys(route):
        return
    for index, entry in enumerate(rule.action.backends):
        if isinstance(entry.backend, Backend) and entry.weight and _is_empty(entry.backend.endpoints, pipeline):
            field = f"spec.{rule.id.field}.backendRefs[{index}]"
            message = f"Service {entry.backend.service} has no ready endpoint for port {entry.backend.port}"
            yield Remark("XDS1013", ObjectRef(route[0], *route[1]), field, message)


def _is_empty(id_: EndpointsId, pipeline: Pipeline) -> bool:
    service = pipeline.tables.world.services.get(id_.service)
    port = service.port(id_.port, id_.transport.upper()) if service is not None and id_.kind == "Service" else None
    return port is not None and not serving(pipeline.tables.world.slices_by_service.rows(id_.service), port.name)


def _listeners(pipeline: Pipeline) -> Iterator[Remark]:
    """Those that are served and that no route is attached to, and those that overlap."""
    tables = (("Gateway", pipeline.statuses.gateways), ("ListenerSet", pipeline.statuses.listener_sets))
    for kind, table in tables:
        rows: Any = table.items()
        for key, status in rows:
            accepted = all(one.status == "True" for one in status.conditions if one.type == "Accepted")
            for index, listener in enumerate(status.listeners):
                at = (ObjectRef(kind, *key), f"spec.listeners[{index}]")
                if accepted and not listener.attached_routes and _is_accepted(listener):
                    yield Remark("XDS1014", *at, f"no route is attached to listener {listener.name}")
                for one in listener.conditions:
                    if (one.type, one.status) == ("OverlappingTLSConfig", "True"):
                        yield Remark("XDS1023", *at, f"listener {listener.name}: {one.message}")


def _without_parent(pipeline: Pipeline) -> Iterator[Remark]:
    """Routes that name no parent, and parents that are of no kind that serves routes here."""
    for (kind, key), route in pipeline.tables.routes.items():
        owner, spec = ObjectRef(kind, *key), route.spec
        known = [one for one in spec.parent_refs if (one.group, one.kind) in _PARENTS]
        if not spec.parent_refs and spec.use_default_gateways in ("", "None"):
            message = "the route names no parent, neither in parentRefs nor by useDefaultGateways"
            yield Remark("XDS1015", owner, "spec", message)
        for index, one in enumerate(spec.parent_refs):
            field, what = f"spec.parentRefs[{index}]", f"{one.group}/{one.kind}".strip("/")
            if (one.group, one.kind) == ("", "Service"):
                if not known:
                    message = f"Service {one.name} is a parent in a mesh, and meshes are not served here"
                    yield Remark("XDS1015", owner, field, message)
            elif one not in known:
                meant = perhaps(one.kind, [parent for _, parent in _PARENTS])
                yield Remark("XDS1015", owner, field, f"{what} is not a kind of parent that is served here{meant}")


def _grants(pipeline: Pipeline) -> Iterator[Remark]:
    """Kinds in ReferenceGrants that are called like none, in groups of the Gateway API or the core."""
    for key, grant in pipeline.inputs.kinds["ReferenceGrant"].items():
        for side, entries in (("from", grant.spec.from_), ("to", grant.spec.to)):
            for index, one in enumerate(entries):
                if message := _not_called(one.group, one.kind):
                    yield Remark("XDS1016", ObjectRef("ReferenceGrant", *key), f"spec.{side}[{index}].kind", message)


def _not_called(group: str, kind: str) -> str:
    """Why a group and kind name nothing known; empty where they may. The core group has kinds that are not read here,
    so of those only what looks like one that is.
    """
    if (group, kind) in BY_GROUP_KIND or group not in ("", GATEWAY_GROUP, EXPERIMENTAL_GROUP):
        return ""
    what = f"{group}/{kind}".strip("/")
    if (row := BY_KIND.get(kind)) is not None:
        own = f"group {row.group}" if row.group else 'the core group ""'
        return f"{what} is not a kind that is known; perhaps meant: {own}"
    meant = perhaps(kind, [name for its_group, name in BY_GROUP_KIND if its_group == group])
    return f"{what} is not a kind that is known{meant}" if meant or group else ""


def _gateways(pipeline: Pipeline) -> Iterator[Remark]:
    for key, status in pipeline.statuses.gateways.items():
        for one in status.conditions:
            if (one.type, one.status) == ("InsecureFrontendValidationMode", "True"):
                yield Remark("XDS1025", ObjectRef("Gateway", *key), "spec.tls.frontend", one.message)


def _is_accepted(listener: ListenerStatus) -> bool:
    return all(one.status == "True" for one in listener.conditions if one.type in ("Accepted", "ResolvedRefs"))


def _certificates(pipeline: Pipeline, now: datetime) -> Iterator[Remark]:
    tables = pipeline.tables
    seen: set[Key] = set()
    for id_, point in tables.listeners.items():
        listener = point.served
        if listener is None or not listener.certificates:
            continue
        rows = {secret.key: tables.world.certificates.get(secret.key) for secret in listener.certificates}
        good = {key: row for key, row in rows.items() if isinstance(row, Certificate)}
        for key, row in good.items():
            if key not in seen and (remark := _validity(key, row, now)) is not None:
                yield remark
            seen.add(key)
        names = normal(name for row in good.values() for name in row.names)
        if good and not any(fits(name, point.hostname) for name in names):
            message = f"the certificates of listener {id_.name} are for {told(names)}, none for {point.hostname}"
            yield Remark("XDS1022", id_.owner, f"{_place(id_, pipeline)}.tls.certificateRefs", message)


def _place(id_: ListenerId, pipeline: Pipeline) -> str:
    """Where the listener stands in its object."""
    written = pipeline.inputs.kinds[id_.owner.kind].get(id_.owner.key)
    names = [listener.name for listener in written.spec.listeners] if written is not None else []
    return f"spec.listeners[{names.index(id_.name)}]" if id_.name in names else "spec.listeners"


def _validity(secret: Key, certificate: Certificate, now: datetime) -> Remark | None:
    begin, end = certificate.not_before, certificate.not_after
    if now < begin:
        code, words = "XDS1024", f"is not valid before {begin:%Y-%m-%d %H:%M} UTC"
    elif now >= end:
        code, words = "XDS1020", f"expired on {end:%Y-%m-%d %H:%M} UTC"
    elif now >= end - SOON:
        code, words = "XDS1021", f"expires on {end:%Y-%m-%d %H:%M} UTC"
    else:
        return None
    return Remark(code, ObjectRef("Secret", *secret), "data.tls.crt", f"the certificate {words}")


def _policies(pipeline: Pipeline) -> Iterator[Remark]:
    for kind in ("BackendTLSPolicy", "XBackendTrafficPolicy"):
        for key in pipeline.inputs.kinds[kind]:
            status = pipeline.statuses.policies.get((kind, key))
            if status is None or not status.ancestors:
                message = "no route that is served uses a backend that it is about"
                yield Remark("XDS1030", ObjectRef(kind, *key), "spec.targetRefs", message)
