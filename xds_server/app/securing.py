"""Who the server is to proxies, and who proxies are to it."""

from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any, Final

from prometheus_client import CollectorRegistry

from xds_server.control import Control
from xds_server.envoy.file_secrets import documents
from xds_server.infra.names import AUTHORITY_FOLDER, TOKEN_AUDIENCE, TOKEN_FILE, TOKEN_FOLDER
from xds_server.settings import ServeSettings
from xds_server.shell.kube.authority import AuthorityKeeper, ServerIdentity
from xds_server.shell.kube.client import KubeClient
from xds_server.shell.kube.leader import Duty
from xds_server.shell.kube.security_metrics import SecurityMetrics
from xds_server.shell.kube.tokens import TokenAdmission
from xds_server.shell.serve.admission import Admission

_GATEWAYS: Final = {"gateways", "gatewayclasses", "services.named"}
"""Tables that say where proxies may be."""


@dataclass(frozen=True, slots=True)
class Security:
    """Built by `security`."""

    identity: ServerIdentity
    keeper: AuthorityKeeper
    admission: Admission

    def tasks(self) -> dict[str, Coroutine[Any, Any, None]]:
        """What runs whether this replica leads or not."""
        return {"authority": self.identity.follow()}

    def duties(self) -> dict[str, Duty]:
        """What runs while it leads."""
        return {"authority-keeper": self.keeper.run}


def security(settings: ServeSettings, client: KubeClient, control: Control, registry: CollectorRegistry) -> Security:
    """TLS by an authority of our own, and proxies that prove which pod they are."""
    identity = ServerIdentity(client, settings.namespace, settings.name, hosts(settings))
    pipeline, proxies = control.pipeline, control.pipeline.places.proxies
    assert proxies is not None, "pods are known in a cluster"
    keeper = AuthorityKeeper(
        identity,
        settings.controller_name,
        lambda: {key.namespace for key in pipeline.gateways()} | pipeline.places.namespaces(),
        documents(AUTHORITY_FOLDER, TOKEN_FOLDER, TOKEN_FILE),
        settings.namespaces,
    )
    control.watch(lambda round_: keeper.wake.set() if _GATEWAYS & round_.settled.changed.keys() else None)
    told = SecurityMetrics(registry, identity)
    told.refused(keeper.refused)
    return Security(identity, keeper, TokenAdmission(client, TOKEN_AUDIENCE, proxies.get, denied=told.denied))


def hosts(settings: ServeSettings) -> tuple[str, ...]:
    """The names under which proxies may know the server."""
    service = f"{settings.name}.{settings.namespace}.svc"
    advertised = settings.advertise.rpartition(":")[0].strip("[]")
    return tuple(dict.fromkeys((advertised, service, f"{service}.{settings.cluster_domain}")))
