"""The state of a cluster as a tree: classes, Gateways, listeners, routes, backends, each with its verdict.

In: the objects, put through the pipeline; the statuses that the cluster has; who is connected, as the servers say.
Out: nodes, to be printed or dumped.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from xds_server.app.offline import Offline
from xds_server.cli.live_verdicts import of_object
from xds_server.cli.proxies import Connected
from xds_server.cli.verdicts import absence
from xds_server.model.document import Fault
from xds_server.model.kinds import ROUTE_KINDS
from xds_server.model.meta import Key
from xds_server.pipeline.gateway import RouteKey
from xds_server.routing.backend import Backend
from xds_server.routing.listener import ListenerId
from xds_server.semantics.attach import ParentVerdict
from xds_server.shell.kube.live import LiveObjects
from xds_server.shell.verdicts import absent_parents

Parent = tuple[RouteKey, ParentVerdict]
"""A route, and what one of its parentRefs came to."""


@dataclass(frozen=True, slots=True)
class Node:
    """One line. `problems` are what is not good about it itself, `facts` are for data, `detail` is their words."""

    kind: str
    name: str
    detail: str = ""
    problems: tuple[str, ...] = ()
    children: tuple["Node", ...] = ()
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def good(self) -> bool:
        """Nothing is wrong with it or with what is below it."""
        return not self.problems and all(child.good for child in self.children)

    def data(self) -> dict[str, Any]:
        """As mappings and lists. `good` is about what is below it too."""
        told: dict[str, Any] = {"kind": self.kind, "name": self.name, "good": self.good, **self.facts}
        if self.problems:
            told["problems"] = list(self.problems)
        if self.children:
            told["children"] = [child.data() for child in self.children]
        return told

    def lines(self, depth: int = 0) -> Iterator[tuple[str, bool]]:
        """Text, and whether it is good news."""
        indent = "  " * depth
        verdict = "" if self.problems else "  ok"
        yield f"{indent}{self.kind} {self.name}{f'  {self.detail}' if self.detail else ''}{verdict}", True
        for problem in self.problems:
            yield f"{indent}  ! {problem}", False
        for child in self.children:
            yield from child.lines(depth + 1)


@dataclass(frozen=True, slots=True)
class Asked:
    """What nodes are made from. `servers` is None where no server could be asked; `unknown` are the kinds that may not
    be read, or in one namespace alone.
    """

    world: Offline
    live: LiveObjects
    servers: Connected | None
    unknown: Collection[str] = ()

    def problems(self, kind: str, key: Key, part: str = "") -> tuple[str, ...]:
        """What the object's status says is not good: of the object as a whole, or of a part of it."""
        found = self.live.get(kind, key)
        controller = self.world.pipeline.tables.world.controller_name
        if found is None:
            return ()
        bad = [
            f"{row.condition} {row.status}: {row.reason}: {row.message}"
            for row, _ in of_object(kind, key, found, controller)
            if not row.good and row.condition != "Ready" and row.part == part
        ]
        return tuple(dict.fromkeys(bad))


def tree(asked: Asked, wanted: Iterable[Key]) -> list[Node]:
    """Classes of ours that have one of these Gateways, or nobody's; other Gateways are not told of."""
    pipeline = asked.world.pipeline
    gateways = pipeline.inputs.kinds["Gateway"]
    by_class: dict[str, list[Key]] = {}
    for key in sorted(wanted):
        gateway = gateways.get(key)
        assert gateway is not None, "what is wanted is there"
        by_class.setdefault(gateway.spec.gateway_class_name, []).append(key)
    parents = _parents(asked)
    nodes = []
    for key in pipeline.statuses.classes:
        children = tuple(_gateway(one, parents.get(one, ()), asked) for one in by_class.get(key.name, ()))
        if children:
            problems = asked.problems("GatewayClass", key)
            nodes.append(Node("GatewayClass", key.name, "", problems, children))
    return nodes


