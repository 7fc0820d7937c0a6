"""What differs between two sets of documents, Gateway by Gateway; what drains; which conditions turn."""

from collections.abc import Mapping
from typing import Any

import pytest
from envoy_data_plane.envoy.config.listener import v3 as api

from tests.pipeline.documents import Document, backend, gateway, listener, put, route, rule, secret, service, slice_
from xds_server.model.meta import Key
from xds_server.pipeline import program
from xds_server.pipeline.difference import GatewayChange, Verdict, World, gateway_changes, status_changes, world
from xds_server.pipeline.options import Options
from xds_server.routing.audience import ForGateway
from xds_server.wire.encode import encode
from xds_server.wire.part import Part
from xds_server.xds.resource import Resource, ResourceType

GATEWAY = Key("default", "gw")


def made(*documents: Document) -> World:
    pipeline = program.build(Options(any_class=True, strict=True))
    put(pipeline, *documents)
    changes = pipeline.publisher.changes(pipeline.settle())
    return world(pipeline.gateways(), [one for one in changes.values() if one is not None])


def https(name: str, *certificates: str, host: str = "") -> Document:
    more = {"hostname": host} if host else {}
    tls = {"certificateRefs": [{"name": one} for one in certificates]}
    return listener(name, 443, protocol="HTTPS", tls=tls, **more)


SECRETS = (secret("c", "c.e.com"), secret("d", "d.e.com"))


def changed(old: World, new: World) -> GatewayChange:
    """The one Gateway that changes."""
    (found,) = gateway_changes(old, new)
    return found


def told(change: GatewayChange) -> list[str]:
    return [f"{one.change} {one.type} {one.name}" for one in change.resources]


def drains(change: GatewayChange) -> list[str]:
    return [str(drain) for drain in change.drains]


def test_the_same_is_no_difference() -> None:
    documents = (gateway("gw", listener("http"), https("s", "c")), *SECRETS, service("s1"), route("r"))
    assert gateway_changes(made(*documents), made(*documents)) == ()
    assert gateway_changes({}, {}) == ()


def test_resources_that_come_and_go_in_the_order_of_pushes() -> None:
    old = made(gateway("gw", listener("http")), service("s1"), route("r", rules=[rule("/", backend("s1"))]))
    new = made(gateway("gw", listener("http"), https("s", "c")), *SECRETS)
    found = changed(old, new)
    assert (found.gateway, found.change) == ("default/gw", "changed")
    assert told(found) == [
        "removed clusters default/s1:80/auto",
        "removed endpoints default/s1:80",
        "added listeners tcp-443",
        "added secrets secret/default/c",
        "changed routes http-80",
        "added routes https-443/*",
    ]
    assert drains(found) == []


def test_only_the_gateway_that_changes_is_told() -> None:
    one, two = gateway("gw", listener("http")), gateway("two", listener("http"))
    more = gateway("two", listener("http"), listener("more", 81))
    assert changed(made(one, two), made(one, more)).gateway == "default/two"


def test_a_gateway_on_one_side_alone() -> None:
    one, none = made(gateway("gw", listener("http"))), made()
    came, went = changed(none, one), changed(one, none)
    assert (came.change, told(came), drains(came)) == ("added", ["added listeners tcp-80", "added routes http-80"], [])
    assert (went.change, drains(went)) == ("removed", ["listener tcp-80 drains: listener removed"])


def test_a_gateway_that_serves_nothing_still_comes() -> None:
    nothing = gateway("gw", https("s", "missing"))
    assert changed(made(), made(nothing)) == GatewayChange("default/gw", "added", (), ())  # type: ignore[arg-type]


def test_a_protocol_that_changes_names_another_cluster() -> None:
    h2c = service("s1")
    h2c["spec"]["ports"][0]["appProtocol"] = "kubernetes.io/h2c"
    documents = (gateway("gw", listener("http")), route("r", rules=[rule("/", backend("s1"))]))
    found = changed(made(service("s1"), *documents), made(h2c, *documents))
    assert told(found)[:2] == ["removed clusters default/s1:80/auto", "added clusters default/s1:80/http2"]
    assert drains(found) == []


