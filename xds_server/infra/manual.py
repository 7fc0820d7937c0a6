"""Gateways that are deployed by hand: hostnames among spec.addresses that name Services, whose pods serve the Gateway.

A name of one label is a Service of the Gateway's own namespace, NAME.NAMESPACE.svc and NAME.NAMESPACE.svc.DOMAIN are
ones of any, where a ReferenceGrant there permits it: whoever may name a Service gives its proxies something to serve.
"""

from dataclasses import dataclass

from xds_server.flow.lookup import Lookup
from xds_server.infra import names
from xds_server.model.core import Service
from xds_server.model.gateway import Gateway
from xds_server.model.meta import Key
from xds_server.semantics.addresses import services
from xds_server.semantics.grants import Referrer, permitted
from xds_server.semantics.world import World


@dataclass(frozen=True, slots=True)
class Reference:
    """A hostname of spec.addresses: the Service that it names, if it may; else what is wrong with it."""

    hostname: str
    service: Key | None = None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Manual:
    """A Gateway that names Services: its hostnames, in order of its addresses."""

    gateway: Key
    created: str
    references: tuple[Reference, ...]

    @property
    def rank(self) -> tuple[str, Key]:
        """Who goes before whom on the same proxies: the older one, else the first by name."""
        return self.created, self.gateway


def read(gateway: Gateway, cluster_domain: str, look: Lookup, world: World) -> Manual | None:
    """What a Gateway names; None for one that is deployed."""
    key = gateway.metadata.key
    found = tuple(_reference(key.namespace, one, cluster_domain, look, world) for one in services(gateway))
    return Manual(key, gateway.metadata.creation_timestamp, found) if found else None


def named_service(hostname: str, namespace: str, cluster_domain: str) -> Key | None:
    """The Service that a hostname names in that namespace; None where it is no Service's name."""
    parts = hostname.removesuffix(f".{cluster_domain}").split(".")
    if len(parts) == 1 and hostname == parts[0]:
        return Key(namespace, hostname)
    return Key(parts[1], parts[0]) if len(parts) == 3 and parts[2] == "svc" else None


def unusable(key: Key, service: Service | None) -> str:
    """Why a Service cannot be a place for Gateways; empty if it can."""
    if service is None:
        return f"Service {key} does not exist"
    if service.spec.type == "ExternalName":
        return f"Service {key} is of type ExternalName: it has no proxies"
    if not service.spec.selector:
        return f"Service {key} has no selector: none of the pods is known to be behind it"
    if service.metadata.labels.get(names.MANAGED_LABEL) == names.MANAGED and names.GATEWAY_LABEL in (
        service.metadata.labels
    ):
        return f"Service {key} is made for Gateway {key.namespace}/{service.metadata.labels[names.GATEWAY_LABEL]} alone"
    return ""


def not_made_for(gateway: Gateway, key: Key, service: Service | None) -> str:
    """Why the Service of a Gateway's name is not where it is reached; empty if it was made for it."""
    if service is None:
        return f"Service {key}, which is to be made for the Gateway, is not there yet"
    if any(owner.uid == gateway.metadata.uid for owner in service.metadata.owner_references):
        return ""
    return f"Service {key} was not made for the Gateway"


def _reference(namespace: str, hostname: str, cluster_domain: str, look: Lookup, world: World) -> Reference:
    service = named_service(hostname, namespace, cluster_domain)
    if service is None:
        forms = f"NAME, NAME.NAMESPACE.svc or NAME.NAMESPACE.svc.{cluster_domain}"
        return Reference(hostname, problem=f"{hostname} names no Service of the cluster ({forms})")
    if not permitted(Referrer("Gateway", namespace), "Service", service, look, world):
        reason = (
            f"Service {service}: no ReferenceGrant of namespace {service.namespace} permits Gateways of namespace"
            f" {namespace} to name it"
        )
        return Reference(hostname, problem=reason)
    return Reference(hostname, service)
