"""The state of a cluster as a tree."""

from dataclasses import replace
from typing import Any

import msgspec

from tests.pipeline import documents as doc
from xds_server.app.offline import offline
from xds_server.cli.proxies import Connected, Connection
from xds_server.cli.status_tree import Asked, Node, tree
from xds_server.model.document import Fault, Ignored
from xds_server.model.meta import Key
from xds_server.model.parse import parse
from xds_server.shell.kube.decode import head
from xds_server.shell.kube.live import LiveObjects
from xds_server.shell.kube.servers import Replica

CONTROLLER = "xds-server.dev/gateway-controller"
GATEWAY = Key("default", "gw")


def condition(type_: str, status: str = "True", reason: str = "", message: str = "") -> dict[str, Any]:
    return {"type": type_, "status": status, "reason": reason or type_, "message": message, "observedGeneration": 1}


def asked(*documents: doc.Document, servers: Connected | None = None, **statuses: Any) -> Asked:
    """A cluster with a class of ours; `statuses` by kind and name, as `HTTPRoute_cart`."""
    class_ = doc.document("GatewayClass", "any", {"controllerName": CONTROLLER}, "")
    values = [parse(one) for one in (class_, *documents)]
    live = LiveObjects()
    for one, value in zip((class_, *documents), values, strict=True):
        assert not isinstance(value, Fault | Ignored)
        status = statuses.get(f"{one['kind']}_{one['metadata']['name']}", {})
        metadata = {**one["metadata"], "namespace": value.metadata.namespace, "generation": 1}
        live.note(one["kind"], head(msgspec.json.encode({"metadata": metadata, "status": status})))
    world = offline(values, controller_name=CONTROLLER, deployed=True)  # type: ignore[arg-type]
    return Asked(world, live, servers)


def gateway_status(*conditions: dict[str, Any]) -> dict[str, Any]:
    return {"conditions": list(conditions), "addresses": [{"type": "IPAddress", "value": "192.0.2.1"}]}


def pod(name: str, ready: str = "True") -> doc.Document:
    """An Envoy that was made for the Gateway."""
    labels = {"app.kubernetes.io/managed-by": "xds-server", "gateway.networking.k8s.io/gateway-name": "gw"}
    found = doc.document("Pod", name, {"serviceAccountName": "gw", "containers": []})
    found["metadata"]["labels"] = labels
    found["status"] = {"phase": "Running", "conditions": [{"type": "Ready", "status": ready}]}
    return found


WORLD = (
    pod("gw-1"),
    doc.gateway("gw", doc.listener("web")),
    doc.route("cart", rules=[doc.rule("/cart", doc.backend("cart"))]),
    doc.service("cart"),
    doc.slice_("cart", "10.0.0.1", "10.0.0.2"),
)
GOOD = gateway_status(condition("Accepted"), condition("Programmed"))


def only(nodes: list[Node]) -> Node:
    (class_,) = nodes
    (gateway,) = class_.children
    return gateway


def test_from_class_to_backend() -> None:
    nodes = tree(asked(*WORLD, Gateway_gw=GOOD), [GATEWAY])
    lines = [line for node in nodes for line, _ in node.lines()]
    assert lines == [
        "GatewayClass any  ok",
        "  Gateway default/gw  192.0.2.1, 1 ready pod  ok",
        "    listener web  HTTP 80  ok",
        "      HTTPRoute default/cart  ok",
        "        Service default/cart:80  2/2 endpoints ready  ok",
    ]
    assert all(node.good for node in nodes)


