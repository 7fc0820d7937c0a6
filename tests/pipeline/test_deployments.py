"""Rows of `desired`: which Gateways are deployed, which keep what they have, which give it up, and with which ports."""

from typing import Any

import pytest

from xds_server.infra.desired import AS_IT_IS, Desired, Installation, Provision
from xds_server.model.core import ConfigMap
from xds_server.model.document import Object
from xds_server.model.kinds import kind_of
from xds_server.model.meta import Key
from xds_server.model.parse import parse
from xds_server.pipeline import program
from xds_server.pipeline.options import Options
from xds_server.pipeline.program import Pipeline

V1 = "gateway.networking.k8s.io/v1"
GATEWAY = Key("shop", "web")
HTTP = {"name": "http", "port": 80, "protocol": "HTTP"}


def value(kind: str, name: str, *, namespace: str = "shop", api: str = V1, metadata: Any = None, **rest: Any) -> Object:
    document = {
        "apiVersion": api,
        "kind": kind,
        "metadata": {"name": name, "namespace": namespace, **(metadata or {})},
        **rest,
    }
    found = parse(document)
    assert not isinstance(found, tuple), found
    return found  # type: ignore[return-value]


def gateway(*listeners: dict[str, Any], metadata: Any = None, **spec: Any) -> Object:
    spec = {"gatewayClassName": "one", "listeners": list(listeners or (HTTP,)), **spec}
    return value("Gateway", "web", metadata={"uid": "u1", **(metadata or {})}, spec=spec)


def class_(controller: str = "xds-server.dev/gateway-controller") -> Object:
    return value("GatewayClass", "one", namespace="", spec={"controllerName": controller})


def settled(*objects: Object, pipeline: Pipeline | None = None) -> Pipeline:
    pipeline = pipeline or program.build(
        Options(strict=True, deployed=True, installation=Installation(namespace="system"))
    )
    for one in objects:
        pipeline.inputs.put(kind_of(one).kind, one.metadata.key, one)
    pipeline.settle()
    return pipeline


def row(pipeline: Pipeline) -> Desired | None:
    assert pipeline.deployments is not None
    return pipeline.deployments.desired.get(GATEWAY)


def ports(pipeline: Pipeline) -> list[tuple[str, int, str]]:
    found = row(pipeline)
    assert found is not None
    assert found.objects is not None
    service = next(one for one in found.objects if one["kind"] == "Service")
    return [(one["name"], one["port"], one["protocol"]) for one in service["spec"]["ports"]]


def test_a_gateway_of_ours_is_deployed() -> None:
    found = row(settled(class_(), gateway()))
    assert found is not None
    assert found.uid == "u1"
    assert [one["metadata"]["name"] for one in found.objects or ()] == ["web", "web", "web"]


def test_without_a_cluster_there_is_no_such_table() -> None:
    assert program.build(Options()).deployments is None


@pytest.mark.parametrize(
    "given",
    [
        (gateway(),),
        (class_(), gateway({"name": "odd", "port": 80, "protocol": "SCTP"})),
        (class_(), gateway(addresses=[{"type": "example.com/name", "value": "x"}])),
        (class_(), gateway(metadata={"deletionTimestamp": "2026-01-01T00:00:00Z"})),
        (class_(), gateway(infrastructure={"parametersRef": {"group": "", "kind": "ConfigMap", "name": "none"}})),
    ],
    ids=["no class", "no valid listener", "odd address", "being deleted", "no parameters"],
)
def test_what_there_is_stays_as_it_is(given: tuple[Object, ...]) -> None:
    assert row(settled(*given)) == AS_IT_IS


def test_what_was_made_stays_and_serves_while_its_class_is_gone() -> None:
    labels = {
        "xds-server.dev/controller": "xds-server.dev_gateway-controller",
        "gateway.networking.k8s.io/gateway-class-name": "one",
    }
    owners = [{"apiVersion": V1, "kind": "Gateway", "name": "web", "uid": "u1"}]
    made = {"labels": labels, "ownerReferences": owners}
    service = value("Service", "web", api="v1", metadata=made, spec={"ports": [{"name": "http", "port": 80}]})
    pipeline = settled(class_(), gateway(), service)
    pipeline.inputs.remove("GatewayClass", Key("", "one"))
    pipeline.settle()
    assert row(pipeline) == AS_IT_IS
    assert pipeline.gateways() == [GATEWAY]
    settled(gateway({**HTTP, "port": 81}), pipeline=pipeline)
    assert row(pipeline) == AS_IT_IS, "nothing is made anew without a class"
    settled(class_("example.com/other"), pipeline=pipeline)
    assert (row(pipeline), pipeline.gateways()) == (None, [])


def test_a_gateway_that_names_a_service_wants_nothing() -> None:
    named = gateway(addresses=[{"type": "Hostname", "value": "ingress.shop.svc.cluster.local"}])
    assert row(settled(class_(), named)) == Desired((), uid="u1")


def test_a_gateway_of_another_controller_is_none_of_ours() -> None:
    assert row(settled(class_("example.com/other"), gateway())) is None


def test_ports_of_all_listeners_that_could_be_served() -> None:
    secret = {"tls": {"certificateRefs": [{"name": "none"}]}}
    listeners = [
        {"name": "b", "port": 443, "protocol": "HTTPS", "hostname": "b.test", **secret},
        {"name": "a", "port": 443, "protocol": "HTTPS", "hostname": "a.test", **secret},
        {"name": "dns", "port": 53, "protocol": "UDP"},
        {"name": "dns-tcp", "port": 53, "protocol": "TCP"},
        {"name": "odd", "port": 99, "protocol": "SCTP"},
    ]
    assert ports(settled(class_(), gateway(*listeners))) == [
        ("dns-tcp", 53, "TCP"),
        ("dns", 53, "UDP"),
        ("b", 443, "TCP"),
    ]