def lost(asked: Asked, namespace: str, faults: Sequence[Fault] = ()) -> list[Node]:
    """The routes of a namespace, or of all, that name a Gateway or ListenerSet that is not there. Of a kind that may
    not be read it is not known what is there.
    """
    tables = asked.world.pipeline.tables
    nodes = []
    for kind, key in sorted(tables.routes.keys(), key=_order):
        if namespace not in ("", key.namespace):
            continue
        absent = [one for _, one in absent_parents(asked.world.pipeline, kind, key) if one.kind not in asked.unknown]
        if problems := tuple(dict.fromkeys(absence(one, faults) for one in absent)):
            attached = any(one.listeners for one in tables.parent_verdicts.get((kind, key)) or ())
            nodes.append(Node(kind, str(key), "" if attached else "not attached", problems))
    return nodes


def _order(id_: RouteKey) -> tuple[int, Key]:
    return ROUTE_KINDS.index(id_[0]), id_[1]


def _gateway(key: Key, parents: Sequence[Parent], asked: Asked) -> Node:
    live = asked.live.get("Gateway", key)
    status: dict[str, Any] = msgspec.json.decode(live.status) if live is not None else {}
    addresses = [one["value"] for one in status.get("addresses") or () if one.get("value")]
    ready, in_sync = _envoys(key, asked)
    pods_known = "Pod" not in asked.unknown or ready > 0
    facts: dict[str, Any] = {"addresses": addresses, "pods_ready": ready if pods_known else None}
    words = [", ".join(addresses) or "no address"]
    if in_sync is None and not pods_known:
        words.append("pods not known")
    elif in_sync is None:
        words.append(f"{ready} ready pod{'' if ready == 1 else 's'}")
    else:
        facts["envoys_in_sync"], facts["envoys_connected"] = in_sync
        words.append(f"served by {in_sync[0]} of {max(in_sync[1], ready)} Envoys")
    problems = (*asked.problems("Gateway", key), *_lacking(ready, in_sync, pods_known=pods_known))
    if not status.get("conditions"):
        problems = ("nobody has written its status yet", *problems)
    points = asked.world.pipeline.tables.listeners_by_gateway.rows(key)
    routes: dict[ListenerId, list[Parent]] = {}
    for parent in parents:
        for listener in parent[1].listeners:
            routes.setdefault(listener, []).append(parent)
    listeners = tuple(_listener(point, routes.get(point.id, ()), asked) for point in points)
    if not problems and (bad := sum(bool(one.problems) for one in listeners)):
        problems = (f"{bad} of {len(listeners)} listeners are not good",)
    lost = tuple(_lost(id_, verdict, asked) for id_, verdict in parents if not verdict.listeners)
    return Node("Gateway", str(key), ", ".join(words), problems, (*listeners, *_sets(key, asked), *lost), facts)


def _sets(gateway: Key, asked: Asked) -> Iterator[Node]:
    """The ListenerSets that are not good as a whole; the listeners of others stand among the Gateway's."""
    for row in asked.world.pipeline.tables.world.listener_sets_by_gateway.rows(gateway):
        if problems := asked.problems("ListenerSet", row.metadata.key):
            yield Node("ListenerSet", str(row.metadata.key), "", problems)


def _envoys(key: Key, asked: Asked) -> tuple[int, tuple[int, int] | None]:
    """Ready pods; and, of connected Envoys, those in sync and all. None where no server was asked."""
    pods = asked.world.pipeline.places.proxies_by_gateway
    ready = sum(one.ready and not one.terminating for one in pods.rows(key)) if pods is not None else 0
    if asked.servers is None:
        return ready, None
    serving = [one for one in asked.servers.connections if str(key) in one.gateways and not one.record.get("draining")]
    return ready, (sum(one.in_sync for one in serving), len(serving))


