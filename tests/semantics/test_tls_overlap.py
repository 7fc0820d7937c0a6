"""Listeners with hosts in common, by hostname and by certificate: every pair, beside a plain comparison of all."""

import itertools
import random

from xds_server.model.meta import Key
from xds_server.routing.hostname import intersect
from xds_server.routing.listener import ListenerId
from xds_server.semantics.tls_overlap import Secured, find

HOSTNAMES = (
    "*",
    "*.com",
    "*.example.com",
    "a.example.com",
    "b.a.example.com",
    "*.a.example.com",
    "example.com",
    "x.org",
)
NAMES = ("*", "*.example.com", "a.example.com", "b.a.example.com", "*.a.example.com", "example.com", "x.org")


def listener(name: str, hostname: str, *names: str, port: int = 443, set_: str = "") -> Secured:
    own = ListenerId(Key("default", "gw"), name)
    return Secured(own._replace(set=Key("other", set_)) if set_ else own, port, hostname, names)


def same_host(one: str, other: str) -> bool:
    """Is there a host for which both certificates are?"""

    def hosts(name: str) -> set[str]:
        return {name.replace("*", label, 1) for label in ("a", "b", "example", "z")}

    return one == other or bool("." in one and "." in other and hosts(one) & hosts(other))


def test_found_is_what_overlaps_and_nothing_else() -> None:
    randomly = random.Random(7)
    for _ in range(500):
        hostnames = randomly.sample(HOSTNAMES, randomly.randint(1, 5))
        group = [listener(one, one, *randomly.sample(NAMES, randomly.randint(0, 2))) for one in hostnames]
        found = find(group)
        for one in group:
            others = [other for other in group if other is not one]
            by_host = any(intersect(one.hostname, other.hostname) for other in others)
            by_name = any(same_host(*pair) for other in others for pair in itertools.product(one.names, other.names))
            reason = "OverlappingCertificates" if by_name else "OverlappingHostnames" if by_host else None
            assert (found[one.id].reason if one.id in found else None) == reason, (one, others)


def test_ports_are_apart() -> None:
    assert find([listener("a", "a.org", "a.org"), listener("b", "a.org", "a.org", port=8443)]) == {}


def test_a_listener_of_another_object_is_named_with_it() -> None:
    a, b = listener("a", "*.org"), listener("b", "b.org", set_="team")
    found = find([a, b])
    assert found[a.id].message == "hostname *.org overlaps with that of listener b of ListenerSet other/team"
    assert found[b.id].message == "hostname b.org overlaps with that of listener a of Gateway default/gw"


def test_a_thousand_listeners_of_one_certificate() -> None:
    names = [f"{index}.example.com" for index in range(50)]
    group = [listener(str(index), f"{index}.example.org", *names) for index in range(1000)]
    found = find(group)
    assert len(found) == 1000
    assert (
        found[group[500].id].message
        == "certificates have hosts in common with those of listeners 0, 1, 2, 3 and others"
    )
