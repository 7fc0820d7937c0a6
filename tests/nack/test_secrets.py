"""Certificates that Envoy rejects cost the listener that has no other, and nobody else."""

import asyncio
import base64
import ssl
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, rsa

from tests.nack.harness import GATEWAY, World, made, route
from tests.ports import free_port
from tests.scenarios.certificates import certificate_pem, key_pem
from xds_server.model.document import Object
from xds_server.model.meta import Key
from xds_server.routing.secret import SecretId


def gateway(*hosts: str, generation: int = 1) -> Object:
    """A Gateway with an HTTPS listener per host, whose name and Secret are the host's first label."""
    listeners = [
        {
            "name": host.partition(".")[0],
            "hostname": host,
            "port": 443,
            "protocol": "HTTPS",
            "tls": {"certificateRefs": [{"name": host.partition(".")[0]}]},
        }
        for host in hosts
    ]
    metadata = {"name": GATEWAY.name, "namespace": GATEWAY.namespace, "generation": generation}
    return made({"kind": "Gateway", "metadata": metadata, "spec": {"gatewayClassName": "any", "listeners": listeners}})


def secret(host: str, private: Any = None) -> Object:
    """A certificate for the host; without a key given one that Envoy takes."""
    private = private or ec.generate_private_key(ec.SECP256R1())
    data = {"tls.crt": certificate_pem(host, private), "tls.key": key_pem(private)}
    return made(
        {
            "kind": "Secret",
            "metadata": {"name": host.partition(".")[0], "namespace": GATEWAY.namespace},
            "type": "kubernetes.io/tls",
            "data": {key: base64.b64encode(value).decode() for key, value in data.items()},
        }
    )


def refused() -> Any:
    """A key that can be read, and that Envoy refuses."""
    return rsa.generate_private_key(65537, 1024)


async def served(world: World, host: str) -> bytes | None:
    """The certificate that a handshake for the host gets; None when there is no handshake."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        async with asyncio.timeout(3):
            _, writer = await asyncio.open_connection(
                "127.0.0.1", world.ports[GATEWAY], ssl=context, server_hostname=host
            )
    except OSError:
        return None
    found: bytes = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.close()
    return found


async def test_a_certificate_that_envoy_rejects_costs_its_listener_alone() -> None:
    async with World() as world:
        world.ports[GATEWAY] = free_port()
        hosts = ("good.example.com", "bad.example.com", "fine.example.com")
        keys = {"bad.example.com": refused()}
        await world.change(
            gateway(*hosts), *(secret(host, keys.get(host)) for host in hosts), route("one", host="*.example.com")
        )
        await world.start_envoy()
        assert await served(world, "good.example.com")
        assert await served(world, "fine.example.com")
        assert await served(world, "bad.example.com") is None
        found = world.gateway_conditions("bad")["Programmed"]
        assert (found.status, found.reason) == ("False", "Invalid")
        assert "Secret default/bad: Failed to load certificate chain from <inline>" in found.message
        assert "2048-bit" in found.message
        assert world.gateway_conditions("good")["Programmed"].status == "True"
        await world.change(secret("bad.example.com"))
        await world.quiet()
        assert await served(world, "bad.example.com")
        assert world.gateway_conditions("bad")["Programmed"].status == "True"


async def test_a_good_certificate_is_replaced_by_one_that_envoy_rejects() -> None:
    async with World() as world:
        world.ports[GATEWAY] = free_port()
        hosts = ("good.example.com", "bad.example.com")
        await world.change(gateway(*hosts), *map(secret, hosts), route("one", host="*.example.com"))
        await world.start_envoy()
        before = await served(world, "good.example.com")
        last_good = await served(world, "bad.example.com")
        assert last_good is not None
        await world.change(secret("bad.example.com", refused()), secret("good.example.com"))
        await world.quiet()
        after = await served(world, "good.example.com")
        assert after is not None
        assert after != before, "its own renewal goes on"
        assert await served(world, "bad.example.com") == last_good
        assert world.gateway_conditions("bad")["Programmed"].status == "False"


async def test_with_checks_it_is_never_sent() -> None:
    async with World(checks=True) as world:
        world.ports[GATEWAY] = free_port()
        hosts = ("good.example.com", "bad.example.com")
        await world.change(
            gateway(*hosts), secret(hosts[0]), secret(hosts[1], refused()), route("one", host="*.example.com")
        )
        await world.start_envoy()
        assert await served(world, "good.example.com")
        assert world.control.pipeline.inputs.holds.keys() == ()
        assert world.gateway_conditions("bad")["ResolvedRefs"].reason == "InvalidCertificateRef"
        assert "1024" in world.gateway_conditions("bad")["ResolvedRefs"].message
        assert SecretId.certificate(Key("default", "good")) in world.control.pipeline.tables.secrets
