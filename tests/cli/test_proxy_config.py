"""What an Envoy has beside what it was meant to have."""

from xds_server.cli.envoy_dump import Held
from xds_server.cli.proxy_config import Line, Meant, _data, _lines, meant

SENT = Meant("v2", ("Service shop/cart",))


def test_what_is_as_it_was_sent() -> None:
    line = Line("one", Held("", "v2"), SENT)
    assert (line.difference, line.good, line.owners) == ("", True, ("Service shop/cart",))


def test_what_differs_is_told() -> None:
    differences = {
        "is v1, was sent v2": Line("one", Held("", "v1"), SENT),
        "not there": Line("one", None, SENT),
        "not meant any more": Line("one", Held("", "v1"), None),
        "rejected: no such filter": Line("one", Held("", "v1", error="no such filter"), SENT),
        "waits for something that it needs": Line("one", Held("", "v2", state="warming"), SENT),
        "of no version": Line("one", Held("", ""), SENT),
    }
    assert {line.difference: line.good for line in differences.values()} == dict.fromkeys(differences, False)


def test_a_listener_that_drains_goes_as_it_is_meant_to() -> None:
    line = Line("one", Held("", "v1", state="draining"), None)
    assert (line.difference, line.good) == ("drains, and goes", True)


def test_what_is_of_the_bootstrap_is_nobodys_fault() -> None:
    line = Line("xds", Held("", static=True), None)
    assert (line.difference, line.good) == ("of its bootstrap", True)
    broken = Line("xds", Held("", static=True, error="no file"), None)
    assert (broken.difference, broken.good) == ("rejected: no file", False)


def test_endpoints_have_no_version_and_are_compared_themselves() -> None:
    has = Held("", content=frozenset({"10.0.0.1:80", "10.0.0.2:80"}))
    same = Line("one", has, Meant("v2", (), has.content))
    assert (same.difference, same.good) == ("", True)
    other = Line("one", has, Meant("v2", (), frozenset({"10.0.0.1:80", "10.0.0.3:80"})))
    assert (other.difference, other.good) == ("lacks 10.0.0.3:80; has 10.0.0.2:80", False)


def test_pages_of_the_server_together() -> None:
    owners = {"one": {"version": "v1", "owners": ["Service shop/cart"]}, "two": {"version": "v2", "owners": []}}
    served = {"one": Held("", content=frozenset({"10.0.0.1:80"}))}
    assert meant(owners, served) == {
        "one": Meant("v1", ("Service shop/cart",), frozenset({"10.0.0.1:80"})),
        "two": Meant("v2"),
    }


def test_where_nobody_knows_what_was_sent_nothing_is_compared() -> None:
    (line,) = _lines({"one": Held("2 hosts", "v1")}, None)
    assert _data(line, known=False) == {"name": "one", "objects": [], "detail": "2 hosts", "version": "v1", "parts": []}
    (line,) = _lines({}, {"one": SENT})
    assert _data(line, known=True) == {
        "name": "one",
        "objects": ["Service shop/cart"],
        "meant": "v2",
        "difference": "not there",
        "good": False,
    }
