"""What verbs about proxies share: who is connected to which server, and how a proxy is named on a command line."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from xds_server.cli.cluster import no_servers_note
from xds_server.cli.input import fail
from xds_server.infra.names import pod_of
from xds_server.model.meta import Key

if TYPE_CHECKING:
    from xds_server.shell.kube.client import KubeClient
    from xds_server.shell.kube.servers import Replica

TYPES = ("clusters", "endpoints", "listeners", "routes", "secrets")


@dataclass(frozen=True, slots=True)
class Connection:
    """A proxy's newest stream, and the replica that it goes to. `record` is that of the page /debug/clients."""

    replica: "Replica"
    record: Mapping[str, Any]

    @property
    def pod(self) -> Key:
        """The proxy's pod."""
        return pod_of(self.record["node"])

    @property
    def gateways(self) -> tuple[str, ...]:
        """The Gateways that it serves, NAMESPACE/NAME."""
        return tuple(self.record["serves"])

    @property
    def in_sync(self) -> bool:
        """Has it acknowledged everything that it is to have?"""
        return bool(self.record["in_sync"])


@dataclass(frozen=True, slots=True)
class Connected:
    """All that the servers told; `problems` are of those that told nothing."""

    connections: tuple[Connection, ...]
    replicas: tuple["Replica", ...]
    problems: tuple[str, ...] = ()


async def connected(client: "KubeClient", name: str, addresses: list[str] | None) -> Connected:
    """Asks all replicas. A proxy that two of them still know counts where it connected last."""
    from xds_server.shell.kube.servers import pages

    found, why = await no_servers_note(client, name, addresses)
    newest: dict[str, Connection] = {}
    problems = [why] if why else []
    for page in await pages(client, found, "/debug/clients"):
        if page.problem:
            problems.append(page.problem)
            continue
        for record in page.value["clients"]:
            known = newest.get(record["node"])
            if known is None or known.record["connected_at"] <= record["connected_at"]:
                newest[record["node"]] = Connection(page.replica, record)
    ordered = sorted(newest.values(), key=lambda one: one.pod)
    return Connected(tuple(ordered), tuple(found), tuple(problems))


@dataclass(frozen=True, slots=True)
class Unconnected:
    """A ready pod that is made for a Gateway, and that no server knows."""

    pod: Key
    gateway: str


async def unconnected(
    client: "KubeClient", controller_name: str, found: Connected, namespace: str = ""
) -> list[Unconnected]:
    """The Envoys that are there, in a namespace or in all, and connected to none of the servers. Raises KubeError."""
    from xds_server.infra.names import selector
    from xds_server.shell.kube.lists import objects
    from xds_server.shell.kube.watcher import Watched

    pods = await objects(client, Watched("v1", "pods", namespace, selector(controller_name)))
    known = {one.pod for one in found.connections}
    return [one for pod in pods if (one := _lonely(pod)) is not None and one.pod not in known]


def _lonely(pod: Mapping[str, Any]) -> Unconnected | None:
    """A pod that is ready and stays, as one that may be unconnected."""
    from xds_server.infra.names import GATEWAY_LABEL

    metadata, conditions = pod["metadata"], (pod.get("status") or {}).get("conditions") or ()
    ready = any((one["type"], one["status"]) == ("Ready", "True") for one in conditions)
    gateway = (metadata.get("labels") or {}).get(GATEWAY_LABEL)
    if not ready or not gateway or metadata.get("deletionTimestamp"):
        return None
    return Unconnected(Key(metadata["namespace"], metadata["name"]), f"{metadata['namespace']}/{gateway}")


def pod_key(text: str, namespace: str) -> Key:
    """POD, POD.NAMESPACE or NAMESPACE/POD. Exits with 2 for none of these. A pod's name may have dots itself."""
    if "/" in text:
        first, _, name = text.partition("/")
        if not first or not name or "/" in name:
            fail(f"{text}: it is POD, POD.NAMESPACE or NAMESPACE/POD")
        return Key(first, name)
    name, dot, of = text.rpartition(".")
    return Key(of, name) if dot and name and of else Key(namespace, text)


def nacks(record: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The types of which a proxy rejected something, and what it said last."""
    for type_, told in record["types"].items():
        if told["last_nack"]:
            yield type_, told["last_nack"]
