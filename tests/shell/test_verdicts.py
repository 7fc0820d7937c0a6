from collections.abc import MutableMapping
from typing import Any

from structlog.testing import capture_logs

from tests.pipeline.documents import Document, backend, document, gateway, listener, route, rule, service
from xds_server.control import Round
from xds_server.model.document import Fault, Ignored
from xds_server.model.kinds import kind_of
from xds_server.model.meta import Key
from xds_server.model.parse import parse
from xds_server.pipeline.options import Options
from xds_server.pipeline.program import build
from xds_server.shell.verdicts import VerdictLog


class World:
    """A pipeline, and what is logged of what it settles."""

    def __init__(self, *, files: bool = True) -> None:
        self.pipeline = build(Options(any_class=True, strict=True))
        self.log = VerdictLog(self.pipeline, files=files)

    def lines(self, *documents: Document) -> list[MutableMapping[str, Any]]:
        for one in documents:
            value = parse(one)
            assert not isinstance(value, Fault | Ignored), value
            self.pipeline.inputs.put(kind_of(value).kind, value.metadata.key, value)
        with capture_logs() as lines:
            self.log.settled(Round(self.pipeline.settle(), 0.0, 1, 0))
        return lines

    def gone(self, kind: str, name: str) -> list[tuple[str, str, str]]:
        self.pipeline.inputs.remove(kind, Key("" if kind == "GatewayClass" else "default", name))
        return self.told()

    def told(self, *documents: Document) -> list[tuple[str, str, str]]:
        lines = self.lines(*documents)
        return [(line["event"], line.get("code", ""), line.get("object", line.get("gateway"))) for line in lines]


A = route("a", rules=[rule("/", backend("s1"))])


def test_what_turns_bad_is_told_once_with_its_code_and_when_it_is_good_again() -> None:
    world = World()
    assert world.told(gateway("gw", listener("http")), A) == [("not good", "XDS0701", "HTTPRoute default/a")]
    assert world.told(document("ConfigMap", "c")) == []
    assert world.told(service("s1")) == [("good again", "", "HTTPRoute default/a")]


def test_each_listener_has_its_code() -> None:
    found = World().told(gateway("gw", listener("a", protocol="example.com/odd"), listener("b", 443, protocol="HTTPS")))
    assert {code for _, code, _ in found} >= {"XDS0401", "XDS0501"}


def test_in_a_cluster_gateways_of_others_are_nothing_to_tell() -> None:
    class_ = document("GatewayClass", "any", {"controllerName": "example.com/other"}, "")
    (line,) = World(files=False).lines(class_, gateway("gw", listener("http")))
    assert (line["event"], line["log_level"]) == ("gateway not served", "debug")
    (line,) = World(files=False).lines(A)
    assert line["message"] == "there is no Gateway default/gw"


def test_a_gateway_of_others_has_its_code() -> None:
    class_ = document("GatewayClass", "any", {"controllerName": "example.com/other"}, "")
    assert World().told(class_, gateway("gw", listener("http"))) == [("gateway not served", "XDS0303", "default/gw")]


def test_what_is_deleted_is_not_good_again() -> None:
    world = World()
    world.told(gateway("gw", listener("http")), A)
    assert world.gone("HTTPRoute", "a") == []


def test_a_route_whose_gateway_is_deleted_says_so_and_not_that_it_is_good() -> None:
    world = World()
    world.told(gateway("gw", listener("http")), A, route("b"), service("s1"))
    assert world.gone("Gateway", "gw") == [
        ("not good", "XDS0604", "HTTPRoute default/a"),
        ("not good", "XDS0604", "HTTPRoute default/b"),
    ]
    assert world.told(gateway("gw", listener("http"))) == [
        ("good again", "", "HTTPRoute default/a"),
        ("good again", "", "HTTPRoute default/b"),
    ]


def test_a_route_whose_gateway_was_never_there_says_so() -> None:
    assert World().told(route("b")) == [("not good", "XDS0604", "HTTPRoute default/b")]


def test_a_route_whose_gateway_becomes_anothers_is_not_good_again() -> None:
    world = World()
    world.told(gateway("gw", listener("http")), A)
    class_ = document("GatewayClass", "any", {"controllerName": "example.com/other"}, "")
    assert world.told(class_) == [("gateway not served", "XDS0303", "default/gw")]


def test_a_cause_is_told_once_whichever_conditions_say_it() -> None:
    odd = gateway("gw", listener("a", protocol="HTTP"), listener("b", 80, protocol="TCP"))
    found = [line for line in World().lines(odd) if line["part"].startswith("listener ")]
    assert [(line["part"], line["condition"], line["reason"]) for line in found] == [
        ("listener a", "Accepted, Conflicted, Programmed", "ProtocolConflict"),
        ("listener b", "Accepted, Conflicted, Programmed", "ProtocolConflict"),
    ]


def test_whoever_wants_to_hears_of_each_line() -> None:
    world, heard = World(), []
    world.log.told = lambda about, checks, message: heard.append((str(about), [one.code for one in checks], message))
    world.told(gateway("gw", listener("http")), A)
    ((about, code, message),) = heard
    assert (about, code) == ("HTTPRoute default/a", ["XDS0701"])
    assert message.startswith("parent default/gw: rules[0]")


def test_each_problem_of_one_message_is_heard_of() -> None:
    world, heard = World(), []
    world.log.told = lambda _, checks, __: heard.append([one.code for one in checks])
    world.told(
        gateway("gw", listener("http")), route("a", rules=[rule("/", backend("s1"), backend("s2", namespace="other"))])
    )
    assert heard == [["XDS0701", "XDS0704"]]
