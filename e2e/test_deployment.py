"""What is deployed for Gateways, with a real API server: made, followed, repaired, pruned; nobody else's is touched.

The parts of a server run here, in this process, each test with a controller of its own. Envoys start, and find no
server.
"""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest
import yaml

from e2e.alone import V1, Alone
from tests.test_deployment_docs import examples
from xds_server.control import Control
from xds_server.envoy.bootstrap import BootstrapOptions, bootstrap, to_json
from xds_server.infra import names
from xds_server.infra.deployment import POD_NAME
from xds_server.infra.desired import Installation
from xds_server.infra.metadata import SERVICE_TYPE, TEMPLATES
from xds_server.model.meta import Key
from xds_server.pipeline.options import Options
from xds_server.pipeline.program import build
from xds_server.semantics.infrastructure import ENVOY_IMAGE, TEMPLATE_LABEL
from xds_server.shell.kube.client import KubeClient, path
from xds_server.shell.kube.errors import KubeError, NotFoundError
from xds_server.shell.kube.provision import Provisioner
from xds_server.shell.kube.provisioned import MADE
from xds_server.shell.kube.source import KubeSource

ENVOY = os.environ.get("XDS_ENVOY_IMAGE", "localhost/xds-envoy:latest")
HTTP = {"name": "http", "port": 80, "protocol": "HTTP"}
FOREIGN = {
    "Service": {"spec": {"ports": [{"port": 80}]}},
    "ServiceAccount": {},
    "Deployment": {
        "spec": {
            "replicas": 0,
            "selector": {"matchLabels": {"app": "theirs"}},
            "template": {
                "metadata": {"labels": {"app": "theirs"}},
                "spec": {"containers": [{"name": "theirs", "image": ENVOY}]},
            },
        }
    },
}


class Place(Alone):
    """What a test says of its Gateways, and what is made for them."""

    async def gateway(
        self, *listeners: Mapping[str, Any], name: str = "gw", metadata: Mapping[str, Any] | None = None, **spec: Any
    ) -> None:
        value = {
            "apiVersion": V1,
            "kind": "Gateway",
            "metadata": {"name": name, **(metadata or {})},
            "spec": {"gatewayClassName": self.class_, "listeners": list(listeners or (HTTP,)), **spec},
        }
        await self.client.apply(path(V1, "gateways", self.namespace, name), value, manager="test")

    async def config_map(self, name: str, labels: Mapping[str, str] | None = None, **data: Any) -> None:
        texts = {key: one if isinstance(one, str) else yaml.safe_dump(one) for key, one in data.items()}
        value = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": name, "labels": labels or {}},
            "data": texts,
        }
        await self.client.apply(path("v1", "configmaps", self.namespace, name), value, manager="test")

    def where(self, kind: str, name: str = "gw") -> str:
        return path(MADE[kind].api_version, MADE[kind].plural, self.namespace, name)

    async def get(self, kind: str, name: str = "gw") -> dict[str, Any] | None:
        try:
            return await self.client.get_object(self.where(kind, name))
        except NotFoundError:
            return None

    async def there(self, name: str = "gw") -> dict[str, dict[str, Any]]:
        """What there is of that name, by kind."""
        found = {kind: await self.get(kind, name) for kind in MADE}
        return {kind: one for kind, one in found.items() if one is not None}

    async def versions(self) -> dict[str, str]:
        return {kind: one["metadata"]["resourceVersion"] for kind, one in (await self.there()).items()}

    async def pods(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = (await self.client.get_object(path("v1", "pods", self.namespace)))["items"]
        return found

    async def until(self, what: Callable[[], Any], seconds: float = 60) -> Any:
        """Asks again and again until the answer is true; AssertionErrors and missing objects are no answer yet."""
        end = time.monotonic() + seconds
        while True:
            try:
                if found := await what():
                    return found
            except (AssertionError, LookupError, TypeError, ValueError, KubeError):
                if time.monotonic() > end:
                    raise
            assert time.monotonic() < end, await self.there()
            await asyncio.sleep(0.05)

    async def part(self, kind: str, value: Any, *steps: Any, name: str = "gw") -> None:
        """Waits until a part of an object is so."""

        async def same() -> bool:
            found: Any = await self.get(kind, name)
            for step in steps:
                found = found[step]
            assert found == value, found
            return True

        await self.until(same)


@pytest.fixture
async def place(client: KubeClient) -> AsyncIterator[Place]:
    place = Place(client, "deploy")
    await place.create()
    yield place
    await place.delete()


class Server:
    """What of a server has to do with deploying."""

    def __init__(self, place: Place) -> None:
        options = Options(
            controller_name=place.controller_name,
            deployed=True,
            installation=Installation(
                namespace=place.namespace,
                controller_name=place.controller_name,
                envoy_image=ENVOY,
                bootstrap=started,
                secured=False,
            ),
        )
        self.control = Control(build(options), batch_seconds=0.02, batch_max_seconds=0.2)
        self.source = KubeSource(place.client, self.control.submit, (place.namespace,))
        self.provisioner = Provisioner(
            place.client,
            self.control,
            manager="xds-server",
            controller_name=place.controller_name,
            namespaces=(place.namespace,),
        )
        self.provisioner.served = lambda: self.source.live.served("Gateway")
        self.wrote: list[tuple[str, str]] = []
        self.provisioner.wrote = lambda *one: self.wrote.append(one)
        self.gateway = Key(place.namespace, "gw")

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self.control.run())
            group.create_task(self.source.run())
            await self.control.ready.wait()
            group.create_task(self.provisioner.run())

    def programmed(self) -> tuple[str, str]:
        """Reason and message."""
        status = self.control.pipeline.statuses.gateways.get(self.gateway)
        assert status is not None
        return next((one.reason, one.message) for one in status.conditions if one.type == "Programmed")


