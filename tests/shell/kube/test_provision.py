"""Who else writes what is deployed, and what is refused; how a real API server is served, e2e/test_deployment.py shows."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from time import monotonic
from typing import Any, cast

import msgspec
import pytest

from tests.pipeline.test_deployments import GATEWAY, class_, gateway
from tests.shell.kube.waiting import until
from xds_server.control import Changes, Control
from xds_server.infra.desired import Installation, Provision
from xds_server.pipeline.options import Options
from xds_server.pipeline.program import build
from xds_server.semantics.statuses import Trouble
from xds_server.shell.kube import contest
from xds_server.shell.kube.client import KubeClient
from xds_server.shell.kube.errors import RefusedError, refused
from xds_server.shell.kube.provision import Provisioner

SERVICE = "/api/v1/namespaces/shop/services/web"
DEPLOYMENT = "/apis/apps/v1/namespaces/shop/deployments/web"
GATEWAYS = "/apis/gateway.networking.k8s.io/v1/namespaces/shop/gateways/web"

TYPED = "failed to create typed patch object (shop/web; apps/v1, Kind=Deployment)"


def fields(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        return {}
    return {f"f:{name}": fields(below) for name, below in value.items()}


@dataclass
class ApiServer:
    """Objects by path, applied by one manager, which leaves fields of the spec that it does not name; a watch tells of
    every change of its kind.
    """

    objects: dict[str, dict[str, Any]] = field(default_factory=dict)
    applied: list[str] = field(default_factory=list)
    at: list[float] = field(default_factory=list)
    """When each of them was."""
    then: Callable[[str], None] = lambda _: None
    """Told of what was applied, once that is answered."""
    refuses: dict[str, RefusedError] = field(default_factory=dict)
    """Answers to what is applied, by path."""
    late: list[tuple[str, bytes]] | None = None
    """What watches are to be told once they catch up, by plural; None while they do not lag."""
    _version: int = 10
    _watches: dict[str, list[asyncio.Queue[bytes]]] = field(default_factory=dict)

    async def get(self, where: str, params: Mapping[str, str] | None = None, *, accept: str = "") -> bytes:
        plural = where.rpartition("/")[2]
        items = [one for path, one in self.objects.items() if path.split("/")[-2] == plural]
        return msgspec.json.encode({"metadata": {"resourceVersion": str(self._version)}, "items": items})

    async def get_object(self, where: str) -> dict[str, Any]:
        if where not in self.objects:
            raise refused(404, "NotFound", where)
        return self.objects[where]

    async def apply(self, where: str, value: Mapping[str, Any], *, manager: str) -> bytes:
        self.applied.append(where)
        self.at.append(monotonic())
        if where in self.refuses:
            raise self.refuses[where]
        tree = fields({name: value[name] for name in ("metadata", "spec") if name in value})
        entry = {"manager": manager, "operation": "Apply", "fieldsV1": tree}
        before = self.objects.get(where)
        uid = before["metadata"]["uid"] if before else f"u{self._version}"
        metadata = {**value["metadata"], "uid": uid, "managedFields": [entry]}
        if "spec" in value:
            spec = {**(before["spec"] if before else {}), **value["spec"]}
            self.write(where, {**value, "metadata": metadata, "spec": spec})
        else:
            self.write(where, {**value, "metadata": metadata})
        asyncio.get_running_loop().call_soon(self.then, where)
        return msgspec.json.encode(self.objects[where])

    @asynccontextmanager
    async def stream(
        self, where: str, _: Mapping[str, str], *, idle_seconds: float, accept: str
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        queue: asyncio.Queue[bytes] = asyncio.Queue()
        self._watches.setdefault(where.rpartition("/")[2], []).append(queue)

        async def lines() -> AsyncIterator[bytes]:
            while True:
                yield await queue.get()

        yield lines()

    def write(self, where: str, value: dict[str, Any]) -> None:
        self._version += 1
        value["metadata"]["resourceVersion"] = str(self._version)
        self.objects[where] = value
        self._tell(where, "MODIFIED", value)

    def remove(self, where: str) -> None:
        self._version += 1
        value = self.objects.pop(where)
        self._tell(
            where, "DELETED", {**value, "metadata": {**value["metadata"], "resourceVersion": f"{self._version}"}}
        )

    def take(self, where: str, manager: str, name: str, to: Any) -> None:
        """A field of the spec, as an update by another manager."""
        before = self.objects[where]
        ours = msgspec.json.decode(msgspec.json.encode(before["metadata"]["managedFields"][0]))
        ours["fieldsV1"]["f:spec"].pop(f"f:{name}", None)
        theirs = {"manager": manager, "operation": "Update", "fieldsV1": {"f:spec": {f"f:{name}": {}}}}
        metadata = {**before["metadata"], "managedFields": [ours, theirs]}
        self.write(where, {**before, "metadata": metadata, "spec": {**before["spec"], name: to}})

    def _tell(self, where: str, type_: str, value: Mapping[str, Any]) -> None:
        plural, line = where.split("/")[-2], msgspec.json.encode({"type": type_, "object": value})
        if self.late is not None:
            self.late.append((plural, line))
        else:
            self._send(plural, line)

    def tell_one(self) -> None:
        """One of what watches have not been told yet."""
        assert self.late is not None
        self._send(*self.late.pop(0))

    def _send(self, plural: str, line: bytes) -> None:
        for queue in self._watches.get(plural, ()):
            queue.put_nowait(line)


@dataclass
class World:
    server: ApiServer
    control: Control
    provisioner: Provisioner
    notices: list[tuple[str, str]] = field(default_factory=list)

    def count(self, where: str = SERVICE) -> int:
        return self.server.applied.count(where)

    def pauses(self) -> list[float]:
        """Seconds between what was applied to the Service and what was applied there next."""
        times = [at for where, at in zip(self.server.applied, self.server.at, strict=True) if where == SERVICE]
        return [later - before for before, later in pairwise(times)]

    until = staticmethod(until)


@pytest.fixture
async def world(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    """A Gateway that is deployed; pauses of contests are from 50 ms to half a second."""
    monkeypatch.setattr(contest, "_FIRST_PAUSE", 0.05)
    monkeypatch.setattr(contest, "_LONGEST_PAUSE", 0.5)
    options = Options(deployed=True, installation=Installation(namespace="system"))
    control = Control(build(options), batch_seconds=0.001, batch_max_seconds=0.01)
    server = ApiServer({GATEWAYS: {"metadata": {"name": "web", "namespace": "shop", "uid": "u1"}}})
    provisioner = Provisioner(
        cast("KubeClient", server), control, manager="us", controller_name=options.controller_name
    )
    found = World(server, control, provisioner)
    provisioner.notice = lambda _, __, reason, text: found.notices.append((reason, text))
    one, class_one = gateway(), class_()
    control.submit(Changes((("Gateway", GATEWAY, one), ("GatewayClass", class_one.metadata.key, class_one))))
    tasks = [asyncio.create_task(control.run()), asyncio.create_task(provisioner.run())]
    try:
        await found.until(lambda: found.count() == 1)
        await asyncio.sleep(0.1)
        yield found
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def test_a_change_is_put_right_at_once(world: World) -> None:
    world.server.take(SERVICE, "edit", "type", "NodePort")
    await world.until(lambda: world.server.objects[SERVICE]["spec"]["type"] == "LoadBalancer")
    assert world.count() == 2
    assert world.notices == []


async def test_who_changes_everything_back_is_answered_ever_less_often_and_named(world: World) -> None:
    def revert(where: str) -> None:
        if where == SERVICE:
            world.server.take(SERVICE, "argocd-controller", "type", "NodePort")

    world.server.then = revert
    revert(SERVICE)
    await world.until(lambda: world.count() == 7)
    _assert_ever_longer(world.pauses())
    assert len(world.provisioner.contests) == 1
    ((reason, text),) = world.notices
    assert reason == "Contended"
    assert text.startswith("Service shop/web is changed back again and again, and put right ever less often: ")
    assert text.endswith(": argocd-controller writes spec.type")
    assert world.provisioner.problems == {}
    world.server.then = lambda _: None
    await world.until(lambda: world.server.objects[SERVICE]["spec"]["type"] == "LoadBalancer")


def _assert_ever_longer(pauses: list[float]) -> None:
    """From the second on: the first was brought about before anybody contended."""
    for least, pause in zip((0.1, 0.2, 0.4, 0.5, 0.5), pauses[1:], strict=False):
        assert pause > 0.95 * least, pauses


async def test_who_deletes_it_each_time_is_answered_ever_less_often(world: World) -> None:
    def delete(where: str) -> None:
        if where == SERVICE:
            world.server.remove(SERVICE)

    world.server.then = delete
    delete(SERVICE)
    await world.until(lambda: world.count() == 6)
    _assert_ever_longer(world.pauses())
    assert [text.rpartition(": ")[2] for _, text in world.notices] == ["somebody deletes it"]


async def test_others_are_deployed_at_once_meanwhile(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """And what is wanted otherwise is applied at once, too."""
    world.server.then = lambda where: (
        world.server.take(SERVICE, "flux", "type", "NodePort") if where == SERVICE else None
    )
    world.server.then(SERVICE)
    await world.until(lambda: len(world.provisioner.contests) == 1)
    for name in ("_FIRST_PAUSE", "_LONGEST_PAUSE"):
        monkeypatch.setattr(contest, name, 300.0)
    other = gateway({"name": "http", "port": 81, "protocol": "HTTP"}, metadata={"generation": 2})
    world.control.submit(Changes((("Gateway", GATEWAY, other),)))
    await world.until(lambda: world.server.objects[SERVICE]["spec"]["ports"][0]["port"] == 81)


async def test_what_is_gone_is_forgotten(world: World) -> None:
    assert len(world.provisioner._applied[GATEWAY]) == len(set(world.server.applied))
    world.control.submit(Changes((), (("Gateway", GATEWAY),)))
    del world.server.objects[GATEWAYS]
    for where in set(world.server.applied):
        world.server.remove(where)
    await world.until(lambda: not world.provisioner._applied)
    assert not world.provisioner.contests._wrote


@pytest.mark.parametrize(
    ("code", "reason", "message"),
    [
        (400, "BadRequest", "Deployment in version v1 cannot be handled"),
        (422, "Invalid", 'Deployment.apps "web" is invalid: spec.replicas: Invalid value: -1'),
        (500, "", f"{TYPED}: .spec.replicas: expected numeric (int or float), got string"),
    ],
)
async def test_what_is_refused_for_good_is_told_and_tried_ever_less_often(
    world: World, code: int, reason: str, message: str
) -> None:
    """What else the Gateway is to have is brought about; once it is not refused any more, nothing is told."""
    before = world.count(DEPLOYMENT)
    world.server.refuses[DEPLOYMENT] = refused(code, reason, message)
    world.server.take(DEPLOYMENT, "edit", "minReadySeconds", 7)
    world.server.take(SERVICE, "edit", "type", "NodePort")
    await world.until(lambda: GATEWAY in world.provisioner.problems)
    text = f"The API server refuses Deployment shop/web: {message}"
    assert world.provisioner.problems == {GATEWAY: Provision("Invalid", text)}
    await world.until(lambda: world.control.pipeline.inputs.provisions.get(GATEWAY) == Provision("Invalid", text))
    await world.until(lambda: world.server.objects[SERVICE]["spec"]["type"] == "LoadBalancer")
    await asyncio.sleep(1)
    assert world.count(DEPLOYMENT) - before <= 4
    await world.until(lambda: world.count(DEPLOYMENT) - before >= 2)
    assert world.notices == [("NotDeployed", text)]
    world.server.refuses.clear()
    await world.until(lambda: not world.provisioner.problems)
    await world.until(lambda: world.control.pipeline.inputs.provisions.get(GATEWAY) is None)


async def test_what_may_succeed_later_is_not_told(world: World) -> None:
    before = world.count(DEPLOYMENT)
    world.server.refuses[DEPLOYMENT] = refused(500, "InternalError", "failed calling webhook: no endpoints")
    world.server.take(DEPLOYMENT, "edit", "minReadySeconds", 7)
    await world.until(lambda: world.count(DEPLOYMENT) >= before + 2)
    assert world.provisioner.problems == {}
    assert world.notices == []
    tried = world.count(DEPLOYMENT)
    world.server.refuses.clear()
    await world.until(lambda: world.count(DEPLOYMENT) > tried)
    assert world.notices == []


async def test_a_watch_that_lags_behind_our_own_writes_is_no_contender(world: World) -> None:
    """Each of them is heard of only after the last was answered."""
    world.server.late = []
    before = world.count()
    for port in (81, 82, 83, 84, 85, 86):
        other = gateway({"name": "http", "port": port, "protocol": "HTTP"}, metadata={"generation": port})
        world.control.submit(Changes((("Gateway", GATEWAY, other),)))
        await world.until(lambda port=port: world.server.objects[SERVICE]["spec"]["ports"][0]["port"] == port)  # type: ignore[misc]
    await _hear_late(world)
    assert world.count() == before + 6
    assert world.notices == []


async def test_who_changes_another_field_while_a_watch_lags_is_no_contender(world: World) -> None:
    """Such as an autoscaler, step by step."""
    world.server.late = []
    for replicas in range(2, 9):
        live = world.server.objects[DEPLOYMENT]
        world.server.write(
            DEPLOYMENT, {**live, "metadata": {**live["metadata"]}, "spec": {**live["spec"], "replicas": replicas}}
        )
    await _hear_late(world)
    assert world.notices == []
    assert len(world.provisioner.contests) == 0


async def _hear_late(world: World) -> None:
    while world.server.late:
        world.server.tell_one()
        await asyncio.sleep(0.3)


async def test_what_a_deployment_says_of_its_pods_is_told_until_it_is_over(world: World) -> None:
    """Its status leads to no write."""
    rollouts = world.control.pipeline.inputs.rollouts

    def says(**status: Any) -> None:
        world.server.write(DEPLOYMENT, {**world.server.objects[DEPLOYMENT], "status": status})

    before = world.count(DEPLOYMENT)
    failure = {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": "no quota"}
    trouble = Trouble("NoResources", "Deployment shop/web: FailedCreate: no quota")
    says(conditions=[failure])
    await world.until(lambda: rollouts.get(GATEWAY) == trouble)
    says(readyReplicas=1)
    await world.until(lambda: rollouts.get(GATEWAY) is None)
    assert world.count(DEPLOYMENT) == before
    says(conditions=[failure])
    await world.until(lambda: rollouts.get(GATEWAY) == trouble)
    world.control.submit(Changes((), (("Gateway", GATEWAY),)))
    world.server.remove(DEPLOYMENT)
    await world.until(lambda: rollouts.get(GATEWAY) is None)
    assert world.provisioner._rollouts == {}
