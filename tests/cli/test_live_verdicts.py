"""What statuses in a cluster say beyond what follows from the objects, and what `check` makes of it."""

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from tests.pipeline import documents as doc
from xds_server.cli.checked import of_snapshot
from xds_server.model.document import Fault, Ignored
from xds_server.model.parse import parse
from xds_server.shell.kube.decode import head
from xds_server.shell.kube.live import LiveObjects
from xds_server.shell.kube.snapshot import Snapshot

CONTROLLER = "xds-server.dev/gateway-controller"
NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
LONG_AGO, JUST_NOW = "2026-01-01T11:00:00Z", "2026-01-01T11:59:50Z"
WORLD = (
    doc.document("GatewayClass", "any", {"controllerName": CONTROLLER}, ""),
    doc.gateway("gw", doc.listener("web")),
    doc.route("cart", rules=[doc.rule("/cart", doc.backend("cart"))]),
    doc.service("cart"),
    doc.slice_("cart", "10.0.0.1"),
)


def condition(type_: str, reason: str, message: str = "", status: str = "False", since: str = LONG_AGO) -> Any:
    return {
        "type": type_,
        "status": status,
        "reason": reason,
        "message": message,
        "observedGeneration": 2,
        "lastTransitionTime": since,
    }


def parent(*conditions: Any, controller: str = CONTROLLER) -> Any:
    return {"parents": [{"parentRef": {"name": "gw"}, "controllerName": controller, "conditions": list(conditions)}]}


def snapshot(*documents: doc.Document, **statuses: Any) -> Snapshot:
    """A cluster; `statuses` by kind."""
    live, values = LiveObjects(), []
    for one in documents or WORLD:
        value = parse(one)
        assert not isinstance(value, Fault | Ignored), value
        values.append(value)
        metadata = {**one["metadata"], "namespace": value.metadata.namespace, "generation": 2}
        live.note(
            one["kind"], head(msgspec.json.encode({"metadata": metadata, "status": statuses.get(one["kind"], {})}))
        )
    return Snapshot("https://cluster.test", values, [], live)


def told(found: Snapshot) -> list[tuple[str, str, str, str]]:
    wrong, _ = of_snapshot(found, CONTROLLER, NOW)
    return [(one.object, one.part, one.reason, one.message) for one in wrong if one.check.severity == "error"]


def test_a_cluster_with_nothing_wrong() -> None:
    wrong, good = of_snapshot(snapshot(), CONTROLLER, NOW)
    assert wrong == []
    assert {str(row.ref) for row in good} == {"GatewayClass any", "Gateway default/gw", "HTTPRoute default/cart"}


def test_what_an_envoy_rejected_is_told_of_the_route() -> None:
    rejected = condition(
        "PartiallyInvalid", "UnsupportedValue", "Dropped Rule: rules[0] was rejected by Envoy: no", "True"
    )
    found = snapshot(HTTPRoute=parent(rejected))
    ((object_, part, reason, message),) = told(found)
    assert (object_, part, reason) == ("HTTPRoute default/cart", "parent default/gw", "UnsupportedValue")
    assert "rejected by Envoy" in message


def test_an_address_that_was_not_to_be_had() -> None:
    found = snapshot(Gateway={"conditions": [condition("Programmed", "AddressNotUsable", "192.0.2.1 is taken")]})
    assert told(found) == [("Gateway default/gw", "", "AddressNotUsable", "192.0.2.1 is taken")]


