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
from xds_server.xds.resource import ResourceType


def gateway(*hosts: str, generation: int = 1, more: dict[str, str] | None = None) -> Object:
    """A Gateway with an HTTPS listener per host, whose name and Secret are the host's first label. `more` hosts have
    the Secret of the first, and a second one.
    """
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
    first = hosts[0].partition(".")[0]
    for number, (host, second) in enumerate((more or {}).items()):
        tls = {"certificateRefs": [{"name": first}, {"name": second}]}
        listeners.append({"name": f"more-{number}", "hostname": host, "port": 443, "protocol": "HTTPS", "tls": tls})
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
        async with asyncio.timeout(30):
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


async def test_a_chain_that_lacks_a_rejected_certificate_is_rejected_itself_and_kept_out() -> None:
    """What Envoy refuses is the chain with fewer certificates, which nobody else gets."""
    async with World() as world:
        world.ports[GATEWAY] = free_port()
        hosts = ("good.example.com", "bad.example.com")
        await world.change(
            gateway(*hosts), secret(hosts[0]), secret(hosts[1], refused()), route("one", host="*.example.com")
        )
        await world.start_envoy()
        refused_name = "b*d.example.com"
        sent = world.pushes(ResourceType.LISTENER)
        more = {refused_name: "bad", "two.example.com": "bad"}
        await world.change(gateway(*hosts, generation=2, more=more))
        await world.quiet()
        assert await served(world, "two.example.com")
        assert await served(world, "good.example.com")
        (found,) = (
            one
            for id_, one in world.control.pipeline.inputs.holds.items()
            if id_.type is ResourceType.LISTENER and refused_name in id_.leaf
        )
        assert "server_names" in found.detail
        await asyncio.sleep(1)
        assert world.pushes(ResourceType.LISTENER) - sent <= 6
        assert world.gateway_conditions("more-0")["Programmed"].status == "False"
        await world.change(secret(hosts[1]))
        await world.quiet()
        assert await served(world, "bad.example.com")
        assert await served(world, "two.example.com")
        assert world.gateway_conditions("more-0")["Programmed"].status == "False"
        await asyncio.sleep(1)
        assert world.pushes(ResourceType.LISTENER) - sent <= 16


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
