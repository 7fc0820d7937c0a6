"""Statuses of objects that cannot be read."""

from typing import Any

from xds_server.model.meta import Key
from xds_server.semantics.status_merge import LAYOUTS
from xds_server.semantics.unreadable import Ours, unreadable

CONTROLLER = "xds-server.dev/gateway-controller"
OURS = Ours(CONTROLLER, {Key("", "ours")}, {Key("shop", "gw")})
PROBLEM = "spec.rules must be a list"


def found(kind: str, **spec: Any) -> dict[str, Any]:
    return {"kind": kind, "metadata": {"name": "x", "namespace": "shop", "generation": 3}, "spec": spec}


def accepted(reason: str, message: str = f"{PROBLEM}.") -> dict[str, Any]:
    return {"type": "Accepted", "status": "False", "reason": reason, "message": message, "observedGeneration": 3}


def told(kind: str, known: Any = None, **spec: Any) -> Any:
    return unreadable(LAYOUTS[kind], found(kind, **spec), PROBLEM, known, OURS)


def test_only_what_is_ours_is_told() -> None:
    assert told("Gateway", gatewayClassName="ours") == {"conditions": [accepted("Invalid")]}
    assert told("Gateway", gatewayClassName="theirs") is None
    assert told("GatewayClass", controllerName=CONTROLLER) == {"conditions": [accepted("Unsupported")]}
    assert told("ListenerSet", parentRef={"name": "gw"}) == {"conditions": [accepted("Invalid")]}
    assert told("ListenerSet", parentRef={"name": "gw", "namespace": "other"}) is None


def test_a_route_tells_each_parent_of_ours() -> None:
    mine = {"name": "gw", "sectionName": "web"}
    status = told("HTTPRoute", parentRefs=[mine, {"name": "other"}, {"name": "gw", "kind": "Service", "group": ""}, 7])
    assert status == {
        "parents": [{"parentRef": mine, "controllerName": CONTROLLER, "conditions": [accepted("UnsupportedValue")]}]
    }
    assert told("HTTPRoute", parentRefs="gw") is None
    assert told("HTTPRoute") is None


def test_what_was_read_last_is_served_on_and_it_is_said() -> None:
    before = {"type": "Accepted", "status": "True", "reason": "Accepted", "message": "", "observedGeneration": 2}
    resolved = {**before, "type": "ResolvedRefs"}
    entry = {"parentRef": {"name": "gw"}, "controllerName": CONTROLLER, "conditions": [before, resolved]}
    status = told("HTTPRoute", {"parents": [entry]}, parentRefs=[])
    expected = accepted("UnsupportedValue", f"{PROBLEM}. What was read of it last is served on.")
    assert status == {"parents": [{**entry, "conditions": [expected, resolved]}]}
    gateway = told("Gateway", {"conditions": [before], "listeners": [1], "addresses": [2]}, gatewayClassName="gone")
    assert gateway["listeners"] == [1]
    assert [one["reason"] for one in gateway["conditions"]] == ["Invalid"]


def test_a_policy_that_was_never_read_is_on_nothing_that_is_known() -> None:
    assert told("BackendTLSPolicy", targetRefs=[{"name": "s"}]) is None
