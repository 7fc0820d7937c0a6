"""Statuses of what Envoy rejected: its words, at the object and the field that it is about."""

from dataclasses import replace
from typing import Any

import pytest

from tests.scenarios.scenario import Scenario
from xds_server.model.meta import Condition, Key
from xds_server.pipeline.holds import Hold, HoldId
from xds_server.pipeline.program import Pipeline
from xds_server.routing.listener import Bind
from xds_server.semantics.statuses import Served
from xds_server.wire.part import Part, leaves
from xds_server.xds.resource import ResourceType

GATEWAY = Key("default", "gw")
ROUTE = Key("default", "shop")
GIVEN = """# World

```yaml given
kind: Gateway
metadata: {name: gw, generation: 2}
spec:
  gatewayClassName: any
  tls: {frontend: {default: {validation: {caCertificateRefs: [{group: "", kind: ConfigMap, name: ca}]}}}}
  listeners:
  - {name: http, port: 80, protocol: HTTP}
  - {name: https, port: 443, protocol: HTTPS, tls: {certificateRefs: [{name: cert}]}}
---
kind: Gateway
metadata: {name: other}
spec:
  gatewayClassName: any
  listeners: [{name: http, port: 80, protocol: HTTP}]
---
kind: Secret
metadata: {name: cert}
stringData: {tls.crt: "${cert:example.com}", tls.key: "${key:example.com}"}
---
kind: ConfigMap
metadata: {name: ca}
data: {ca.crt: "${cert:ca.example.com}"}
---
kind: HTTPRoute
metadata: {name: shop, generation: 5}
spec:
  parentRefs: [{name: gw}, {name: other}]
  hostnames: [a.example.com, b.example.com]
  rules:
  - matches: [{path: {value: /a}}, {path: {value: /b}}]
    backendRefs: [{name: cart, port: 8080}, {name: pay, port: 8080}]
  - matches: [{path: {value: /c}}]
    backendRefs: [{name: pay, port: 8080}]
  - matches: [{path: {value: /d}}]
```
"""


@pytest.fixture
def pipeline(tmp_path: Any) -> Pipeline:
    path = tmp_path / "world.md"
    path.write_text(GIVEN)
    return Scenario(path).run().pipeline


def find(pipeline: Pipeline, type_: ResourceType, *ids: str) -> list[Part]:
    """The leaves of the Gateway's resources whose id begins so."""
    output = next(one for one in pipeline.outputs if one.type is type_)
    found: dict[str, Part] = {}
    for key, row in output.table.items():
        if output.gateway(key) == GATEWAY:
            found |= {leaf.id: leaf for leaf in leaves(row.base) if leaf.id.startswith(ids)}
    assert len(found) >= len(ids)
    return list(found.values())


def reject(pipeline: Pipeline, type_: ResourceType, *ids: str) -> None:
    """Envoy has rejected these leaves, in their present bytes."""
    for leaf in find(pipeline, type_, *ids):
        hold = Hold(rejected=frozenset((leaf.hash,)), detail="no good", owners=leaf.owners)
        pipeline.inputs.holds.put(HoldId(GATEWAY, "1.40.0", type_, leaf.id), hold)
    pipeline.settle()


def told(pipeline: Pipeline, parent: int = 0) -> dict[str, Condition]:
    status = pipeline.statuses.routes.get(("HTTPRoute", ROUTE))
    assert status is not None
    return {one.type: one for one in status.parents[parent].conditions}


def attached(pipeline: Pipeline) -> list[int]:
    status = pipeline.statuses.gateways.get(GATEWAY)
    assert status is not None
    return [one.attached_routes for one in status.listeners]


def rule(index: int, match: int) -> str:
    return f"HTTPRoute/default/shop/{index}/{match}@"


def test_nothing_is_rejected(pipeline: Pipeline) -> None:
    assert told(pipeline).keys() == {"Accepted", "ResolvedRefs"}
    assert attached(pipeline) == [1, 1]


def test_a_rejected_rule_is_named_where_it_was_rejected_and_the_route_stays(pipeline: Pipeline) -> None:
    reject(pipeline, ResourceType.ROUTE, rule(1, 0))
    assert told(pipeline)["Accepted"].status == "True"
    assert told(pipeline)["PartiallyInvalid"].message == "Dropped Rule: rules[1] was rejected by Envoy: no good"
    assert told(pipeline)["PartiallyInvalid"].observed_generation == 5
    assert "PartiallyInvalid" not in told(pipeline, parent=1)


def test_every_rejected_rule_is_named_once(pipeline: Pipeline) -> None:
    reject(pipeline, ResourceType.ROUTE, rule(0, 0), rule(0, 1))
    assert told(pipeline)["PartiallyInvalid"].message.count("rules[0]") == 1
    assert told(pipeline)["Accepted"].status == "True"


def test_one_of_a_rules_matches_is_not_all_of_it(pipeline: Pipeline) -> None:
    reject(pipeline, ResourceType.ROUTE, rule(0, 0), rule(1, 0))
    assert told(pipeline)["Accepted"].status == "True"
    assert told(pipeline)["PartiallyInvalid"].status == "True"