def started(gateway: Key, _: int | None) -> dict[str, Any]:
    """The bootstrap of an Envoy whose server is not there."""
    options = BootstrapOptions(
        gateway=gateway, pod=POD_NAME, ads_host="127.0.0.1", ads_port=9, admin_port=names.ADMIN_PORT
    )
    return to_json(bootstrap(options))


@asynccontextmanager
async def serving(place: Place) -> AsyncIterator[Server]:
    server = Server(place)
    task = asyncio.create_task(server.run())
    try:
        yield server
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.fixture
async def server(place: Place) -> AsyncIterator[Server]:
    async with serving(place) as server:
        yield server


async def test_a_gateway_gets_its_objects(place: Place, server: Server) -> None:
    await place.gateway(
        metadata={"labels": {"team": "shop", "app.kubernetes.io/instance": "claimed"}, "annotations": {"note": "own"}},
        infrastructure={"labels": {"stage": "test"}, "annotations": {"example.com/a": "b"}},
    )
    await place.until(lambda: place.get("Deployment"))
    there = await place.there()
    assert sorted(there) == ["Deployment", "Service", "ServiceAccount"]
    for one in there.values():
        labels = one["metadata"]["labels"]
        assert labels.items() >= {"team": "shop", "stage": "test", names.GATEWAY_LABEL: "gw"}.items()
        assert "app.kubernetes.io/instance" not in labels
        assert one["metadata"]["annotations"].items() >= {"note": "own", "example.com/a": "b"}.items()
        (owner,) = one["metadata"]["ownerReferences"]
        assert (owner["kind"], owner["name"], owner["controller"]) == ("Gateway", "gw", True)
    (pod,) = await place.until(place.pods)
    assert pod["metadata"]["labels"].items() >= {"stage": "test", names.GATEWAY_LABEL: "gw"}.items()
    assert pod["metadata"]["annotations"].items() >= {"example.com/a": "b"}.items()
    assert there["Service"]["spec"]["type"] == "LoadBalancer"
    assert len(there["Service"]["spec"]["ipFamilies"]) >= 1


async def test_envoy_runs_without_any_privilege(place: Place, server: Server) -> None:
    await place.gateway()

    async def running() -> dict[str, Any]:
        (pod,) = await place.pods()
        assert pod["status"]["containerStatuses"][0]["state"]["running"]
        return pod

    await place.until(running)
    await asyncio.sleep(1)
    (pod,) = await place.pods()
    assert pod["status"]["containerStatuses"][0]["restartCount"] == 0
    assert pod["spec"]["securityContext"]["runAsNonRoot"]
    container = pod["spec"]["containers"][0]["securityContext"]
    assert container["readOnlyRootFilesystem"]
    assert container["capabilities"] == {"drop": ["ALL"]}


async def test_a_port_that_is_added_changes_the_service_and_no_pod(place: Place, server: Server) -> None:
    await place.gateway()
    (before,) = await place.until(place.pods)
    await place.gateway(
        HTTP, {"name": "dns.tcp", "port": 53, "protocol": "TCP"}, {"name": "dns", "port": 53, "protocol": "UDP"}
    )
    ports = [("dns-tcp", 53, "TCP"), ("dns", 53, "UDP"), ("http", 80, "TCP")]

    async def seen() -> bool:
        service = await place.get("Service")
        assert service is not None
        return [(one["name"], one["port"], one["protocol"]) for one in service["spec"]["ports"]] == ports

    await place.until(seen)
    (after,) = await place.pods()
    assert after["metadata"]["uid"] == before["metadata"]["uid"]
    assert not [kind for kind, result in server.wrote[3:] if kind == "Deployment" and result == "applied"]


