"""`xds-server status`, asked of an API server that answers."""

from pathlib import Path

import pytest

from tests.cli.api_server import ApiServer, Json, serving
from tests.cli.command import Output, invoke
from tests.pipeline import documents as doc
from xds_server.settings import CONTROLLER_NAME

CLASS = doc.document("GatewayClass", "any", {"controllerName": CONTROLLER_NAME}, "")
THEIRS = doc.document("GatewayClass", "nginx", {"controllerName": "nginx.test/controller"}, "")
GATEWAY = doc.gateway("gw", doc.listener("web"), namespace="mine")


def of_class(name: str, class_: str, namespace: str = "mine") -> doc.Document:
    made = doc.gateway(name, doc.listener("web"), namespace=namespace)
    made["spec"]["gatewayClassName"] = class_
    return made


def status(folder: Path, documents: list[Json], *words: str) -> Output:
    with serving(ApiServer(documents), folder) as kubeconfig:
        return invoke("status", *words, "--kubeconfig", kubeconfig)


def notes(found: Output) -> list[str]:
    """Without those of servers, of which there are none here."""
    return [line for line in found.errors if "what Envoys have" not in line]


NAMED = {
    "other": "Gateway mine/other is there, and not ours: its GatewayClass nginx is of controller nginx.test/controller,"
    f" not of {CONTROLLER_NAME}",
    "lost": "Gateway mine/lost is there, and nobody's: there is no GatewayClass missing",
    "none": "there is no Gateway mine/none",
}


@pytest.mark.parametrize("name", NAMED)
def test_of_a_gateway_that_is_not_ours_it_is_said_whose_it_is(name: str, tmp_path: Path) -> None:
    world = [CLASS, THEIRS, GATEWAY, of_class("other", "nginx"), of_class("lost", "missing")]
    found = status(tmp_path, world, f"mine/{name}")
    assert (found.status, found.out, notes(found)) == (2, "", [f"error: {NAMED[name]}"])


def test_a_gateway_that_cannot_be_read_is_there(tmp_path: Path) -> None:
    broken = doc.document("Gateway", "broken", {"gatewayClassName": 7}, "mine")
    found = status(tmp_path, [CLASS, broken], "broken")
    assert (found.status, found.out) == (2, "")
    assert notes(found)[0].startswith("error: it cannot be read: Gateway mine/broken: ")


def test_gateways_of_other_classes_are_counted(tmp_path: Path) -> None:
    world = [CLASS, THEIRS, of_class("a", "nginx"), of_class("b", "missing"), of_class("c", "nginx", "other")]
    everywhere, own = (status(tmp_path, world, *words) for words in (("-A",), ()))
    assert (everywhere.status, everywhere.out) == (0, "no Gateway is served\n")
    assert notes(everywhere) == ["note: 3 Gateways are of other classes; status NAMESPACE/NAME says of which"]
    assert notes(own) == ["note: 2 Gateways are of other classes; status NAMESPACE/NAME says of which"]
    ours = status(tmp_path, [CLASS, GATEWAY], "-A")
    assert (notes(ours), "Gateway mine/gw" in ours.out) == ([], True)


def to(name: str, *gateways: str, namespace: str = "mine") -> doc.Document:
    made = doc.route(name, namespace=namespace)
    made["spec"]["parentRefs"] = [{"name": one, "namespace": "mine"} for one in gateways]
    return made


def test_routes_whose_gateway_is_missing_are_shown_without_any_gateway(tmp_path: Path) -> None:
    routes = [to("lost", "nowhere"), to("else", "nowhere", namespace="other")]
    everywhere, own = (status(tmp_path, [CLASS, *routes], *words) for words in (("-A",), ()))
    assert everywhere.status == own.status == 1
    assert everywhere.out.splitlines() == [
        "no Gateway is served",
        "HTTPRoute mine/lost  not attached",
        "  ! there is no Gateway mine/nowhere",
        "HTTPRoute other/else  not attached",
        "  ! there is no Gateway mine/nowhere",
    ]
    assert own.out.splitlines()[1:] == everywhere.out.splitlines()[1:3]


def test_they_stand_last_and_a_gateway_of_others_is_not_missing(tmp_path: Path) -> None:
    world = [CLASS, THEIRS, GATEWAY, of_class("other", "nginx"), to("both", "gw", "nowhere"), to("theirs", "other")]
    found = status(tmp_path, world, "-A")
    assert found.out.splitlines()[-2:] == ["HTTPRoute mine/both", "  ! there is no Gateway mine/nowhere"]
    assert "theirs" not in found.out
    assert "nowhere" not in status(tmp_path, world, "mine/gw").out


def test_a_gateway_that_cannot_be_read_is_not_missing(tmp_path: Path) -> None:
    broken = doc.document("Gateway", "broken", {"gatewayClassName": 7}, "mine")
    found = status(tmp_path, [CLASS, broken, to("cart", "broken")], "-A")
    assert found.out.splitlines()[-1].startswith("  ! Gateway mine/broken cannot be read: ")


def test_nothing_is_missing_of_what_may_not_be_read(tmp_path: Path) -> None:
    route = to("cart", "set")
    route["spec"]["parentRefs"][0]["kind"] = "ListenerSet"
    assert "there is no ListenerSet mine/set" in status(tmp_path, [CLASS, route], "-A").out
    with serving(ApiServer([CLASS, route], ["listenersets"]), tmp_path) as kubeconfig:
        found = invoke("status", "-A", "--kubeconfig", kubeconfig)
    assert (found.status, found.out) == (0, "no Gateway is served\n")
