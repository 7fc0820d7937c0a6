"""Worlds of N routes for benchmarks: one Gateway, a Service, an EndpointSlice and an HTTPRoute per host."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

Document = dict[str, Any]
GATEWAY_API = "gateway.networking.k8s.io/v1"


def gateway(port: int = 80) -> Document:
    listener = {"name": "http", "port": port, "protocol": "HTTP", "allowedRoutes": {"namespaces": {"from": "All"}}}
    return {
        "apiVersion": GATEWAY_API,
        "kind": "Gateway",
        "metadata": {"name": "gateway", "namespace": "bench"},
        "spec": {"gatewayClassName": "bench", "listeners": [listener]},
    }


def route(index: int, value: str = "first", host: str = "") -> Document:
    """A route whose answer shows `value`: every path of its host is redirected to /`value`, /get goes to a backend."""
    redirect = {"path": {"type": "ReplaceFullPath", "replaceFullPath": f"/{value}"}}
    header = {"add": [{"name": "my-added-header", "value": value}]}
    return {
        "apiVersion": GATEWAY_API,
        "kind": "HTTPRoute",
        "metadata": {"name": f"route-{index}", "namespace": "bench"},
        "spec": {
            "parentRefs": [{"name": "gateway"}],
            "hostnames": [host or f"host-{index}.example.com"],
            "rules": [
                {
                    "matches": [{"path": {"type": "PathPrefix", "value": f"/get/{index}"}}],
                    "filters": [{"type": "RequestHeaderModifier", "requestHeaderModifier": header}],
                    "backendRefs": [{"name": f"backend-{index}", "port": 80}],
                },
                {"filters": [{"type": "RequestRedirect", "requestRedirect": redirect}]},
            ],
        },
    }


def backend(index: int) -> Iterator[Document]:
    name = f"backend-{index}"
    yield {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": "bench"},
        "spec": {"ports": [{"name": "http", "port": 80}]},
    }
    yield {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"name": name, "namespace": "bench", "labels": {"kubernetes.io/service-name": name}},
        "addressType": "IPv4",
        "ports": [{"name": "http", "port": 8080}],
        "endpoints": [{"addresses": [f"127.1.{index // 250}.{index % 250 + 1}"]}],
    }


def documents(count: int, port: int = 80, *, one_host: bool = False) -> Iterator[Document]:
    """The world of `count` routes."""
    yield gateway(port)
    for index in range(count):
        yield route(index, host="shop.example.com" if one_host else "")
        yield from backend(index)


def write(folder: Path, count: int, port: int) -> None:
    """The world as a folder of `count` + 1 files."""
    (folder / "gateway.yaml").write_text(yaml.safe_dump(gateway(port)))
    for index in range(count):
        write_route(folder, index, "first")


def write_route(folder: Path, index: int, value: str) -> None:
    """One route's file, replaced as editors do."""
    text = yaml.safe_dump_all([route(index, value), *backend(index)])
    draft = folder / f".route-{index}.yaml.new"
    draft.write_text(text)
    draft.replace(folder / f"route-{index}.yaml")