def _lacking(ready: int, in_sync: tuple[int, int] | None, *, pods_known: bool) -> Iterator[str]:
    """What is wrong with the Envoys."""
    if not ready and pods_known:
        yield "no Envoy is ready"
    elif in_sync is not None and (late := max(in_sync[1], ready) - in_sync[0]):
        have = "Envoy has" if late == 1 else "Envoys have"
        yield f"{late} {have} not acknowledged everything, or {'is' if late == 1 else 'are'} not connected"


def _listener(point: Any, routes: Sequence[Parent], asked: Asked) -> Node:
    owner = point.id.owner
    name = point.id.name if owner.kind == "Gateway" else f"{owner} {point.id.name}"
    detail = f"{point.protocol} {point.port}" + (f" {point.hostname}" if point.hostname not in ("", "*") else "")
    problems = asked.problems(owner.kind, owner.key, f"listener {point.id.name}")
    children = tuple(_route(id_, verdict, asked) for id_, verdict in routes)
    facts = {"port": point.port, "protocol": point.protocol, "hostname": point.hostname, "routes": len(routes)}
    return Node("listener", name, detail, problems, children, facts)


def _parents(asked: Asked) -> dict[Key, list[Parent]]:
    """By Gateway: every route that names it, as often as it does."""
    tables = asked.world.pipeline.tables
    found: dict[Key, list[Parent]] = {}
    for id_, _ in sorted(tables.routes.items(), key=lambda one: _order(one[0])):
        for verdict in tables.parent_verdicts.get(id_) or ():
            found.setdefault(verdict.gateway, []).append((id_, verdict))
    return found


def _route(id_: RouteKey, verdict: ParentVerdict, asked: Asked) -> Node:
    kind, key = id_
    tables = asked.world.pipeline.tables
    route = tables.routes.get(id_)
    hostnames: Sequence[str] = getattr(route.spec, "hostnames", ()) if route is not None else ()
    rules = tables.rules.get(id_)
    backends: dict[tuple[str, Key, int], Backend] = {}
    for backend in rules.backends if rules is not None else ():
        backends.setdefault((backend.kind, backend.service, backend.port), backend)
    children = tuple(_backend(one, asked) for one in backends.values())
    problems = asked.problems(kind, key, _part(key, verdict))
    return Node(kind, str(key), ", ".join(hostnames), problems, children, {"hostnames": list(hostnames)})


def _lost(id_: RouteKey, verdict: ParentVerdict, asked: Asked) -> Node:
    """A route that names the Gateway and is attached to none of its listeners."""
    kind, key = id_
    said = f"{verdict.accepted.type} {verdict.accepted.status}: {verdict.accepted.reason}: {verdict.accepted.message}"
    return Node(kind, str(key), "not attached", asked.problems(kind, key, _part(key, verdict)) or (said,))


def _part(route: Key, verdict: ParentVerdict) -> str:
    """What statuses call the parent: the Gateway or the ListenerSet that the route names."""
    reference = verdict.reference
    return f"parent {reference.namespace or route.namespace}/{reference.name}"


def _backend(backend: Backend, asked: Asked) -> Node:
    name = f"{backend.service}:{backend.port}"
    if backend.kind != "Service":
        return Node(backend.kind, name)
    families: dict[str, dict[str, bool]] = {}
    for slice_ in asked.world.pipeline.inputs.slices_by_service.rows(backend.service):
        found = families.setdefault(slice_.address_type, {})
        found.update(
            (one.addresses[0], one.conditions.ready is not False) for one in slice_.endpoints or () if one.addresses
        )
    endpoints = max(families.values(), key=len, default={})  # a pod of two families is in a slice of each
    ready = sum(endpoints.values())
    if not endpoints and "EndpointSlice" in asked.unknown:
        return Node("Service", name, "endpoints not known")
    problems = () if ready else ("none of its endpoints is ready",)
    facts = {"endpoints_ready": ready, "endpoints": len(endpoints)}
    return Node("Service", name, f"{ready}/{len(endpoints)} endpoints ready", problems, (), facts)
