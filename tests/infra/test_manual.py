"""Which hostnames name Services; scenarios of the topic `places` show what comes of them."""

import pytest

from xds_server.infra.manual import Manual, named_service, not_made_for, unusable
from xds_server.model.core import Service, ServiceSpec
from xds_server.model.gateway import Gateway, GatewaySpec
from xds_server.model.meta import Key, Metadata, OwnedMetadata, OwnerReference

KEY = Key("edge", "ingress")


@pytest.mark.parametrize(
    ("hostname", "named"),
    [
        ("ingress", Key("own", "ingress")),
        ("ingress.edge.svc", KEY),
        ("ingress.edge.svc.k8s.example.com", KEY),
        ("ingress.edge", None),
        ("ingress.edge.svc.cluster.local", None),
        ("ingress.edge.svc.k8s.example.com.svc", None),
        ("ingress.k8s.example.com", None),
        ("ingress.edge.pod", None),
        ("*.edge.svc", Key("edge", "*")),
        ("example.com", None),
    ],
)
def test_names_of_services(hostname: str, named: Key | None) -> None:
    assert named_service(hostname, "own", "k8s.example.com") == named


def test_a_service_with_pods_of_its_own_is_usable() -> None:
    assert unusable(KEY, Service(OwnedMetadata("ingress"), ServiceSpec(selector={"app": "a"}))) == ""
    assert unusable(KEY, Service(OwnedMetadata("ingress"), ServiceSpec(selector={}))) != ""
    assert unusable(KEY, None) == "Service edge/ingress does not exist"


def test_a_service_is_made_for_the_gateway_that_owns_it_not_for_one_of_its_name() -> None:
    made = Service(OwnedMetadata("gw", owner_references=(OwnerReference("Gateway", "1"),)))
    assert not_made_for(_gateway("1"), Key("", "gw"), made) == ""
    assert not_made_for(_gateway("2"), Key("", "gw"), made) != ""
    assert not_made_for(_gateway(""), Key("", "gw"), Service(OwnedMetadata("gw"))) != ""


def test_the_older_goes_before_and_else_the_first_by_name() -> None:
    rows = [Manual(Key("b", "old"), "2026-01-01T00:00:00Z", ()), Manual(Key("a", "new"), "2026-01-02T00:00:00Z", ())]
    assert [row.gateway.name for row in sorted(rows, key=lambda row: row.rank)] == ["old", "new"]
    same = [Manual(Key("b", "x"), "", ()), Manual(Key("a", "y"), "", ())]
    assert [row.gateway.name for row in sorted(same, key=lambda row: row.rank)] == ["y", "x"]


def _gateway(uid: str) -> Gateway:
    return Gateway(Metadata("gw", uid=uid), GatewaySpec("any"))
