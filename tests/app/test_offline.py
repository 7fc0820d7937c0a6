"""Objects through the pipeline once."""

import gc
from collections.abc import Iterator
from typing import Any

import pytest

from tests.pipeline import documents as doc
from xds_server.app.offline import offline
from xds_server.model.document import Fault, Ignored, Object
from xds_server.model.meta import Key
from xds_server.model.parse import parse
from xds_server.routing.audience import ForGateway
from xds_server.settings import CONTROLLER_NAME
from xds_server.xds.resource import ResourceType

GW = Key("default", "gw")


@pytest.fixture(autouse=True)
def _collector() -> Iterator[None]:
    yield
    gc.enable()  # offline is for short-lived processes


def objects(*documents: doc.Document) -> list[Object]:
    found = [parse(document) for document in documents]
    assert not [value for value in found if isinstance(value, Fault | Ignored)]
    return [value for value in found if not isinstance(value, Fault | Ignored)]


WORLD = (
    doc.gateway("gw", doc.listener("web")),
    doc.route("cart", rules=[doc.rule("/cart", doc.backend("cart"))]),
    doc.service("cart"),
    doc.slice_("cart", "10.0.0.1"),
)


def test_offline_makes_the_resources_of_every_gateway() -> None:
    found = offline(objects(*WORLD, doc.gateway("idle", doc.listener("web", 81))))
    by_gateway: dict[Any, list[tuple[ResourceType, str]]] = {}
    for resource in found.resources:
        by_gateway.setdefault(resource.audience, []).append((resource.type, resource.name))
    assert set(by_gateway[ForGateway("default", "gw")]) == {
        (ResourceType.CLUSTER, "default/cart:80/auto"),
        (ResourceType.ENDPOINT, "default/cart:80"),
        (ResourceType.LISTENER, "tcp-80"),
        (ResourceType.ROUTE, "http-80"),
    }
    assert (ResourceType.LISTENER, "tcp-81") in by_gateway[ForGateway("default", "idle")]


def test_offline_does_not_depend_on_the_order_of_objects() -> None:
    one, other = offline(objects(*WORLD)), offline(objects(*reversed(WORLD)))
    assert set(one.resources) == set(other.resources)


def test_offline_gives_statuses_that_wait_for_an_envoy() -> None:
    status = offline(objects(*WORLD)).pipeline.statuses.gateways.get(GW)
    assert status is not None
    conditions = {condition.type: (condition.status, condition.reason) for condition in status.conditions}
    assert conditions["Accepted"] == ("True", "Accepted")
    assert conditions["Programmed"] == ("False", "Pending")


def test_offline_serves_any_class_until_one_is_given() -> None:
    """Only a class that names our controller is ours, then."""
    theirs = doc.document("GatewayClass", "any", {"controllerName": "example.com/other"}, namespace="")
    assert offline(objects(*WORLD)).pipeline.gateways() == [GW]
    found = offline(objects(*WORLD, theirs))
    assert (found.pipeline.gateways(), found.resources) == ([], ())


def test_offline_of_nothing_is_nothing() -> None:
    assert offline([]).resources == ()


def test_parameters_for_many_are_where_the_servers_are() -> None:
    """Whose pods tell where that is; without any it is the usual namespace."""
    template = {"xds-server.dev/template": "true"}
    world = (
        doc.document("GatewayClass", "any", {"controllerName": CONTROLLER_NAME}, ""),
        doc.gateway("gw", doc.listener("web"), annotations={"inject.istio.io/templates": "two"}),
    )
    server = doc.document("Pod", "one", {"containers": []}, "edge", labels={"app.kubernetes.io/name": "xds-server"})

    def accepted(*more: doc.Document) -> str:
        found = offline(objects(*world, *more), controller_name=CONTROLLER_NAME)
        status = found.pipeline.statuses.gateways.get(GW)
        assert status is not None
        return next(one.status for one in status.conditions if one.type == "Accepted")

    def of(namespace: str) -> doc.Document:
        return doc.document("ConfigMap", "two", None, namespace, labels=template)

    assert accepted() == "False"
    assert accepted(of("xds-system")) == "True"
    assert accepted(of("edge")) == "False"
    assert accepted(of("edge"), server) == "True"
