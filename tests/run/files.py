"""Files as users write them: Gateways, HTTPRoutes, a Service with its endpoints."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

_GATEWAY_API = "gateway.networking.k8s.io/v1"


def write(path: Path, *documents: dict[str, Any]) -> None:
    """One file with these documents, put in its place at once."""
    fresh = path.with_suffix(".new")
    fresh.write_text(yaml.safe_dump_all(documents, sort_keys=False), "utf-8")
    fresh.replace(path)


def gateway(name: str, *ports: int, listeners: Iterable[dict[str, Any]] = ()) -> dict[str, Any]:
    """A Gateway with an HTTP listener for each port, and further listeners."""
    http = [{"name": f"http-{port}", "port": port, "protocol": "HTTP"} for port in ports]
    spec = {"gatewayClassName": "example", "listeners": [*http, *listeners]}
    return {"apiVersion": _GATEWAY_API, "kind": "Gateway", "metadata": {"name": name}, "spec": spec}


def route(name: str, parent: str, host: str, *, service: str = "app", path: str = "/") -> dict[str, Any]:
    """An HTTPRoute from a host, and a prefix of its paths, to a Service's port 80."""
    rule = {
        "matches": [{"path": {"type": "PathPrefix", "value": path}}],
        "backendRefs": [{"name": service, "port": 80}],
    }
    spec = {"parentRefs": [{"name": parent}], "hostnames": [host], "rules": [rule]}
    return {"apiVersion": _GATEWAY_API, "kind": "HTTPRoute", "metadata": {"name": name}, "spec": spec}


def service(address: str, name: str = "app") -> tuple[dict[str, Any], dict[str, Any]]:
    """A Service whose port 80 is one endpoint at HOST:PORT."""
    host, _, port = address.rpartition(":")
    ports = [{"name": "http", "port": int(port)}]
    labels = {"kubernetes.io/service-name": name}
    return (
        {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": {"ports": [{"name": "http", "port": 80}]}},
        {
            "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "metadata": {"name": name, "labels": labels},
            "addressType": "IPv4", "ports": ports, "endpoints": [{"addresses": [host]}],
        },
    )  # fmt: skip