async def test_the_type_of_the_service_and_the_image(place: Place, server: Server) -> None:
    await place.gateway()
    await place.part("Service", "LoadBalancer", "spec", "type")
    for type_ in ("ClusterIP", "NodePort"):
        await place.gateway(metadata={"annotations": {SERVICE_TYPE: type_}})
        await place.part("Service", type_, "spec", "type")
    await place.gateway(metadata={"annotations": {ENVOY_IMAGE: "example.com/envoy:pinned"}})
    await place.part("Deployment", "example.com/envoy:pinned", "spec", "template", "spec", "containers", 0, "image")


@pytest.mark.parametrize("kind", FOREIGN)
async def test_what_somebody_else_made_is_told_and_left_alone(place: Place, server: Server, kind: str) -> None:
    made = MADE[kind]
    foreign = {"apiVersion": made.api_version, "kind": kind, "metadata": {"name": "gw"}, **FOREIGN[kind]}
    await place.client.create(path(made.api_version, made.plural, place.namespace), foreign)
    before = await place.get(kind)
    await place.gateway()

    async def told() -> bool:
        reason, message = server.programmed()
        return (reason, kind in message, "not made for this Gateway" in message) == ("NoResources", True, True)

    await place.until(told)
    there = await place.there()
    assert list(there) == [kind]
    assert before is not None
    for one in (before, there[kind]):
        assert one["metadata"].keys().isdisjoint({"labels", "ownerReferences"})
        assert one.get("spec") == before.get("spec")
    await place.client.delete(place.where(kind))

    async def whole() -> bool:
        assert not server.provisioner.problems
        return len(await place.there()) == 3

    await place.until(whole)


async def test_what_is_changed_by_others_is_repaired(place: Place, server: Server) -> None:
    await place.gateway()
    service = await place.until(lambda: place.get("Service"))
    await place.until(lambda: place.get("Deployment"))
    await place.client.patch(place.where("Service"), {"spec": {"selector": {names.GATEWAY_LABEL: "other"}}})
    await place.part("Service", "gw", "spec", "selector", names.GATEWAY_LABEL)
    await place.client.patch(place.where("Deployment"), {"metadata": {"labels": {names.MANAGED_LABEL: None}}})
    await place.part("Deployment", "xds-server", "metadata", "labels", names.MANAGED_LABEL)
    await place.client.patch(place.where("ServiceAccount"), {"metadata": {"ownerReferences": None}})
    await asyncio.sleep(1)  # one without an owner is nobody's, and not ours to take
    assert "ownerReferences" not in (await place.get("ServiceAccount") or {})["metadata"]
    await place.client.delete(place.where("Service"))

    async def new() -> bool:
        return (await place.get("Service") or {})["metadata"]["uid"] != service["metadata"]["uid"]

    await place.until(new)


async def test_fields_of_others_stay(place: Place, server: Server) -> None:
    await place.gateway()
    await place.until(lambda: place.get("Deployment"))
    await place.client.patch(
        place.where("Deployment"), {"spec": {"replicas": 2}, "metadata": {"annotations": {"a": "b"}}}
    )
    await place.gateway(metadata={"labels": {"new": "label"}})
    await place.part("Deployment", "label", "metadata", "labels", "new")
    deployment = await place.get("Deployment") or {}
    assert (deployment["spec"]["replicas"], deployment["metadata"]["annotations"]["a"]) == (2, "b")


async def test_parameters_are_followed_and_leftovers_pruned(place: Place, server: Server) -> None:
    parameters = {"parametersRef": {"group": "", "kind": "ConfigMap", "name": "size"}}
    await place.config_map("size", deployment={"spec": {"replicas": 2}}, podDisruptionBudget="")
    await place.gateway(infrastructure=parameters)
    await place.part("PodDisruptionBudget", 1, "spec", "maxUnavailable")
    await place.part("Deployment", 2, "spec", "replicas")
    autoscaler = {"spec": {"minReplicas": 2, "maxReplicas": 3}}
    await place.config_map("size", deployment={"spec": {"replicas": 1}}, horizontalPodAutoscaler=autoscaler)
    await place.part("HorizontalPodAutoscaler", 3, "spec", "maxReplicas")

    async def pruned() -> bool:
        return await place.get("PodDisruptionBudget") is None

    await place.until(pruned)
    assert (await place.get("Deployment") or {})["spec"]["replicas"] == 2
    before = await place.versions()
    await place.client.delete(path("v1", "configmaps", place.namespace, "size"))

    async def told() -> bool:
        return server.programmed() == ("Invalid", "The Gateway is not accepted.")

    await place.until(told)
    await asyncio.sleep(1)
    assert (await place.versions()).keys() == before.keys()
    await place.gateway()

    async def plain() -> bool:
        return sorted(await place.there()) == ["Deployment", "Service", "ServiceAccount"]

    await place.until(plain)