@pytest.mark.parametrize(
    ("reason", "message"),
    [
        ("NoResources", "Service default/gw is there already and was not made for this Gateway"),
        ("Invalid", "The API server refuses Deployment default/gw: spec.replicas: Invalid value: -1"),
    ],
)
def test_what_cannot_be_deployed_is_told_and_not_the_addresses_that_are_missing_for_it(
    reason: str, message: str
) -> None:
    addresses = condition("AddressesAssigned", "NotAssigned", "Service default/gw was not made for the Gateway")
    found = snapshot(Gateway={"conditions": [condition("Programmed", reason, message), addresses]})
    assert told(found) == [("Gateway default/gw", "", reason, message)]
    wrong, _ = of_snapshot(found, CONTROLLER, NOW)
    assert [(one.check.code, one.field) for one in wrong] == [("XDS0315", "")]
    assert "Rename the Gateway or the other object" in wrong[0].check.hint


def test_envoys_that_do_not_come_up_are_told_also_where_others_serve() -> None:
    why = "pod gw-1: container envoy: ErrImagePull: port: not found"
    none = condition("Programmed", "NoResources", f"No Envoy of this Gateway comes up: {why}")
    listener = {"name": "web", "conditions": [condition("Programmed", "Pending", since=JUST_NOW)]}
    addresses = condition("AddressesAssigned", "NotAssigned", "Service default/gw has no address yet")
    wrong, _ = of_snapshot(
        snapshot(Gateway={"conditions": [none, addresses], "listeners": [listener]}), CONTROLLER, NOW
    )
    assert [(one.check.code, one.message) for one in wrong] == [("XDS0316", none["message"])]
    text = f"Every connected Envoy has acknowledged this generation. Some Envoys of this Gateway do not come up: {why}"
    some = condition("Programmed", "Programmed", text, "True")
    ready = condition("Ready", "Ready", text, "True")
    wrong, good = of_snapshot(snapshot(Gateway={"conditions": [some, ready]}), CONTROLLER, NOW)
    assert [(one.check.code, one.check.severity, one.message) for one in wrong] == [("XDS0317", "warning", text)]
    assert all(row.condition != "Programmed" for row in good)


def test_addresses_that_are_missing_are_told_where_it_is_deployed() -> None:
    message = "Service default/gw has no address yet"
    missing = [
        condition("Programmed", "AddressNotAssigned", message),
        condition("AddressesAssigned", "NotAssigned", message),
    ]
    found = snapshot(Gateway={"conditions": missing})
    assert {(reason, text) for _, _, reason, text in told(found)} == {("NotAssigned", message)}


@pytest.mark.parametrize(("since", "count"), [(LONG_AGO, 1), (JUST_NOW, 0)])
def test_what_is_waited_for_is_told_after_a_while(since: str, count: int) -> None:
    waits = condition("Programmed", "Pending", "no Envoy has connected", since=since)
    assert len(told(snapshot(Gateway={"conditions": [waits]}))) == count


@pytest.mark.parametrize(
    "status",
    [
        parent(condition("Accepted", "NoMatchingParent"), controller="example.com/other"),
        parent(condition("Accepted", "NoMatchingParent") | {"observedGeneration": 1}),
        parent(condition("Theirs", "Whatever")),
    ],
    ids=["of another controller", "of an older generation", "of a type that is not ours"],
)
def test_what_others_say_or_what_is_old_is_not_told(status: Any) -> None:
    assert told(snapshot(HTTPRoute=status)) == []


def test_what_follows_from_the_objects_is_told_once() -> None:
    lost = condition("ResolvedRefs", "BackendNotFound", "rules[0].backendRefs[0]: Service default/cart does not exist")
    found = snapshot(*WORLD[:3], HTTPRoute=parent(lost))
    assert [one[:3] for one in told(found)] == [("HTTPRoute default/cart", "parent default/gw", "BackendNotFound")]


def test_gateways_of_others_are_no_fault_and_a_class_that_is_not_there_is() -> None:
    theirs = doc.document("GatewayClass", "any", {"controllerName": "example.com/other"}, "")
    assert told(snapshot(theirs, *WORLD[1:])) == []
    ((object_, _, reason, _),) = told(snapshot(*WORLD[1:2]))
    assert (object_, reason) == ("Gateway default/gw", "NotOurs")
