"""Routes and virtual hosts, from documents: which rule is told to be added, removed, changed or only renamed."""

from tests.pipeline.documents import Document, backend, gateway, listener, put, route, rule, service
from xds_server.pipeline import program
from xds_server.pipeline.host_difference import HostChange, host_changes
from xds_server.pipeline.options import Options
from xds_server.wire.part import Part

GATEWAY = gateway("gw", listener("http"))
A, B, C = (rule(f"/{name}", backend("s1")) for name in "abc")


def routes(*documents: Document) -> Part:
    """The RouteConfiguration of the one port."""
    pipeline = program.build(Options(any_class=True, strict=True))
    put(pipeline, GATEWAY, service("s1"), service("s2"), *documents)
    changes = pipeline.publisher.changes(pipeline.settle())
    return next(one.part for (_, _, name), one in changes.items() if one is not None and name == "http-80")


def told(old: list[Document], new: list[Document]) -> dict[str, list[str]]:
    """By host: how it changes, and a text for each of its routes."""
    found = {}
    for host in host_changes(routes(*old), routes(*new)):
        texts = [f"{host.change}{f' instead {host.instead}' if host.instead else ''}"]
        for one in host.routes:
            was = f" was {one.was.partition('@')[0].rpartition('default/')[2]}" if one.was else ""
            texts.append(f"{one.change} {one.object} {one.rule}/{one.match}{was} {' '.join(one.fields)}".strip())
        found[host.host] = texts
    return found


def shop(*rules: Document, hosts: tuple[str, ...] = ("shop.e.com",), name: str = "shop") -> Document:
    return route(name, hosts=hosts, rules=list(rules))


def test_the_same_is_no_difference() -> None:
    assert told([shop(A, B)], [shop(A, B)]) == {}


def test_a_rule_added_at_the_end_and_removed_again() -> None:
    assert told([shop(A)], [shop(A, B)]) == {"shop.e.com": ["changed", "added HTTPRoute default/shop 1/0"]}
    assert told([shop(A, B)], [shop(A)]) == {"shop.e.com": ["changed", "removed HTTPRoute default/shop 1/0"]}


def test_a_rule_put_before_others_renames_them() -> None:
    assert told([shop(A, B)], [shop(C, A, B)]) == {
        "shop.e.com": [
            "changed",
            "added HTTPRoute default/shop 0/0",
            "renamed HTTPRoute default/shop 1/0 was shop/0/0",
            "renamed HTTPRoute default/shop 2/0 was shop/1/0",
        ]
    }


def test_the_first_of_several_rules_removed() -> None:
    assert told([shop(A, B)], [shop(B)]) == {
        "shop.e.com": [
            "changed",
            "renamed HTTPRoute default/shop 0/0 was shop/1/0",
            "removed HTTPRoute default/shop 0/0",
        ]
    }


def test_a_changed_rule_names_the_fields() -> None:
    assert told([shop(A, B)], [shop(A, rule("/b", backend("s2")))]) == {
        "shop.e.com": ["changed", "changed HTTPRoute default/shop 1/0 route.cluster"]
    }
    assert told([shop(A)], [shop(B)]) == {
        "shop.e.com": ["changed", "changed HTTPRoute default/shop 0/0 match.path_separated_prefix"]
    }


def test_a_rule_that_is_moved_and_changed_is_known_by_its_match() -> None:
    assert told([shop(A, B)], [shop(C, A, rule("/b", backend("s2")))])["shop.e.com"] == [
        "changed",
        "added HTTPRoute default/shop 0/0",
        "renamed HTTPRoute default/shop 1/0 was shop/0/0",
        "changed HTTPRoute default/shop 2/0 was shop/1/0 route.cluster",
    ]


def test_a_rule_of_another_name_does_what_it_did() -> None:
    assert told([shop({**A, "name": "one"})], [shop({**A, "name": "two"})]) == {
        "shop.e.com": ["changed", "renamed HTTPRoute default/shop 0/0 was shop/0/0"]
    }


def test_a_route_of_another_name_is_another_route() -> None:
    assert told([shop(A)], [shop(A, name="other")]) == {
        "shop.e.com": ["changed", "added HTTPRoute default/other 0/0", "removed HTTPRoute default/shop 0/0"]
    }