async def test_templates_are_found_by_their_label(place: Place, server: Server) -> None:
    await place.config_map("calm", {TEMPLATE_LABEL: "true"}, deployment={"spec": {"minReadySeconds": 7}})
    await place.gateway(metadata={"annotations": {TEMPLATES: "gateway,calm"}})
    await place.part("Deployment", 7, "spec", "minReadySeconds")


async def test_what_the_api_server_refuses_is_told_in_its_words(place: Place, server: Server) -> None:
    parameters = {"parametersRef": {"group": "", "kind": "ConfigMap", "name": "size"}}
    await place.gateway()
    await place.until(lambda: place.get("Deployment"))
    await place.config_map(
        "size", deployment={"spec": {"minReadySeconds": -1}}, service={"metadata": {"labels": {"x": "y"}}}
    )
    await place.gateway(infrastructure=parameters)

    async def told() -> bool:
        reason, message = server.programmed()
        return reason == "Invalid" and "spec.minReadySeconds: Invalid value: -1" in message

    await place.until(told)
    await place.part("Service", "y", "metadata", "labels", "x")
    await place.config_map("size", deployment={"spec": {"minReadySeconds": 1}})
    await place.part("Deployment", 1, "spec", "minReadySeconds")
    await place.until(lambda: asyncio.sleep(0, not server.provisioner.problems))


async def test_a_gateway_that_names_a_service_gives_up_its_own(place: Place, server: Server) -> None:
    await place.gateway()
    await place.until(lambda: place.get("Deployment"))
    await place.gateway(addresses=[{"type": "Hostname", "value": "ingress.example.svc.cluster.local"}])

    async def nothing() -> bool:
        return not await place.there()

    await place.until(nothing)


async def test_another_controllers_gateway_is_given_up_and_one_without_class_is_kept(
    place: Place, server: Server
) -> None:
    await place.gateway()
    await place.until(lambda: place.get("Deployment"))
    where = path(V1, "gatewayclasses", name=place.class_)
    await place.client.delete(where)
    await asyncio.sleep(1)
    assert len(await place.there()) == 3
    spec = {"controllerName": "example.com/another"}
    value = {"apiVersion": V1, "kind": "GatewayClass", "metadata": {"name": place.class_}, "spec": spec}
    await place.client.create(path(V1, "gatewayclasses"), value)

    async def nothing() -> bool:
        return not await place.there()

    await place.until(nothing)


async def test_a_new_leader_changes_nothing(place: Place) -> None:
    async def has_address() -> bool:
        """The load balancer writes nothing into the Service any more."""
        return bool((await place.get("Service") or {})["status"]["loadBalancer"].get("ingress"))

    async with serving(place):
        await place.gateway()
        await place.until(lambda: place.get("Deployment"))
        await place.until(place.pods)
        await place.until(has_address)
        await asyncio.sleep(2)
    before = await place.versions()
    async with serving(place) as server:
        await place.until(lambda: asyncio.sleep(0, len(server.wrote) >= 3))
        await asyncio.sleep(1)
        assert server.wrote == [(kind, "unchanged") for kind in ("ServiceAccount", "Service", "Deployment")]
    after = await place.versions()
    assert {kind: after[kind] for kind in ("ServiceAccount", "Service")} == {
        kind: before[kind] for kind in ("ServiceAccount", "Service")
    }


async def test_a_deleted_gateway_is_gone_within_5_seconds(place: Place, server: Server) -> None:
    """Where the cluster has little else to do; a busy machine is given another try."""
    took: list[float] = []
    while not took or took[-1] >= 5:
        assert len(took) < 3, f"seconds until everything was gone: {took}"
        took.append(await seconds_to_go(place, server))