def test_listeners_of_sets_come_after_the_gateways_own() -> None:
    set_ = value(
        "ListenerSet",
        "more",
        spec={
            "parentRef": {"name": "web"},
            "listeners": [
                {"name": "admin", "port": 8080, "protocol": "HTTP"},
                {**HTTP, "name": "a", "hostname": "x.test"},
            ],
        },
    )
    refused = value(
        "ListenerSet",
        "other",
        namespace="other",
        spec={"parentRef": {"name": "web", "namespace": "shop"}, "listeners": [{**HTTP, "port": 81}]},
    )
    allowed = {"namespaces": {"from": "Same"}}
    found = settled(class_(), set_, refused, gateway(allowedListeners=allowed))
    assert ports(found) == [("http", 80, "TCP"), ("admin", 8080, "TCP")]


def test_a_port_keeps_the_name_that_its_service_has() -> None:
    pipeline = settled(class_(), gateway({**HTTP, "hostname": "a.test"}))
    service = value("Service", "web", api="v1", spec={"ports": [{"name": "http", "port": 80}]})
    first = {**HTTP, "name": "first", "hostname": "b.test"}
    settled(service, gateway(first, {**HTTP, "hostname": "a.test"}), pipeline=pipeline)
    assert ports(pipeline) == [("http", 80, "TCP")]


def test_parameters_are_read_once_for_all_and_followed() -> None:
    def size(replicas: int) -> ConfigMap:
        found = value("ConfigMap", "size", api="v1", data={"deployment": f"spec: {{replicas: {replicas}}}"})
        assert isinstance(found, ConfigMap)
        return found

    parameters = {"parametersRef": {"group": "", "kind": "ConfigMap", "name": "size"}}
    pipeline = settled(class_(), size(2), gateway(infrastructure=parameters))
    settled(size(3), value("ConfigMap", "other", api="v1", data={"a": "b"}), pipeline=pipeline)
    calls = pipeline.graph.last.calls
    assert {name: calls[name] for name in ("parameters", "listeners", "desired")} == {
        "parameters": 1,
        "listeners": 1,
        "desired": 1,
    }
    found = row(pipeline)
    assert found is not None
    assert found.objects is not None
    assert found.objects[-1]["spec"]["replicas"] == 3


def test_a_route_deploys_nothing() -> None:
    pipeline = settled(class_(), gateway())
    settled(value("HTTPRoute", "r", spec={"parentRefs": [{"name": "web"}], "rules": [{}]}), pipeline=pipeline)
    assert pipeline.graph.last.calls["desired"] == 0


@pytest.mark.parametrize("problem", [Provision("NoResources", "Service shop/web is there already"), None])
def test_what_kept_it_from_being_deployed_is_told(problem: Provision | None) -> None:
    pipeline = settled(class_(), gateway())
    if problem is not None:
        pipeline.inputs.provisions.put(GATEWAY, problem)
        pipeline.settle()
    status = pipeline.statuses.gateways.get(GATEWAY)
    assert status is not None
    programmed = next(one for one in status.conditions if one.type == "Programmed")
    assert (programmed.reason, programmed.message) == (
        ("NoResources", problem.message)
        if problem
        else ("AddressNotAssigned", f"Service {GATEWAY}, which is to be made for the Gateway, is not there yet")
    )


def test_what_kept_it_from_being_deployed_is_told_of_its_listener_sets() -> None:
    allowed = {"namespaces": {"from": "Same"}}
    listeners = [{"name": "more", "port": 81, "protocol": "HTTP"}]
    more = value("ListenerSet", "more", spec={"parentRef": {"name": "web"}, "listeners": listeners})
    pipeline = settled(class_(), gateway(allowedListeners=allowed), more)
    pipeline.inputs.provisions.put(GATEWAY, Provision("NoResources", "Service shop/web is there already"))
    pipeline.settle()
    status = pipeline.statuses.listener_sets.get(Key("shop", "more"))
    assert status is not None
    programmed = next(one for one in status.conditions if one.type == "Programmed")
    assert (programmed.status, programmed.reason, programmed.message) == (
        "False",
        "ParentNotProgrammed",
        "The Gateway is not programmed: Service shop/web is there already",
    )


@pytest.mark.parametrize(("namespace", "name"), [("shop", "a-copy"), ("aaa", "web"), ("shop", "web-copy")])
def test_a_copy_of_what_was_made_says_nothing_of_the_gateway(namespace: str, name: str) -> None:
    """With all its labels and its owner, in order before or after it; the class that it tells is of long ago."""
    label = "gateway.networking.k8s.io/gateway-class-name"
    labels = {"xds-server.dev/controller": "xds-server.dev_gateway-controller", label: "one"}
    owners = [{"apiVersion": V1, "kind": "Gateway", "name": "web", "uid": "u1"}]
    spec = {"ports": [{"name": "http", "port": 80}]}
    made = value("Service", "web", api="v1", metadata={"labels": labels, "ownerReferences": owners}, spec=spec)
    old = {"labels": {**labels, label: "long-ago"}, "ownerReferences": owners}
    copy = value("Service", name, namespace=namespace, api="v1", metadata=old, spec=spec)
    pipeline = settled(class_(), gateway(), made, copy)
    pipeline.inputs.remove("GatewayClass", Key("", "one"))
    pipeline.settle()
    assert pipeline.gateways() == [GATEWAY]
    pipeline.inputs.remove("Service", GATEWAY)
    pipeline.settle()
    assert pipeline.gateways() == []
