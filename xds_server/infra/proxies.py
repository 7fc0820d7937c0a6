"""Which pods are proxies of which Gateways, and who they are to prove to be.

A pod that is made for a Gateway is known by its labels and by the ServiceAccount that is made with it. Others are
behind a Service that Gateways name, and are whoever they say they are: their pods' ServiceAccount.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from xds_server.infra import names, troubles
from xds_server.model.core import Pod
from xds_server.model.meta import Key
from xds_server.semantics.statuses import Trouble


@dataclass(frozen=True, slots=True)
class NamedPort:
    """A port that a container names; `protocol` is TCP, UDP or SCTP."""

    name: str
    protocol: str
    number: int


@dataclass(frozen=True, slots=True)
class Proxy:
    """A pod that serves `gateways`, in order of who goes before, and is behind `services` that they name, if any.

    `ready`: Kubernetes sends it traffic. `created` is a time as the API server writes it.
    """

    gateways: tuple[Key, ...]
    services: tuple[Key, ...]
    service_account: str
    terminating: bool
    ready: bool = False
    ports: tuple[NamedPort, ...] = ()
    created: str = ""
    trouble: Trouble | None = None
    """What keeps it from coming up."""

    def port(self, name: str, protocol: str) -> int | None:
        """The number of a named port."""
        return next((one.number for one in self.ports if (one.name, one.protocol) == (name, protocol)), None)


@dataclass(frozen=True, slots=True)
class NamedService:
    """A Service that Gateways name: they, in order of who goes before, and the labels of its pods."""

    key: Key
    gateways: tuple[Key, ...]
    selector: Mapping[str, str]

    def selects(self, pod: Pod) -> bool:
        """Is the pod behind it?"""
        labels = pod.metadata.labels
        return all(labels.get(name) == value for name, value in self.selector.items())


def made_for(pod: Pod) -> tuple[str, str] | None:
    """The namespace and label of the Gateway that a pod says it is made for."""
    labels = pod.metadata.labels
    if labels.get(names.MANAGED_LABEL) != names.MANAGED or not (label := labels.get(names.GATEWAY_LABEL)):
        return None
    return pod.metadata.namespace, label


def proxy(pod: Pod, made: Iterable[Key], named: Iterable[NamedService]) -> Proxy | None:
    """What a pod serves; None for nothing. `made` are Gateways of the label that it has, `named` the Services of its
    namespace that Gateways name.
    """
    if pod.status.phase in ("Succeeded", "Failed"):
        return None
    account = pod.spec.service_account_name or "default"
    own = [gateway for gateway in made if names.child(gateway.name) == account]
    behind = [service for service in named if service.selects(pod)]
    gateways = dict.fromkeys((*own, *(gateway for service in behind for gateway in service.gateways)))
    if not gateways:
        return None
    return Proxy(
        gateways=tuple(gateways),
        services=tuple(service.key for service in behind),
        service_account=account,
        terminating=bool(pod.metadata.deletion_timestamp),
        ready=pod.status.ready,
        ports=tuple(_ports(pod)) if behind else (),
        created=pod.metadata.creation_timestamp,
        trouble=troubles.of_pod(pod),
    )


def _ports(pod: Pod) -> Iterable[NamedPort]:
    beside = (one for one in pod.spec.init_containers or () if one.restart_policy == "Always")
    for container in (*pod.spec.containers, *beside):
        for port in container.ports or ():
            if port.name:
                yield NamedPort(port.name, port.protocol, port.container_port)