async def seconds_to_go(place: Place, server: Server) -> float:
    """Of a Gateway that is made, and deleted once its Envoy runs; nothing is applied meanwhile."""
    await place.gateway()

    async def running() -> bool:
        (pod,) = await place.pods()
        return "running" in pod["status"]["containerStatuses"][0]["state"]

    await place.until(running)
    began, count = time.monotonic(), len(server.wrote)
    await place.client.delete(path(V1, "gateways", place.namespace, "gw"))

    async def gone() -> bool:
        return not await place.there() and not await place.pods()

    await place.until(gone)
    seconds = time.monotonic() - began
    assert [one for one in server.wrote[count:] if one[1] == "applied"] == []
    return seconds


async def test_a_gateway_of_the_same_name_follows_at_once(place: Place, server: Server) -> None:
    await place.gateway()
    first = await place.until(lambda: place.get("Deployment"))
    await place.client.delete(path(V1, "gateways", place.namespace, "gw"))
    await place.gateway()

    async def new() -> bool:
        there = await place.there()
        uids = {one["metadata"]["ownerReferences"][0]["uid"] for one in there.values()}
        old = first["metadata"]["ownerReferences"][0]["uid"]
        return len(there) == 3 and len(uids) == 1 and old not in uids

    await place.until(new)
    await place.until(lambda: asyncio.sleep(0, not server.provisioner.problems))


async def test_long_names_and_addresses(place: Place, server: Server) -> None:
    long = "a" * 250
    await place.gateway(name=long, addresses=[{"value": "10.77.200.77"}, {"value": "10.77.200.78"}])
    child = names.child(long)
    service = await place.until(lambda: place.get("Service", child))
    assert service["spec"]["loadBalancerIP"] == "10.77.200.77"
    assert service["metadata"]["labels"][names.GATEWAY_LABEL] == names.label(long)
    assert service["metadata"]["annotations"][names.GATEWAY_ANNOTATION] == long
    assert service["spec"]["ipFamilyPolicy"] == "SingleStack"


async def test_no_two_at_once_and_the_newest_wins(place: Place, server: Server) -> None:
    for number in range(20):
        await place.gateway(metadata={"labels": {"number": str(number)}})
    await place.part("Service", "19", "metadata", "labels", "number")
    await place.part("Deployment", "19", "metadata", "labels", "number")


async def test_nothing_is_written_at_rest(place: Place, server: Server) -> None:
    await place.gateway()
    await place.until(lambda: place.get("Deployment"))
    await place.until(place.pods)
    await asyncio.sleep(3)
    count = len(server.wrote)
    await place.client.patch(path(V1, "gateways", place.namespace, "gw", "status"), {"status": {"addresses": []}})
    await asyncio.sleep(2)
    assert server.wrote[count:] == []


async def test_an_address_of_the_cluster_that_cannot_be_had_costs_nothing_else(place: Place, server: Server) -> None:
    wanted = {"type": "IPAddress", "value": "192.0.2.1", "routability": "Cluster"}
    await place.gateway(addresses=[wanted])
    service = await place.until(lambda: place.get("Service"))
    await place.until(lambda: place.get("Deployment"))
    assert service["spec"]["clusterIP"] != "192.0.2.1"
    assert not server.provisioner.problems


async def test_an_address_of_the_cluster_is_asked_for(place: Place, server: Server) -> None:
    await place.gateway(name="first")
    taken = (await place.until(lambda: place.get("Service", "first")))["spec"]["clusterIP"]
    prefix, _, last = taken.rpartition(".")
    services = (await place.client.get_object(path("v1", "services")))["items"]
    there = {address for one in services for address in one["spec"].get("clusterIPs", ())}
    others = (f"{prefix}.{(int(last) + number) % 250 + 1}" for number in range(97, 250))
    wanted = next(address for address in others if address not in there)
    await place.gateway(addresses=[{"type": "IPAddress", "value": wanted, "routability": "Cluster"}])
    service = await place.until(lambda: place.get("Service"))
    assert service["spec"]["clusterIP"] == wanted


@pytest.mark.parametrize("name", examples())
async def test_examples_of_the_documentation(place: Place, server: Server, name: str) -> None:
    for document in examples()[name]:
        kind, metadata = document["kind"], document["metadata"]
        if kind == "Gateway":
            document["spec"]["gatewayClassName"] = place.class_
        plural, version = {"Gateway": ("gateways", V1), "ConfigMap": ("configmaps", "v1")}[kind]
        where = path(version, plural, place.namespace, metadata["name"])
        await place.client.apply(where, document, manager="test")
    expected = {
        kind
        for kind in MADE
        if kind in ("ServiceAccount", "Service", "Deployment")
        or any(f"{kind[0].lower()}{kind[1:]}" in document.get("data", {}) for document in examples()[name])
    }

    async def whole() -> bool:
        return (await place.there(name)).keys() == expected

    await place.until(whole)
    assert not server.provisioner.problems
