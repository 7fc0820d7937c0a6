"""How proxies are named on a command line, and which of two streams counts."""

from typing import Any

import pytest
import typer

from xds_server.cli.proxies import Connection, Unconnected, _lonely, nacks, pod_key
from xds_server.model.meta import Key
from xds_server.shell.kube.servers import Replica


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("gw-1", Key("shop", "gw-1")),
        ("gw-1.edge", Key("edge", "gw-1")),
        ("edge/gw-1", Key("edge", "gw-1")),
        ("gw.v1.edge", Key("edge", "gw.v1")),
    ],
)
def test_a_pod_is_named_in_three_ways(text: str, key: Key) -> None:
    assert pod_key(text, "shop") == key


@pytest.mark.parametrize("text", ["/gw", "edge/", "a/b/c"])
def test_what_names_no_pod_is_wrong_usage(text: str) -> None:
    with pytest.raises(typer.Exit):
        pod_key(text, "shop")


def test_a_connection_tells_of_its_record() -> None:
    nack = {"at": "now", "resources": ["tcp-80"], "detail": "no"}
    record: dict[str, Any] = {
        "node": "gateway~gw-1.shop",
        "serves": ["shop/gw"],
        "in_sync": False,
        "types": {"listeners": {"last_nack": nack}, "routes": {"last_nack": None}},
    }
    found = Connection(Replica("one"), record)
    assert (found.pod, found.gateways, found.in_sync) == (Key("shop", "gw-1"), ("shop/gw",), False)
    assert list(nacks(record)) == [("listeners", nack)]


def test_ready_pods_of_gateways_may_be_unconnected() -> None:
    def pod(ready: str = "True", **metadata: Any) -> dict[str, Any]:
        labels = {"gateway.networking.k8s.io/gateway-name": "gw"}
        return {
            "metadata": {"name": "gw-1", "namespace": "shop", "labels": labels, **metadata},
            "status": {"conditions": [{"type": "Ready", "status": ready}]},
        }

    assert _lonely(pod()) == Unconnected(Key("shop", "gw-1"), "shop/gw")
    assert [_lonely(one) for one in (pod("False"), pod(labels={}), pod(deletionTimestamp="now"))] == [None] * 3
