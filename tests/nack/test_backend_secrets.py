"""Secrets of clusters that Envoy rejects cost the backends that need them, and nobody else."""

import base64
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec

from tests.nack.harness import GATEWAY, World, gateway, made, route, rule, service, until
from tests.nack.test_secrets import refused
from tests.scenarios.certificates import certificate_pem, key_pem
from xds_server.envoy import cluster, names
from xds_server.model.document import Object
from xds_server.model.meta import Condition, Key
from xds_server.routing.backend import Backend
from xds_server.xds.resource import ResourceType

SECURED = Backend(Key(GATEWAY.namespace, "secured"), 8080, tls=Key(GATEWAY.namespace, "policy"))
METADATA = {"namespace": GATEWAY.namespace}
SYSTEM = {"wellKnownCACertificates": "System"}
CA = {"caCertificateRefs": [{"group": "", "kind": "ConfigMap", "name": "ca"}]}


def policy(trusted: dict[str, Any]) -> Object:
    """A BackendTLSPolicy of Service `secured`."""
    target = {"group": "", "kind": "Service", "name": "secured"}
    spec = {"targetRefs": [target], "validation": {"hostname": "a.example.com", **trusted}}
    return made({"kind": "BackendTLSPolicy", "metadata": {"name": "policy", **METADATA}, "spec": spec})


def authorities() -> Object:
    pem = certificate_pem("ca.example.com", ec.generate_private_key(ec.SECP256R1())).decode()
    return made({"kind": "ConfigMap", "metadata": {"name": "ca", **METADATA}, "data": {"ca.crt": pem}})


def told(world: World) -> dict[str, Condition]:
    status = world.control.pipeline.statuses.policies.get(("BackendTLSPolicy", Key(GATEWAY.namespace, "policy")))
    assert status is not None
    return {condition.type: condition for condition in status.ancestors[0].conditions}


def connects_to_nobody(world: World, backend: Backend) -> bool:
    """Does this Envoy, and no other, get the cluster without endpoints?"""
    name, closed = names.cluster(backend), cluster.closed(backend).data
    bodies = world.body(ResourceType.CLUSTER, name, build="1.40.0"), world.body(ResourceType.CLUSTER, name)
    return bodies[0] == closed != bodies[1]


def routes() -> tuple[Object, ...]:
    return route("good"), route("secured", rule("/secured", backend="secured"))


async def test_a_file_of_authorities_that_the_proxy_does_not_have() -> None:
    async with World(checks=True, system_authorities="/nonexistent/ca.crt") as world:
        await world.change(gateway(), *routes(), *service("secured", world.backend))
        await world.start_envoy()
        assert (await world.get("/good"), await world.get("/secured")) == (200, 200)
        async with world.traffic("/good") as traffic:
            await world.change(policy(SYSTEM))
            await until(lambda: told(world)["Accepted"].reason == "Invalid")
            await world.quiet()
            assert "/nonexistent/ca.crt" in told(world)["Accepted"].message
            assert await world.get("/secured") == 503
            assert connects_to_nobody(world, SECURED)
            await world.change(route("later"))
            await world.quiet()
            assert await world.get("/later") == 200, "nothing waits for the secret"
        assert traffic.all_good(["/good"])


async def test_authorities_that_envoy_refuses_in_place_of_good_ones() -> None:
    """The last good ones go on to be trusted, by the cluster as it was: it is not sent again, and so not rejected."""
    async with World(checks=True, system_authorities="/nonexistent/ca.crt") as world:
        await world.change(gateway(), *routes(), *service("secured", world.backend), policy(CA), authorities())
        await world.start_envoy()
        name, build = names.cluster(SECURED), {"build": "1.40.0"}
        before, pushes = world.body(ResourceType.CLUSTER, name, **build), world.pushes(ResourceType.CLUSTER)
        await world.change(policy(SYSTEM))
        await until(lambda: told(world)["Accepted"].reason == "Invalid")
        await world.quiet()
        assert world.body(ResourceType.CLUSTER, name, **build) == before != world.body(ResourceType.CLUSTER, name)
        assert world.pushes(ResourceType.CLUSTER) == pushes
        holds = world.control.pipeline.inputs.holds.items()
        assert {id_.type for id_, hold in holds if hold.rejected} == {ResourceType.SECRET}
        await world.change(policy(CA))
        await until(lambda: told(world)["Accepted"].reason == "Accepted")
        await world.quiet()
        assert world.body(ResourceType.CLUSTER, name) == before


async def test_a_client_certificate_that_envoy_refuses() -> None:
    """The private key can be read, and is too short."""
    private = refused()
    data = {"tls.crt": certificate_pem("client.example.com", private), "tls.key": key_pem(private)}
    secret = made(
        {
            "kind": "Secret",
            "metadata": {"name": "client", **METADATA},
            "type": "kubernetes.io/tls",
            "data": {name: base64.b64encode(value).decode() for name, value in data.items()},
        }
    )
    shows = {"backend": {"clientCertificateRef": {"name": "client"}}}
    listeners = [{"name": "http", "port": 80, "protocol": "HTTP"}]
    showing = made(
        {
            "kind": "Gateway",
            "metadata": {"name": GATEWAY.name, **METADATA},
            "spec": {"gatewayClassName": "any", "listeners": listeners, "tls": shows},
        }
    )
    async with World() as world:
        await world.change(gateway(), *routes(), *service("secured", world.backend), policy(CA), authorities())
        await world.start_envoy()
        async with world.traffic("/good") as traffic:
            await world.change(secret, showing)
            await world.quiet()
            assert await world.get("/secured") == 503
            assert connects_to_nobody(world, SECURED._replace(certificate=Key(GATEWAY.namespace, "client")))
            await world.change(route("later"))
            await world.quiet()
            assert await world.get("/later") == 200, "nothing waits for the secret"
        assert traffic.all_good(["/good"])