def test_a_route_of_which_nothing_is_left_is_not_accepted_and_not_counted(pipeline: Pipeline) -> None:
    """The last rule names no backend: it is a 500 from the beginning, and nothing that is left."""
    reject(pipeline, ResourceType.ROUTE, rule(0, 0), rule(0, 1), rule(1, 0))
    accepted = told(pipeline)["Accepted"]
    assert (accepted.status, accepted.reason) == ("False", "UnsupportedValue")
    assert accepted.message == "rules[0] was rejected by Envoy: no good; rules[1] was rejected by Envoy: no good"
    assert told(pipeline, parent=1)["Accepted"].status == "True"
    assert attached(pipeline) == [0, 0]


def test_a_rejected_hostname_is_no_rule(pipeline: Pipeline) -> None:
    reject(pipeline, ResourceType.ROUTE, "host a.example.com")
    assert told(pipeline)["Accepted"].status == "True"
    assert told(pipeline)["PartiallyInvalid"].message.startswith(
        "Dropped Rule: hostname a.example.com was rejected by Envoy"
    )


def test_a_rejected_cluster_is_told_at_the_rules_that_use_it(pipeline: Pipeline) -> None:
    reject(pipeline, ResourceType.CLUSTER, "default/pay:8080/auto")
    assert told(pipeline)["PartiallyInvalid"].message == (
        "Dropped Rule: rules[0] was rejected by Envoy: cluster default/pay:8080/auto: no good;"
        " rules[1] was rejected by Envoy: cluster default/pay:8080/auto: no good"
    )
    assert told(pipeline)["Accepted"].status == "True"
    assert "PartiallyInvalid" not in told(pipeline, parent=1)


def test_without_any_cluster_nothing_is_left(pipeline: Pipeline) -> None:
    reject(pipeline, ResourceType.CLUSTER, "default/pay:8080/auto", "default/cart:8080/auto")
    assert told(pipeline)["Accepted"].status == "False"


def test_what_is_only_suspected_is_not_told(pipeline: Pipeline) -> None:
    for leaf in find(pipeline, ResourceType.ROUTE, rule(1, 0)):
        hold = Hold(suspected=leaf.hash, owners=leaf.owners)
        pipeline.inputs.holds.put(HoldId(GATEWAY, "1.40.0", ResourceType.ROUTE, leaf.id), hold)
    pipeline.settle()
    assert told(pipeline).keys() == {"Accepted", "ResolvedRefs"}


def listener(pipeline: Pipeline, index: int) -> dict[str, Condition]:
    status = pipeline.statuses.gateways.get(GATEWAY)
    assert status is not None
    return {one.type: one for one in status.listeners[index].conditions}


@pytest.mark.parametrize(
    ("type_", "leaf", "message"),
    [
        (ResourceType.LISTENER, "https-443/*", "Envoy rejected it: no good"),
        (ResourceType.SECRET, "secret/default/cert", "Envoy rejected it: Secret default/cert: no good"),
        (ResourceType.SECRET, "ca/gateway/default/gw/default", "Envoy rejected it: authorities: no good"),
    ],
)
def test_a_rejected_chain_or_secret_is_its_listeners(
    pipeline: Pipeline, type_: ResourceType, leaf: str, message: str
) -> None:
    pipeline.inputs.served.put(GATEWAY, Served(2, 1))
    reject(pipeline, type_, leaf)
    programmed = listener(pipeline, 1)["Programmed"]
    assert (programmed.status, programmed.reason, programmed.message) == ("False", "Invalid", message)
    assert listener(pipeline, 1)["Ready"].reason == "ListenersNotValid"
    assert listener(pipeline, 0)["Programmed"].status == "True"


@pytest.mark.parametrize(
    ("served", "status", "reason"),
    [
        (Served(None, 0), "False", "Pending"),
        (Served(None, 1), "False", "Pending"),
        (Served(1, 1), "False", "Pending"),
        (Served(2, 1), "True", "Programmed"),
        (Served(2, 0), "True", "Programmed"),
    ],
)
def test_programmed_follows_what_envoys_have(pipeline: Pipeline, served: Served, status: str, reason: str) -> None:
    """Once true for a generation, it stays so when connections are lost."""
    pipeline.inputs.served.put(GATEWAY, served)
    pipeline.settle()
    found = pipeline.statuses.gateways.get(GATEWAY)
    assert found is not None
    for conditions in (found.conditions, *(one.conditions for one in found.listeners)):
        programmed = next(one for one in conditions if one.type == "Programmed")
        assert (programmed.status, programmed.reason) == (status, reason)


def test_a_port_without_a_place_yet_waits_and_one_that_something_else_holds_is_bad(pipeline: Pipeline) -> None:
    pipeline.inputs.served.put(GATEWAY, Served(2, 1))
    placed = Bind(ports=((80, 8080),), placed_only=True)
    for bind, reason, message in (
        (placed, "Pending", "The port has no place on this machine yet."),
        (replace(placed, unavailable=frozenset({443})), "Invalid", "The port cannot be bound now."),
    ):
        pipeline.inputs.binds.put(GATEWAY, bind)
        pipeline.settle()
        assert listener(pipeline, 0)["Programmed"].status == "True"
        programmed = listener(pipeline, 1)["Programmed"]
        assert (programmed.status, programmed.reason, programmed.message) == ("False", reason, message)