def test_endpoints() -> None:
    documents = (gateway("gw", listener("http")), service("s1"), route("r", rules=[rule("/", backend("s1"))]))
    old = made(*documents, slice_("s1", "10.0.0.1", "10.0.0.2"))
    new = made(*documents, slice_("s1", "10.0.0.3", "10.0.0.1"))
    (endpoints,) = changed(old, new).resources
    assert (endpoints.type, endpoints.fields) == ("endpoints", ())
    assert [(one.address, one.change) for one in endpoints.endpoints] == [
        ("10.0.0.2:3000", "removed"),
        ("10.0.0.3:3000", "added"),
    ]


def test_an_endpoint_that_moves_to_another_zone() -> None:
    documents = (gateway("gw", listener("http")), service("s1"), route("r", rules=[rule("/", backend("s1"))]))

    def zone(name: str) -> Document:
        made = slice_("s1", "fd00::1")
        return made | {"addressType": "IPv6", "endpoints": [{"addresses": ["fd00::1"], "zone": name}]}

    (endpoints,) = changed(made(*documents, zone("a")), made(*documents, zone("b"))).resources
    (one,) = endpoints.endpoints
    assert (one.address, one.change, one.fields) == ("[fd00::1]:3000", "changed", ("locality.zone",))


def test_of_a_secret_its_name_alone_is_told() -> None:
    served = gateway("gw", https("s", "c"))
    (found,) = changed(made(served, secret("c", "c.e.com")), made(served, secret("c", "new.e.com"))).resources
    assert (found.type, found.name, found.change) == ("secrets", "secret/default/c", "changed")
    assert (found.fields, found.hosts, found.chains, found.endpoints) == ((), (), (), ())


def test_a_rotated_certificate_drains_nothing() -> None:
    served = gateway("gw", https("s", "c"))
    assert drains(changed(made(served, secret("c", "c.e.com")), made(served, secret("c", "new.e.com")))) == []


def test_chains_drain_alone() -> None:
    kept, edited, gone, come = (
        https("kept", "c", host="kept.e.com"),
        https("edited", "c", host="edited.e.com"),
        https("gone", "c", host="gone.e.com"),
        https("come", "c", host="come.e.com"),
    )
    two = https("edited", "c", "d", host="edited.e.com")
    found = changed(made(gateway("gw", kept, edited, gone), *SECRETS), made(gateway("gw", kept, two, come), *SECRETS))
    (one,) = [resource for resource in found.resources if resource.type == "listeners"]
    assert one.fields == ()
    assert [(chain.chain, chain.change) for chain in one.chains] == [
        ("edited.e.com", "changed"),
        ("gone.e.com", "removed"),
        ("come.e.com", "added"),
    ]
    assert drains(found) == [
        "listener tcp-443 chain edited.e.com drains: certificate list changed",
        "listener tcp-443 chain gone.e.com drains: filter chain removed",
    ]


def test_a_listener_on_another_port_is_another_one() -> None:
    found = changed(made(gateway("gw", listener("http"))), made(gateway("gw", listener("http", 81))))
    assert drains(found) == ["listener tcp-80 drains: listener removed"]


CHAIN = {"name": "a", "filter_chain_match": api.FilterChainMatch(server_names=["a"])}
OTHER = {"name": "b", "filter_chain_match": api.FilterChainMatch(server_names=["b"])}


