"""From settled tables to changes of the catalog: names, audiences, removals, variants of single builds."""

from collections.abc import Mapping

import pytest

from tests.pipeline.documents import (
    authorities,
    backend,
    gateway,
    listener,
    policy,
    put,
    remove,
    route,
    rule,
    secret,
    service,
)
from xds_server.model.meta import Key
from xds_server.pipeline import program
from xds_server.pipeline.holds import Hold, HoldId
from xds_server.pipeline.options import Options
from xds_server.pipeline.program import Pipeline
from xds_server.pipeline.publisher import Change
from xds_server.routing.audience import ForGateway
from xds_server.routing.listener import Bind, Socket
from xds_server.wire.part import Part, leaves
from xds_server.xds.resource import Resource, ResourceType

GATEWAY = Key("default", "gw")
EVERYONE = ForGateway("default", "gw")
BUILD = "1.40.0"
ROUTE, LISTENER, SECRET = ResourceType.ROUTE, ResourceType.LISTENER, ResourceType.SECRET
TLS = {"protocol": "HTTPS", "tls": {"certificateRefs": [{"name": "c"}, {"name": "d"}]}}


@pytest.fixture
def pipeline() -> Pipeline:
    built = program.build(Options(any_class=True, strict=True))
    put(
        built,
        gateway("gw", listener("http"), listener("https", 443, **TLS)),
        service("s1"),
        secret("c", "c.example.com"),
        secret("d", "d.example.com"),
        route("shop", rules=[rule("/a", backend("s1")), rule("/b", backend("s1"))]),
    )
    return built


def settle(pipeline: Pipeline) -> Mapping[Change, Resource | None]:
    return pipeline.publisher.changes(pipeline.settle())


def hold(pipeline: Pipeline, type_: ResourceType, part: Part, hold: Hold | None = None) -> None:
    rejected = Hold(rejected=frozenset((part.hash,)), owners=part.owners)
    pipeline.inputs.holds.put(HoldId(GATEWAY, BUILD, type_, part.id), hold or rejected)


def leaf(pipeline: Pipeline, type_: ResourceType, name: str) -> Part:
    found = pipeline.leaf(HoldId(GATEWAY, BUILD, type_, name))
    assert found is not None
    return found


def test_everything_at_first_then_nothing(pipeline: Pipeline) -> None:
    changes = settle(pipeline)
    assert {f"{type_.value} {name}" for _, type_, name in changes} == {
        "clusters default/s1:80/auto",
        "endpoints default/s1:80",
        "listeners tcp-80",
        "listeners tcp-443",
        "secrets secret/default/c",
        "secrets secret/default/d",
        "routes http-80",
        "routes https-443/*",
    }
    assert {audience for audience, _, _ in changes} == {EVERYONE}
    assert settle(pipeline) == {}


def test_what_a_resource_needs_again_with_it(pipeline: Pipeline) -> None:
    changes = settle(pipeline)
    references = {name: one.references for (_, _, name), one in changes.items() if one is not None}
    assert references["default/s1:80/auto"] == ((ResourceType.ENDPOINT, "default/s1:80"),)
    assert references["tcp-443"] == ((SECRET, "secret/default/c"), (SECRET, "secret/default/d"))
    assert references["tcp-80"] == references["http-80"] == ()


def test_a_gateway_that_goes_takes_everything_with_it(pipeline: Pipeline) -> None:
    before = settle(pipeline)
    remove(pipeline, "Gateway", "gw")
    assert settle(pipeline) == dict.fromkeys(before)
    put(pipeline, gateway("gw", listener("http"), listener("https", 443, **TLS)))
    assert settle(pipeline).keys() == before.keys()


def test_listeners_that_swap_their_binds_are_replaced_and_not_removed(pipeline: Pipeline) -> None:
    """Two rows exchange names: whoever comes second must not take away what the first has put there."""
    settle(pipeline)
    pipeline.inputs.binds.put(GATEWAY, Bind(ports=((80, 443), (443, 80))))
    changes = settle(pipeline)
    assert {name for _, _, name in changes} == {"tcp-80", "tcp-443"}
    assert all(changes.values())
    assert pipeline.publisher.row_of((EVERYONE, LISTENER, "tcp-80")) == (
        "gateway.listeners",
        Socket(GATEWAY, "tcp", 443),
    )
    pipeline.inputs.binds.put(GATEWAY, Bind(ports=((80, 8080), (443, 80))))
    changes = settle(pipeline)
    assert {name for (_, _, name), one in changes.items() if one is None} == {"tcp-443"}


def test_a_port_that_cannot_be_bound_has_no_listener(pipeline: Pipeline) -> None:
    settle(pipeline)
    pipeline.inputs.binds.put(GATEWAY, Bind(unavailable=frozenset((80,))))
    assert settle(pipeline) == {(EVERYONE, LISTENER, "tcp-80"): None, (EVERYONE, ROUTE, "http-80"): None}


def test_a_held_rule_makes_a_variant_for_that_build_alone(pipeline: Pipeline) -> None:
    base = settle(pipeline)[EVERYONE, ROUTE, "http-80"]
    assert base is not None
    culprit = leaf(pipeline, ROUTE, "HTTPRoute/default/shop/0/0@80")
    hold(pipeline, ROUTE, culprit)
    changes = settle(pipeline)
    variant = changes.pop((EVERYONE._replace(build=BUILD), ROUTE, "http-80"))
    assert variant is not None
    assert [one.id for one in leaves(variant.part)] == [one.id for one in leaves(base.part)]
    changed = [new.id for old, new in zip(leaves(base.part), leaves(variant.part), strict=True) if old.data != new.data]
    assert changed == [culprit.id]
    assert variant.without == (culprit.hash,)
    assert changes[EVERYONE, ROUTE, "http-80"] == base, "the others' is published again, and is the same"


