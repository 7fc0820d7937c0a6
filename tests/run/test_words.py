"""What is said of files that are odd, and not said of our own configuration."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.ports import free_port
from tests.run.files import gateway, route, write
from tests.run.process import Server
from tests.run.traffic import until_status
from tests.traffic.authority import Authority

pytestmark = pytest.mark.asyncio(loop_scope="module")

EXPERIMENTAL = "gateway.networking.x-k8s.io"
HOST = "app.example.com"


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Server]:
    async with Server(tmp_path_factory.mktemp("words"), port_offset=free_port() - 80) as running:
        yield running


def _files(folder: Path, port: int) -> None:
    """An XBackend on this machine, and HTTPS that asks clients for a certificate without insisting."""
    servers = Authority("servers")
    pair = servers.issue(HOST)
    cert = {
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "cert"}, "type": "kubernetes.io/tls",
        "stringData": {"tls.crt": pair.certificate, "tls.key": pair.key},
    }  # fmt: skip
    ca = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "ca"}, "data": {"ca.crt": servers.pem}}
    reference = {"group": "", "kind": "ConfigMap", "name": "ca"}
    validation = {"caCertificateRefs": [reference], "mode": "AllowInsecureFallback"}
    https = {"name": "https", "port": 443, "protocol": "HTTPS", "tls": {"certificateRefs": [{"name": "cert"}]}}
    of_gateway = gateway("gw", 80, listeners=[https])
    of_gateway["spec"]["tls"] = {"frontend": {"default": {"validation": validation}}}
    here = {
        "apiVersion": f"{EXPERIMENTAL}/v1alpha1", "kind": "XBackend", "metadata": {"name": "here"},
        "spec": {"type": "ExternalHostname", "externalHostname": {"hostname": "localhost"}, "port": {"number": port}},
    }  # fmt: skip
    to_here = route("here", "gw", HOST)
    to_here["spec"]["rules"][0]["backendRefs"] = [{"group": EXPERIMENTAL, "kind": "XBackend", "name": "here"}]
    to_here["spec"]["hostnam"] = [HOST]
    write(folder / "all.yaml", cert, ca, of_gateway, here)
    write(folder / "route.yaml", to_here)


async def test_a_folder_without_a_gateway_is_told(server: Server) -> None:
    await server.says(r"nothing is served .*there is no Gateway among the files")


async def test_localhost_is_served_and_envoy_warns_of_nothing(server: Server) -> None:
    mark = len(server.lines)
    _files(server.folder, int(server.echo.rpartition(":")[2]))
    await until_status(f"http://127.0.0.1:{80 + server.port_offset}/", HOST, 200)
    unknown = await server.says(r"unknown field .*problem=(.*)", after=mark)
    assert re.search(r"route\.yaml:\d+: HTTPRoute default/here: spec\.hostnam is not a field", unknown[1])
    assert not [line for line in server.lines[mark:] if "source=envoy" in line and "[warning" in line]
    assert "cannot be bound now" not in server.output


async def test_a_gateway_that_goes_is_told_at_its_route(server: Server) -> None:
    mark = len(server.lines)
    (server.folder / "all.yaml").unlink()
    await server.says(r"files read .*removed=4 .*gone=.*Gateway default/gw", after=mark)
    await server.says(r"not good .*XDS0604 .*HTTPRoute default/here.*there is no Gateway default/gw", after=mark)
    assert "good again" not in "\n".join(server.lines[mark:])
