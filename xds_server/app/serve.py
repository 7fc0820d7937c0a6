"""The cluster mode: the Kubernetes API in, Envoys served, Gateways deployed, statuses written."""

import asyncio
import gc
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from functools import partial
from secrets import token_hex
from socket import gethostname
from typing import Any

import structlog
from prometheus_client import CollectorRegistry

from xds_server.app.deploying import installation, provisioner
from xds_server.app.replica import Replica, replica
from xds_server.app.securing import Security, security
from xds_server.app.tasks import until
from xds_server.control import Control, Round
from xds_server.pipeline.options import Options
from xds_server.pipeline.program import build
from xds_server.settings import ServeSettings
from xds_server.shell.clock import tell_time
from xds_server.shell.debug import Debug, Sources
from xds_server.shell.health import Health
from xds_server.shell.kube.client import Access, KubeClient, connect
from xds_server.shell.kube.leader import Duty
from xds_server.shell.kube.metrics import KubeMetrics
from xds_server.shell.kube.provision import Provisioner
from xds_server.shell.kube.source import KubeSource
from xds_server.shell.metrics import Metrics
from xds_server.shell.report import Reporter
from xds_server.shell.serve.options import ServeOptions
from xds_server.shell.serve.server import Serving
from xds_server.shell.signals import stop_on_signals
from xds_server.shell.verdicts import VerdictLog

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Parts:
    """What a running server is made of; every part is told of the others here."""

    settings: ServeSettings
    client: KubeClient
    control: Control
    source: KubeSource
    serving: Serving
    registry: CollectorRegistry
    metrics: Metrics
    replica: Replica
    provisioner: Provisioner
    security: Security | None

    def unready(self) -> str:
        """Why no Envoy is answered yet; empty once they are."""
        if reason := self.source.unready():
            return reason
        if not self.control.ready.is_set():
            return "not settled yet"
        if self.security is not None and not self.security.identity.known.is_set():
            return f"Secret {self.security.identity.secret} is not there yet: the leader makes it"
        return ""

    def about(self) -> dict[str, Any]:
        """What this server is, for people who look at several."""
        return {
            "name": self.settings.name,
            "namespace": self.settings.namespace,
            "identity": self.settings.identity,
            "controller_name": self.settings.controller_name,
            "leading": self.replica.leadership.leading,
        }

    def tasks(self) -> dict[str, Coroutine[Any, Any, None]]:
        """What runs until the server stops."""
        return {
            "control": self.control.run(),
            "source": self.source.run(),
            "readiness": self._become_ready(),
            "clock": tell_time(self.control),
            "leadership": self._lead(),
            **self.replica.tasks(),
            **(self.security.tasks() if self.security else {}),
        }

    def duties(self) -> dict[str, Duty]:
        """What one replica alone does, the leader."""
        duties = {"provisioner": self.provisioner.run, **self.replica.duties(self.provisioner.caught_up)}
        return duties | self.security.duties() if self.security else duties

    async def _lead(self) -> None:
        """Nobody leads who does not know the cluster yet."""
        await self.control.ready.wait()
        await self.replica.leadership.run(self.duties())

    async def _become_ready(self) -> None:
        """Nobody is answered before everything has been read: an Envoy would be told to drop its listeners."""
        if self.security is not None:
            await self.security.identity.known.wait()
            await self.serving.start(self.security.identity.credentials())
        await self.control.ready.wait()
        gc.collect()
        gc.freeze()
        await self.serving.ready()
        log.info("serving", address=self.settings.ads_address)
        await asyncio.Event().wait()


async def serve(settings: ServeSettings) -> None:
    """Serves a cluster until SIGINT or SIGTERM.

    Raises BindError or NoAccessError when it cannot start. A cluster that is away is waited for.
    """
    stop = asyncio.Event()
    stop_on_signals(stop)
    async with AsyncExitStack() as stack:
        client = await connect(Access(settings.kubeconfig, settings.context))
        stack.push_async_callback(client.close)
        settings = _completed(settings, client)
        log.info("starting", cluster=client.server, name=settings.name, namespace=settings.namespace)
        parts = _parts(settings, client)
        if parts.security is None:
            log.warning("xDS is served in plaintext, to whoever comes", address=settings.ads_address)
            await parts.serving.start()
        stack.push_async_callback(parts.serving.stop)
        await _start_endpoints(parts, stack)
        await until(stop, parts.tasks())
        log.info("stopping")


def _completed(settings: ServeSettings, client: KubeClient) -> ServeSettings:
    """With what follows from where it runs."""
    namespace = settings.namespace or client.namespace
    port = settings.ads_address.rpartition(":")[2]
    return replace(
        settings,
        namespace=namespace,
        identity=settings.identity or f"{gethostname()}-{token_hex(4)}",
        advertise=settings.advertise or f"{settings.name}.{namespace}.svc:{port}",
    )


def _parts(settings: ServeSettings, client: KubeClient) -> Parts:
    control = Control(
        build(_options(settings)),
        batch_seconds=settings.batch_seconds,
        batch_max_seconds=settings.batch_max_seconds,
    )
    source = KubeSource(client, control.submit, settings.namespaces)
    registry = CollectorRegistry()
    metrics = Metrics(registry, control.pipeline, lambda: source.faults)
    KubeMetrics(registry, source)
    control.watch(metrics.settled)
    secured = None if settings.insecure_ads else security(settings, client, control, registry)
    serving = Serving(
        control.catalog,
        Reporter(control, metrics),
        ServeOptions.of(settings),
        admission=secured.admission if secured else None,
    )
    control.watch(partial(_regroup, control=control, serving=serving))
    control.wake = serving.wake
    verdicts = VerdictLog(control.pipeline, files=False)
    control.watch(verdicts.settled)
    member = replica(settings, client, control, source, registry)
    verdicts.told = member.verdict
    made_by = provisioner(settings, client, control, source, registry)
    made_by.notice = member.deployment
    return Parts(settings, client, control, source, serving, registry, metrics, member, made_by, secured)


def _regroup(round_: Round, *, control: Control, serving: Serving) -> None:
    """Tells connected proxies that they serve other Gateways now, or that their pod is about to end."""
    proxies = control.pipeline.places.proxies
    assert proxies is not None, "pods are known in a cluster"
    for pod in round_.settled.keys(proxies):
        row = proxies.get(pod)
        serving.regroup(pod, row.gateways if row else (), draining=row is None or row.terminating)


def _options(settings: ServeSettings) -> Options:
    """The channel is what is assumed of CRDs that cannot be read."""
    return Options(
        controller_name=settings.controller_name,
        allow_external_names=settings.allow_external_names,
        cluster_domain=settings.cluster_domain,
        deployed=True,
        installation=installation(settings),
        channel="standard",
    )


async def _start_endpoints(parts: Parts, stack: AsyncExitStack) -> None:
    sources = Sources(
        pipeline=parts.control.pipeline,
        catalog=parts.control.catalog,
        clients=parts.serving.clients,
        registry=parts.registry,
        faults=lambda: parts.source.faults,
        unready=parts.unready,
        about=parts.about,
    )
    debug, health = Debug(sources), Health(parts.registry, parts.unready)
    await debug.start(parts.settings.admin_address)
    stack.push_async_callback(debug.stop)
    await health.start(parts.settings.health_address)
    stack.push_async_callback(health.stop)