def test_how_many_envoys_serve_is_told_by_the_servers() -> None:
    records = [
        {"node": f"gateway~{pod}.default", "serves": ["default/gw"], "in_sync": in_sync, "draining": draining}
        for pod, in_sync, draining in (("a", True, False), ("b", False, False), ("c", True, True))
    ]
    replica = Replica("one")
    servers = Connected(tuple(Connection(replica, one) for one in records), (replica,))
    gateway = only(tree(asked(*WORLD, servers=servers, Gateway_gw=GOOD), [GATEWAY]))
    assert gateway.detail == "192.0.2.1, served by 1 of 2 Envoys"
    assert gateway.facts["envoys_in_sync"] == 1
    assert gateway.problems == ("1 Envoy has not acknowledged everything, or is not connected",)
    both = Connected((servers.connections[0], servers.connections[0]), (replica,))
    assert only(tree(asked(*WORLD, servers=both, Gateway_gw=GOOD), [GATEWAY])).good


def test_envoys_that_are_ready_and_not_connected_do_not_serve() -> None:
    nobody = Connected((), (Replica("one"),))
    gateway = only(tree(asked(*WORLD, pod("gw-2"), servers=nobody, Gateway_gw=GOOD), [GATEWAY]))
    assert gateway.detail == "192.0.2.1, served by 0 of 2 Envoys"
    assert gateway.problems == ("2 Envoys have not acknowledged everything, or are not connected",)


def test_without_a_ready_envoy_nothing_is_served() -> None:
    gateway = only(tree(asked(*WORLD[1:], pod("gw-1", "False"), Gateway_gw=GOOD), [GATEWAY]))
    assert gateway.problems == ("no Envoy is ready",)


def test_what_a_status_says_is_wrong_stands_below_its_object() -> None:
    route = {
        "parents": [
            {
                "parentRef": {"name": "gw"},
                "controllerName": CONTROLLER,
                "conditions": [condition("Accepted"), condition("ResolvedRefs", "False", "BackendNotFound", "no cart")],
            }
        ]
    }
    nodes = tree(asked(*WORLD, Gateway_gw=GOOD, HTTPRoute_cart=route), [GATEWAY])
    told = [line.strip() for node in nodes for line, good in node.lines() if not good]
    assert told == ["! ResolvedRefs False: BackendNotFound: no cart"]
    assert not nodes[0].good
    assert nodes[0].data()["children"][0]["good"] is False


def test_a_gateway_is_not_good_where_a_listener_is_not() -> None:
    tls = {"certificateRefs": [{"name": "nowhere"}]}
    gateway = doc.gateway("gw", doc.listener("web"), doc.listener("https", 443, protocol="HTTPS", tls=tls))
    status = gateway_status(condition("Accepted", reason="ListenersNotValid"), condition("Programmed"))
    unresolved = condition("ResolvedRefs", "False", "InvalidCertificateRef", "no Secret")
    status["listeners"] = [
        {"name": "web", "conditions": [condition("Accepted"), condition("ResolvedRefs")]},
        {"name": "https", "conditions": [condition("Accepted"), unresolved]},
    ]
    found = only(tree(asked(WORLD[0], gateway, *WORLD[2:], Gateway_gw=status), [GATEWAY]))
    assert [line for line, _ in found.lines()][:2] == [
        "Gateway default/gw  192.0.2.1, 1 ready pod",
        "  ! 1 of 2 listeners are not good",
    ]
    assert [one.problems for one in found.children] == [("ResolvedRefs False: InvalidCertificateRef: no Secret",), ()]


def test_a_gateway_without_a_status_is_not_good() -> None:
    gateway = only(tree(asked(*WORLD), [GATEWAY]))
    assert gateway.problems == ("nobody has written its status yet",)


def test_a_backend_without_endpoints_is_not_good() -> None:
    gateway = only(tree(asked(*WORLD[:4], Gateway_gw=GOOD), [GATEWAY]))
    (backend,) = gateway.children[0].children[0].children
    assert backend.problems == ("none of its endpoints is ready",)


def test_a_route_that_is_not_attached_is_told_of() -> None:
    lost = doc.route("lost", rules=[doc.rule("/", doc.backend("cart"))])
    lost["spec"]["parentRefs"][0]["sectionName"] = "other"
    gateway = only(tree(asked(*WORLD, lost, Gateway_gw=GOOD), [GATEWAY]))
    assert (gateway.children[-1].name, gateway.children[-1].detail) == ("default/lost", "not attached")
    assert "NoMatchingParent" in gateway.children[-1].problems[0]


