"""`xds-server serve`: the control plane of a Kubernetes cluster."""

import asyncio
import re
from typing import Annotated

import typer

from xds_server.cli.bootstrap import endpoint
from xds_server.cli.cluster import Context, ControllerName, Kubeconfig
from xds_server.cli.input import ExternalNames, fail
from xds_server.cli.output import LogFormat
from xds_server.settings import ServeSettings

DEFAULTS = ServeSettings()
_LABEL = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?\Z")
_CONTROLLER = re.compile(r"[a-z0-9.-]+\.[a-z0-9.-]+/[A-Za-z0-9/\-._~%!$&'()*+,;=:]+\Z")
_MOST_NAME = 40
"""Characters of --name; what is named after it adds some more."""
Name = Annotated[str, typer.Option(help="Of the installation: its Service, Lease and so on.")]
Namespace = Annotated[str, typer.Option("-n", "--namespace", help="Where it is installed; default: where it runs.")]
WatchNamespaces = Annotated[
    list[str] | None, typer.Option(help="Watch this namespace alone; may be repeated. Default: all.")
]
ClusterDomain = Annotated[str, typer.Option(help="The cluster's DNS domain.")]
AdsAddress = Annotated[str, typer.Option(help="Where Envoys connect.", metavar="HOST:PORT")]
Advertise = Annotated[
    str, typer.Option(help="What Envoys are told to connect to; default: the Service.", metavar="HOST:PORT")
]
AdminAddress = Annotated[str, typer.Option(help="Debug endpoint.", metavar="HOST:PORT")]
HealthAddress = Annotated[str, typer.Option(help="/healthz, /readyz and /metrics.", metavar="HOST:PORT")]
EnvoyImage = Annotated[str, typer.Option(help="The image of the Envoys it deploys.")]
LeaderElect = Annotated[bool, typer.Option("--leader-elect/--no-leader-elect", help="Off for a single replica.")]
InsecureAds = Annotated[
    bool, typer.Option("--insecure-ads", help="Plaintext xDS without authentication. For tests alone.")
]
Format = Annotated[LogFormat, typer.Option(help="How log lines look.")]
Level = Annotated[str, typer.Option(help="debug, info, warning or error.")]


def register(app: typer.Typer) -> None:
    """Adds the verb."""

    @app.command(
        name="serve",
        help="Serve a Kubernetes cluster. Every Gateway gets an Envoy, and everything a status.",
    )
    def command(
        kubeconfig: Kubeconfig = None,
        context: Context = None,
        name: Name = DEFAULTS.name,
        namespace: Namespace = "",
        controller_name: ControllerName = DEFAULTS.controller_name,
        watch_namespace: WatchNamespaces = None,
        cluster_domain: ClusterDomain = DEFAULTS.cluster_domain,
        ads_address: AdsAddress = DEFAULTS.ads_address,
        advertise: Advertise = "",
        admin_address: AdminAddress = DEFAULTS.admin_address,
        health_address: HealthAddress = DEFAULTS.health_address,
        envoy_image: EnvoyImage = DEFAULTS.envoy_image,
        leader_elect: LeaderElect = True,
        external_names: ExternalNames = False,
        insecure_ads: InsecureAds = False,
        log_format: Format = LogFormat.JSON,
        log_level: Level = "info",
    ) -> None:
        settings = ServeSettings(
            name=name,
            namespace=namespace,
            kubeconfig=kubeconfig,
            context=context,
            controller_name=controller_name,
            namespaces=tuple(sorted(set(watch_namespace or ()))),
            cluster_domain=cluster_domain,
            ads_address=ads_address,
            advertise=advertise,
            admin_address=admin_address,
            health_address=health_address,
            envoy_image=envoy_image,
            leader_elect=leader_elect,
            allow_external_names=external_names,
            insecure_ads=insecure_ads,
            log_format=log_format,
        )
        _check(settings)
        _start(settings, log_level)


def _check(settings: ServeSettings) -> None:
    """Exits with 2 for a value that can never do."""
    for option, address in (
        ("--ads-address", settings.ads_address),
        ("--admin-address", settings.admin_address),
        ("--health-address", settings.health_address),
        ("--advertise", settings.advertise or settings.ads_address),
    ):
        endpoint(option, address)
    name, controller = settings.name, settings.controller_name
    if not _LABEL.match(name) or len(name) > _MOST_NAME:
        fail(f"--name {name}: lower-case letters, digits and '-', a letter first, at most {_MOST_NAME} characters")
    if not _CONTROLLER.match(controller):
        fail(f"--controller-name {controller}: it is a domain and a path, such as {DEFAULTS.controller_name}")


def _start(settings: ServeSettings, log_level: str) -> None:
    from xds_server.app.serve import serve  # these bring Envoy's message classes, which --help does not need
    from xds_server.shell import logs
    from xds_server.shell.kube.errors import NoAccessError
    from xds_server.shell.serve.server import BindError

    try:
        logs.configure(settings.log_format, level=log_level)
    except ValueError as error:
        fail(str(error))
    try:
        asyncio.run(serve(settings))
    except (BindError, NoAccessError) as error:
        fail(str(error))