def test_a_backend_more_makes_other_envoy_routes() -> None:
    mirrored = {"type": "RequestMirror", "requestMirror": {"backendRef": {"name": "s2", "port": 80}}}
    split = rule("/a", backend("s1", filters=[mirrored]), backend("s2"))
    assert told([shop(A)], [shop(split)]) == {"shop.e.com": ["changed", "changed HTTPRoute default/shop 0/0 routes"]}


def test_a_new_host_is_compared_with_what_served_it() -> None:
    wide = shop(A, hosts=("*.e.com",), name="wide")
    new = {"a.e.com": ["added instead *.e.com", "added HTTPRoute default/shop 0/0"]}
    old = {"a.e.com": ["removed instead *.e.com", "removed HTTPRoute default/shop 0/0"]}
    narrow = shop(B, hosts=("a.e.com",))
    assert told([wide], [wide, narrow]) == new
    assert told([wide, narrow], [wide]) == old


def test_a_new_host_that_nothing_served() -> None:
    assert told([shop(A)], [shop(A), shop(A, hosts=("a.org",), name="o")]) == {
        "a.org": ["added", "added HTTPRoute default/o 0/0"]
    }


def test_a_rule_of_a_wider_host_shows_under_every_host_it_serves() -> None:
    narrow, wide = shop(B, hosts=("a.e.com",)), shop(A, hosts=("*.e.com",), name="wide")
    found = told([narrow, wide], [narrow, shop(C, hosts=("*.e.com",), name="wide")])
    change = "changed HTTPRoute default/wide 0/0 match.path_separated_prefix"
    assert found == {"*.e.com": ["changed", change], "a.e.com": ["changed", change]}


def test_another_order_of_the_same_routes() -> None:
    older = {"creationTimestamp": "2020-01-01T00:00:00Z"}
    younger = {"creationTimestamp": "2021-01-01T00:00:00Z"}
    one, two = (route(name, hosts=["e.com"], rules=[A]) for name in ("one", "two"))
    old = [{**one, "metadata": {**one["metadata"], **older}}, {**two, "metadata": {**two["metadata"], **younger}}]
    new = [{**one, "metadata": {**one["metadata"], **younger}}, {**two, "metadata": {**two["metadata"], **older}}]
    (found,) = host_changes(routes(*old), routes(*new))
    assert (found.host, found.reordered, found.routes) == ("e.com", True, ())


def test_all_hosts_of_a_route_configuration_that_comes_or_goes() -> None:
    part = routes(shop(A))
    assert [(one.host, one.change) for one in host_changes(None, part)] == [("shop.e.com", "added")]
    assert [(one.host, one.change) for one in host_changes(part, None)] == [("shop.e.com", "removed")]


def test_what_a_virtual_host_has_besides_routes() -> None:
    top = Part("host a", b"\x0a\x01a\x12\x01a")
    old, new = (
        Part("rc", b"", parts=(Part("a", data, parts=(head,)),)) for data, head in ((b"1", top), (b"2", _more(top)))
    )
    assert list(host_changes(old, new)) == [HostChange("a", "changed", fields=("domains",))]  # type: ignore[arg-type]


def _more(top: Part) -> Part:
    return Part(top.id, top.data + b"\x12\x01b")


def test_filters_of_a_listener_are_settings_of_its_hosts() -> None:
    """What their last route answers is no route of anybody."""
    auth = {"protocol": "GRPC", "grpc": {}, "backendRef": {"name": "s1", "port": 80}}
    requests = [{"type": "ExternalAuth", "externalAuth": auth}]
    checked = gateway("gw", listener("http", hostname="*.e.com", filters={"requests": requests}))
    plain = gateway("gw", listener("http", hostname="*.e.com"))
    before, after = routes(plain, shop(A)), routes(checked, shop(A))
    for old, new in ((before, after), (after, before)):
        changes = {one.host: (one.change, one.routes, one.fields) for one in host_changes(old, new)}
        assert changes == dict.fromkeys(("*.e.com", "shop.e.com"), ("changed", (), ("typed_per_filter_config",)))
