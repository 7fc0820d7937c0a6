"""Which ports are bound; scenarios of the topic `places` show what is said of those that are not."""

from xds_server.infra.proxies import NamedPort, Proxy
from xds_server.infra.target_ports import Port, Ports, by_name, own, shared, told, without_taken
from xds_server.model.core import Service, ServicePort, ServiceSpec
from xds_server.model.meta import Key, OwnedMetadata
from xds_server.routing.listener import Bind

A, B = Key("ns", "a"), Key("ns", "b")
HTTP, HTTPS, DNS = Port("tcp", 80), Port("tcp", 443), Port("udp", 53)


def service(*ports: ServicePort) -> Service:
    return Service(OwnedMetadata("s", "ns"), ServiceSpec(ports=ports))


def pod(created: str, **ports: int) -> Proxy:
    named = tuple(NamedPort(name, "TCP", number) for name, number in ports.items())
    return Proxy((), (A,), "default", terminating=False, ports=named, created=created)


def test_ports_of_a_gateway_of_its_own_are_bound_as_they_are() -> None:
    ports = own([HTTP, HTTPS], None)
    assert ports.bound == {HTTP: 80, HTTPS: 443}
    assert ports.as_they_are


def test_parameters_may_lead_its_service_elsewhere() -> None:
    ports = own([HTTP, HTTPS], service(ServicePort(80, target_port=8080), ServicePort(443, target_port="web")))
    assert ports.bound == {HTTP: 8080, HTTPS: 443}
    assert not ports.as_they_are


def test_ports_that_envoy_uses_itself_are_not_bound_over_tcp() -> None:
    ports = own([Port("tcp", 15021), Port("tcp", 15000), Port("udp", 15021)], None)
    assert list(ports.bound) == [Port("udp", 15021)]
    assert list(ports.unbound) == [Port("tcp", 15021), Port("tcp", 15000)]


def test_the_first_service_that_has_a_port_says_what_it_comes_to() -> None:
    ports = shared(
        [HTTP, HTTPS],
        {A: service(ServicePort(80, target_port=8080)), B: service(ServicePort(80), ServicePort(443))},
        {},
    )
    assert ports.bound == {HTTP: 8080, HTTPS: 443}
    assert ports.unbound == {}
    assert ports.lacking == {
        A: {HTTPS: "Service ns/a has no port 443"},
        B: {HTTP: "Service ns/b leads port 80 to 80, and Service ns/a to 8080"},
    }


def test_a_target_of_zero_is_none() -> None:
    assert shared([HTTP], {A: service(ServicePort(80, target_port=0))}, {}).bound == {HTTP: 80}


def test_a_named_port_is_that_of_the_newest_pod_that_has_it() -> None:
    named = service(ServicePort(80, target_port="web"))
    pods = [
        pod("2026-01-01T00:00:00Z", web=1),
        pod("2026-01-03T00:00:00Z", other=3),
        pod("2026-01-02T00:00:00Z", web=2),
    ]
    assert by_name(named)
    assert shared([HTTP], {A: named}, {A: pods}).bound == {HTTP: 2}
    assert shared([HTTP], {A: named}, {A: pods[1:2]}).bound == {}


def test_ports_of_both_transports_are_others() -> None:
    ports = shared([Port("tcp", 53), DNS], {A: service(ServicePort(53, protocol="UDP", target_port=5353))}, {})
    assert ports.bound == {DNS: 5353}
    assert ports.bind() == Bind(
        ports=(), udp_ports=((53, 5353),), unavailable=frozenset([53]), udp_unavailable=frozenset(), placed_only=True
    )


def test_without_any_service_the_reason_is_the_one_given() -> None:
    assert shared([HTTP], {}, {}, "Service ns/a does not exist").unbound == {HTTP: "Service ns/a does not exist"}


def test_who_goes_before_keeps_its_ports_and_places() -> None:
    ports = Ports({HTTP: 8080, HTTPS: 8443, DNS: 53}, {}, {A: {}})
    left = without_taken(ports, [(B, Ports({HTTP: 1})), (Key("ns", "c"), Ports({HTTP: 2, Port("tcp", 1): 8443}))])
    assert left.bound == {DNS: 53}
    assert left.unbound == {
        HTTP: "port 80 is that of Gateway ns/b, which goes before",
        HTTPS: "port 443 leads to 8443, as does port 1 of Gateway ns/c, which goes before",
    }
    assert left.lacking[A][HTTP] == "port 80 of Service ns/a is that of Gateway ns/b, which goes before"
    assert without_taken(ports, [(B, Ports({Port("udp", 80): 8080}))]) is ports


def test_only_ports_of_listeners_are_told_of() -> None:
    assert told({HTTP: "no 80", DNS: "no 53"}, {HTTP: ("a", "b")}) == "no 80 (listener a, b)"
    assert told({DNS: "no 53"}, {HTTP: ("a",)}) == ""