def parent(name: str, *conditions: dict[str, Any], **reference: Any) -> dict[str, Any]:
    """An entry of a route's status."""
    return {"parentRef": {"name": name} | reference, "controllerName": CONTROLLER, "conditions": list(conditions)}


def test_what_is_wrong_at_another_gateway_is_not_told_of_this_one() -> None:
    other = doc.gateway("gw2", doc.listener("web"))
    route = {"parents": [parent("gw", condition("Accepted")), parent("gw2", condition("Accepted", "False", "No"))]}
    both = doc.route("cart", rules=[doc.rule("/cart", doc.backend("cart"))])
    both["spec"]["parentRefs"].append({"name": "gw2"})
    world = (*WORLD[:2], *WORLD[3:], other, both)
    gateway = only(tree(asked(*world, Gateway_gw=GOOD, HTTPRoute_cart=route), [GATEWAY]))
    assert gateway.good
    (found,) = tree(asked(*world, Gateway_gw2=GOOD, HTTPRoute_cart=route), [Key("default", "gw2")])
    assert found.children[0].children[0].children[0].problems == ("Accepted False: No: ",)


def listener_set(name: str) -> doc.Document:
    listeners = [doc.listener("more", 81)]
    return doc.document("ListenerSet", name, {"parentRef": {"name": "gw"}, "listeners": listeners})


def test_what_is_wrong_with_a_route_of_a_listener_set_is_told() -> None:
    gateway = doc.gateway("gw", doc.listener("web"))
    gateway["spec"]["allowedListeners"] = {"namespaces": {"from": "Same"}}
    route = doc.route("cart", rules=[doc.rule("/cart", doc.backend("cart"))])
    route["spec"]["parentRefs"] = [{"kind": "ListenerSet", "name": "set"}]
    status = {"parents": [parent("set", condition("ResolvedRefs", "False", "BackendNotFound"), kind="ListenerSet")]}
    world = (WORLD[0], gateway, listener_set("set"), route, *WORLD[3:])
    found = only(tree(asked(*world, Gateway_gw=GOOD, HTTPRoute_cart=status), [GATEWAY]))
    (of_set,) = found.children[0].children
    assert (of_set.name, of_set.problems) == ("default/cart", ("ResolvedRefs False: BackendNotFound: ",))


def test_a_listener_set_that_the_gateway_does_not_take_is_told_of() -> None:
    status = {"conditions": [condition("Accepted", "False", "NotAllowed", "not here")]}
    found = only(tree(asked(*WORLD, listener_set("set"), Gateway_gw=GOOD, ListenerSet_set=status), [GATEWAY]))
    assert (found.children[-1].kind, found.children[-1].problems) == (
        "ListenerSet",
        ("Accepted False: NotAllowed: not here",),
    )


def test_a_pod_of_two_families_is_one_endpoint() -> None:
    second = doc.slice_("cart", "2001:db8::1", "2001:db8::2")
    second["metadata"]["name"], second["addressType"] = "cart-v6", "IPv6"
    gateway = only(tree(asked(*WORLD, second, Gateway_gw=GOOD), [GATEWAY]))
    assert gateway.children[0].children[0].children[0].detail == "2/2 endpoints ready"


def test_what_may_not_be_read_is_not_taken_for_missing() -> None:
    known = replace(asked(*WORLD[1:4], Gateway_gw=GOOD), unknown=("Pod", "EndpointSlice"))
    gateway = only(tree(known, [GATEWAY]))
    assert gateway.good
    assert gateway.detail == "192.0.2.1, pods not known"
    assert gateway.facts["pods_ready"] is None
    assert gateway.children[0].children[0].children[0].detail == "endpoints not known"
