"""What addresses of Services come to; scenarios of the topic `places` show most of it."""

from xds_server.infra.manual import Reference
from xds_server.infra.service_addresses import Reached, place, reached
from xds_server.model.core import Ingress, LoadBalancer, Service, ServiceSpec, ServiceStatus
from xds_server.model.gateway import GatewayAddress
from xds_server.model.meta import Key, OwnedMetadata
from xds_server.semantics.addresses import CLUSTER, GatewayStatusAddress

KEY = Key("ns", "gw")


def balanced(*ips: str, asks: str | None = None) -> Reached:
    ingress = tuple(Ingress(ip) for ip in ips)
    spec = ServiceSpec("LoadBalancer", cluster_ip="10.96.0.1", load_balancer_ip=asks)
    return reached(KEY, Service(OwnedMetadata("gw", "ns"), spec, ServiceStatus(LoadBalancer(ingress))), "c.local")


def values(asked: GatewayAddress, service: Reached, *references: Reference) -> list[str]:
    return [one.value for one in place((asked,), {KEY: service}, references).addresses]


def test_an_old_service_has_one_cluster_ip() -> None:
    assert balanced().inside == (GatewayStatusAddress("IPAddress", "10.96.0.1", CLUSTER),)


def test_a_load_balancer_that_gave_nothing_usable_has_given_nothing() -> None:
    assert balanced().pending
    assert reached(
        KEY,
        Service(
            OwnedMetadata("gw", "ns"),
            ServiceSpec("LoadBalancer"),
            ServiceStatus(LoadBalancer((Ingress(hostname=""),))),
        ),
        "c.local",
    ).pending
    assert not balanced("192.0.2.1").pending


def test_what_a_load_balancer_gave_before_is_nothing_to_another_type() -> None:
    status = ServiceStatus(LoadBalancer((Ingress("192.0.2.1"),)))
    found = reached(KEY, Service(OwnedMetadata("gw", "ns"), ServiceSpec("NodePort"), status), "c.local")
    assert (found.outside, found.pending) == ((), False)


def test_addresses_are_compared_not_spelled() -> None:
    assert values(GatewayAddress(value="2001:db8:0:0::1"), balanced("2001:db8::1")) == ["2001:db8:0:0::1"]


def test_an_address_is_given_once() -> None:
    asked = (GatewayAddress(), GatewayAddress(value="2001:db8:0::1"))
    assert len(place(asked, {KEY: balanced("2001:db8::1")}).addresses) == 1
    assert len(place((), {KEY: balanced("192.0.2.1", "192.0.2.1")}).addresses) == 1


def test_no_more_than_a_status_can_have() -> None:
    assert len(place((), {KEY: balanced(*(f"192.0.2.{number}" for number in range(40)))}).addresses) == 16


def test_a_name_that_asks_for_the_inside_stays_a_name() -> None:
    reference = Reference("gw.ns.svc", KEY)
    service = balanced("192.0.2.1")
    assert values(GatewayAddress("Hostname", "gw.ns.svc"), service, reference) == ["192.0.2.1"]
    assert values(GatewayAddress("Hostname", "gw.ns.svc", CLUSTER), service, reference) == ["gw.ns.svc"]


def test_what_has_been_asked_for_may_come_soon() -> None:
    def settles(service: Reached | None, *asked: str) -> bool:
        services = {KEY: service} if service else {}
        problems = {} if service else {KEY: "it is not there yet"}
        return place(tuple(GatewayAddress(value=one) for one in asked), services, (), problems).settles

    assert settles(None, "192.0.2.1")
    assert settles(balanced(), "192.0.2.1"), "the Service does not ask for it"
    assert settles(balanced("192.0.2.2", asks="192.0.2.2"), "192.0.2.1"), "it asks for what was asked for before"
    assert settles(balanced(asks="192.0.2.1"), "192.0.2.1"), "the load balancer has not answered"
    assert not settles(balanced("192.0.2.1", asks="192.0.2.1"), "192.0.2.1")
    assert not settles(balanced("192.0.2.1", asks="192.0.2.1"), "192.0.2.1", "192.0.2.2"), "nobody asks for the second"
    assert not settles(balanced("192.0.2.1"), "nonsense")
    assert not settles(balanced()), "nothing in particular was asked for"


def test_a_service_that_is_named_is_not_asked_for_addresses() -> None:
    asked = (GatewayAddress("Hostname", "gw"), GatewayAddress(value="192.0.2.9"), GatewayAddress(value="192.0.2.1"))
    found = place(asked, {KEY: balanced("192.0.2.1")}, [Reference("gw", KEY)])
    assert [one.problem and one.problem.message for one in found.given] == [
        None,
        "192.0.2.9 is not where Service ns/gw is (192.0.2.1, 10.96.0.1)",
        None,
    ]