def listeners(**fields: Any) -> World:
    """A world with one listener of these fields; chains are told by theirs."""
    chains = [api.FilterChain(**chain) for chain in fields.pop("filter_chains", [])]
    default = fields.pop("default", None)
    message = api.Listener(name="l", filter_chains=chains, **fields)
    if default is not None:
        message.default_filter_chain = api.FilterChain(**default)
    part = Part("l", encode(message))
    audience = ForGateway(*GATEWAY)
    return world([GATEWAY], [Resource(ResourceType.LISTENER, "l", audience, part)])


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ({"filter_chains": [CHAIN]}, {"filter_chains": [CHAIN, OTHER]}, []),
        ({"filter_chains": [CHAIN, OTHER]}, {"filter_chains": [OTHER, CHAIN]}, []),
        ({"filter_chains": [CHAIN]}, {"filter_chains": [CHAIN], "default": {"name": "d"}}, []),
        (
            {"filter_chains": [CHAIN]},
            {"filter_chains": [{**CHAIN, "filter_chain_match": api.FilterChainMatch(server_names=["z"])}]},
            ["chain a drains: match changed"],
        ),
        (
            {"filter_chains": [CHAIN], "default": {"name": "d"}},
            {"filter_chains": [CHAIN], "default": {"name": "e"}},
            ["chain (default) drains: name changed"],
        ),
        ({"filter_chains": [CHAIN]}, {"filter_chains": [CHAIN], "stat_prefix": "x"}, ["drains: stat_prefix changed"]),
        (
            {"filter_chains": [CHAIN]},
            {"filter_chains": [OTHER], "stat_prefix": "x", "tcp_backlog_size": 5},
            ["drains: stat_prefix, tcp_backlog_size changed"],
        ),
        ({"default": {"name": "d"}}, {"default": {"name": "e"}}, ["drains: filter chain (default) changed"]),
        ({"filter_chains": [{"name": ""}]}, {"filter_chains": []}, ["drains: filter chain #0 removed"]),
    ],
)
def test_what_of_a_listener_drains(old: Mapping[str, Any], new: Mapping[str, Any], expected: list[str]) -> None:
    found = gateway_changes(listeners(**old), listeners(**new))
    assert [drain for one in found for drain in drains(one)] == [f"listener l {text}" for text in expected]


def test_many_fields_are_counted() -> None:
    fields = {"stat_prefix": "x", "tcp_backlog_size": 5, "per_connection_buffer_limit_bytes": 1, "transparent": True}
    found = changed(listeners(filter_chains=[CHAIN]), listeners(filter_chains=[CHAIN], **fields, freebind=True))
    assert found.drains[0].reason.endswith(" and 2 more changed")


def verdict(
    reason: str, *, good: bool, object_: str = "HTTPRoute default/r", condition: str = "ResolvedRefs"
) -> Verdict:
    return Verdict(object_, "parent default/gw", condition, "True" if good else "False", reason, "why", good)


GOOD, BAD, WORSE = verdict("ResolvedRefs", good=True), verdict("BackendNotFound", good=False), verdict("X", good=False)


@pytest.mark.parametrize(
    ("old", "new", "turns"),
    [
        ([GOOD], [GOOD], []),
        ([BAD], [BAD], []),
        ([GOOD], [BAD], [("bad", "BackendNotFound", "ResolvedRefs")]),
        ([], [BAD], [("bad", "BackendNotFound", "")]),
        ([], [GOOD], []),
        ([BAD], [GOOD], [("good", "ResolvedRefs", "BackendNotFound")]),
        ([BAD], [WORSE], [("bad", "X", "BackendNotFound")]),
        ([BAD], [], []),
        ([BAD], [BAD, BAD], [("bad", "BackendNotFound", "BackendNotFound")]),
        ([BAD, BAD], [BAD, GOOD], []),
        ([GOOD, verdict("Y", good=False, condition="PartiallyInvalid")], [GOOD], [("good", "", "Y")]),
    ],
)
def test_conditions_that_turn(old: list[Verdict], new: list[Verdict], turns: list[tuple[str, str, str]]) -> None:
    assert [(one.turned, one.reason, one.was) for one in status_changes(old, new)] == turns


def test_what_goes_with_its_object_turns_nothing() -> None:
    other = verdict("ResolvedRefs", good=True, object_="HTTPRoute default/other")
    assert status_changes([BAD, other], [other]) == ()