def test_a_hold_that_ends_takes_the_variant_away(pipeline: Pipeline) -> None:
    settle(pipeline)
    hold(pipeline, ROUTE, leaf(pipeline, ROUTE, "HTTPRoute/default/shop/0/0@80"))
    made = {change for change in settle(pipeline) if change[0] != EVERYONE}
    pipeline.inputs.holds.remove(HoldId(GATEWAY, BUILD, ROUTE, "HTTPRoute/default/shop/0/0@80"))
    assert {change for change, one in settle(pipeline).items() if one is None} == made


def test_a_held_host_has_no_virtual_host(pipeline: Pipeline) -> None:
    settle(pipeline)
    hold(pipeline, ROUTE, leaf(pipeline, ROUTE, "host *"))
    variant = settle(pipeline)[EVERYONE._replace(build=BUILD), ROUTE, "http-80"]
    assert variant is not None
    assert variant.part.parts == ()
    assert not variant.hides, "an empty RouteConfiguration is still one: a listener names it"


def test_a_held_chain_leaves_the_listener_without_it(pipeline: Pipeline) -> None:
    settle(pipeline)
    hold(pipeline, LISTENER, leaf(pipeline, LISTENER, "https-443/*"))
    changes = settle(pipeline)
    variant = changes[EVERYONE._replace(build=BUILD), LISTENER, "tcp-443"]
    assert variant is not None
    assert variant.hides, "it was the only chain"


def test_a_chain_names_the_certificates_that_are_left_and_goes_with_the_last(pipeline: Pipeline) -> None:
    """Envoy would wait for one that it is never sent, and not open the listener."""
    settle(pipeline)
    build = EVERYONE._replace(build=BUILD)
    hold(pipeline, SECRET, leaf(pipeline, SECRET, "secret/default/c"))
    changes = settle(pipeline)
    hidden, one = changes[build, SECRET, "secret/default/c"], changes[build, LISTENER, "tcp-443"]
    assert hidden is not None
    assert hidden.hides
    assert one is not None
    assert b"secret/default/d" in one.body
    assert b"secret/default/c" not in one.body
    hold(pipeline, SECRET, leaf(pipeline, SECRET, "secret/default/d"))
    listener_ = settle(pipeline)[build, LISTENER, "tcp-443"]
    assert listener_ is not None
    assert listener_.hides


def test_leaves_are_those_of_the_rules_that_made_them_though_the_bytes_are_the_same(pipeline: Pipeline) -> None:
    """Named rules that swap places give the same bytes, sorted by match as they are; who answers for them changes."""
    one, two = rule("/aa", backend("s1"), name="one"), rule("/b", backend("s1"), name="two")
    put(pipeline, route("shop", rules=[one, two]))
    before = settle(pipeline)[EVERYONE, ROUTE, "http-80"]
    put(pipeline, route("shop", rules=[two, one]))
    after = settle(pipeline)[EVERYONE, ROUTE, "http-80"]
    assert before is not None
    assert after is not None
    assert before.version == after.version
    owners = [[found.owners[0].field for found in leaves(part.part) if "@" in found.id] for part in (before, after)]
    assert owners == [["rules[0]", "rules[1]"], ["rules[1]", "rules[0]"]]
    for found in leaves(after.part):
        if "@" in found.id:
            assert leaf(pipeline, ROUTE, found.id).hash == found.hash


SECURED, CA = "default/s1:80/auto/tls/default/p", "ca/backendtlspolicy/default/p"


def test_a_build_that_trusts_others_has_another_cluster_whose_rejection_lasts(pipeline: Pipeline) -> None:
    """A hold is about the cluster that the build was sent, which is not what all others get."""
    put(pipeline, authorities("ca", "a.e.com"), policy("p", "s1"))
    settle(pipeline)
    before, plain = leaf(pipeline, SECRET, CA), leaf(pipeline, ResourceType.CLUSTER, SECURED)
    put(pipeline, authorities("ca", "b.e.com"))
    settle(pipeline)
    refused = leaf(pipeline, SECRET, CA)
    hold(pipeline, SECRET, refused, Hold(frozenset((refused.hash,)), stand_in=before))
    settle(pipeline)
    assert leaf(pipeline, ResourceType.CLUSTER, SECURED) == plain
    other = pipeline.leaf(HoldId(GATEWAY, "1.39.0", ResourceType.CLUSTER, SECURED))
    assert other is not None
    assert other.hash != plain.hash
    hold(pipeline, ResourceType.CLUSTER, plain)
    changed = settle(pipeline)[EVERYONE._replace(build=BUILD), ResourceType.CLUSTER, SECURED]
    assert changed is not None
    assert changed.hides
    assert leaf(pipeline, ResourceType.CLUSTER, SECURED).hash == plain.hash


def test_a_cluster_that_connects_to_nobody_waits_for_no_secret(pipeline: Pipeline) -> None:
    put(pipeline, authorities("ca", "a.e.com"), policy("p", "s1"))
    secured = settle(pipeline)[EVERYONE, ResourceType.CLUSTER, SECURED]
    assert secured is not None
    assert secured.references == ((ResourceType.ENDPOINT, "default/s1:80"), (SECRET, CA))
    hold(pipeline, SECRET, leaf(pipeline, SECRET, CA))
    closed = settle(pipeline)[EVERYONE._replace(build=BUILD), ResourceType.CLUSTER, SECURED]
    assert closed is not None
    assert closed.references == ()
    remove(pipeline, "ConfigMap", "ca")
    closed = settle(pipeline)[EVERYONE, ResourceType.CLUSTER, SECURED]
    assert closed is not None
    assert closed.references == ()
