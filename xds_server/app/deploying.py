"""Deploying Gateways: what the server says of itself to everything that it makes, and who makes it."""

from dataclasses import replace
from functools import lru_cache, partial
from typing import Any

from prometheus_client import CollectorRegistry

from xds_server.control import Control
from xds_server.envoy.bootstrap import BootstrapOptions, bootstrap, node_id, to_json
from xds_server.envoy.control_plane import Security
from xds_server.infra.deployment import POD_IP, POD_NAME
from xds_server.infra.desired import Installation
from xds_server.infra.names import ADMIN_PORT, AUTHORITY_FOLDER, STATUS_PORT
from xds_server.model.meta import Key
from xds_server.settings import ServeSettings
from xds_server.shell.kube.client import KubeClient
from xds_server.shell.kube.metrics import ProvisionMetrics
from xds_server.shell.kube.provision import Provisioner
from xds_server.shell.kube.source import KubeSource


def installation(settings: ServeSettings) -> Installation:
    """Of complete settings."""
    return Installation(
        name=settings.name,
        namespace=settings.namespace,
        controller_name=settings.controller_name,
        envoy_image=settings.envoy_image,
        bootstrap=partial(_bootstrap, settings=settings),
        secured=not settings.insecure_ads,
    )


def provisioner(
    settings: ServeSettings, client: KubeClient, control: Control, source: KubeSource, registry: CollectorRegistry
) -> Provisioner:
    """Makes what the tables want, while this replica leads."""
    made = Provisioner(
        client,
        control,
        manager=settings.name,
        controller_name=settings.controller_name,
        namespaces=settings.namespaces,
    )
    made.served = lambda: source.live.served("Gateway")
    told = ProvisionMetrics(registry)
    told.wait(made.queue, made.problems, made.contests)
    made.wrote = told.wrote
    return made


def _bootstrap(gateway: Key, heap: int | None, settings: ServeSettings) -> dict[str, Any]:
    """Of the Envoys that are deployed for a Gateway. They differ in who they say they are, and in what they may use."""
    options = _options(gateway, settings)
    return {**_first(settings, heap), "node": {"id": node_id(options), "cluster": str(gateway)}}


@lru_cache(maxsize=32)
def _first(settings: ServeSettings, heap: int | None) -> dict[str, Any]:
    """The bootstrap of some Gateway; to make it takes 13 ms."""
    options = _options(Key("", ""), settings)
    return to_json(bootstrap(options if heap is None else replace(options, max_heap_bytes=heap)))


def _options(gateway: Key, settings: ServeSettings) -> BootstrapOptions:
    host, _, port = settings.advertise.rpartition(":")
    host = host.strip("[]")
    return BootstrapOptions(
        gateway=gateway,
        pod=POD_NAME,
        ads_host=host,
        ads_port=int(port),
        admin_port=ADMIN_PORT,
        security=None if settings.insecure_ads else Security(AUTHORITY_FOLDER, host),
        status_port=STATUS_PORT,
        status_address=POD_IP,
    )
