"""A world of all kinds for benchmarks: 50 listeners, 500 certificates, routes of every kind, grants and policies."""

from collections.abc import Iterator
from typing import Any

from tests.bench.worlds import GATEWAY_API, Document, backend
from tests.scenarios.certificates import certificate_pem, key, key_pem

DOMAINS = 44
CERTIFICATES = 500
PLAIN = ("http-80", "http-8080")
KINDS = {"HTTPRoute": 0.76, "GRPCRoute": 0.16, "TLSRoute": 0.06, "TCPRoute": 0.01, "UDPRoute": 0.01}
"""Shares of the routes."""
NAMESPACE = "bench"


def listeners() -> list[Document]:
    """The 50: one for HTTPS per domain with its share of the certificates, two for HTTP, one for TLS, two for TCP, one
    for UDP.
    """
    everyone = {"namespaces": {"from": "All"}}
    found: list[Document] = [
        {
            "name": f"https-{index}",
            "port": 443,
            "protocol": "HTTPS",
            "hostname": f"*.d{index}.example.com",
            "tls": {"certificateRefs": [{"name": f"cert-{one}"} for one in range(index, CERTIFICATES, DOMAINS)]},
        }
        for index in range(DOMAINS)
    ]
    found += [{"name": name, "port": int(name[5:]), "protocol": "HTTP"} for name in PLAIN]
    found += [{"name": "tls", "port": 8443, "protocol": "TLS", "tls": {"mode": "Passthrough"}}]
    found += [{"name": f"tcp-{port}", "port": port, "protocol": "TCP"} for port in (9000, 9001)]
    found += [{"name": "udp", "port": 53, "protocol": "UDP"}]
    return [one | {"allowedRoutes": everyone} for one in found]


def gateway(*more: Document) -> Document:
    """The Gateway; `more` are further listeners."""
    return _object("Gateway", "gateway", {"gatewayClassName": "bench", "listeners": [*listeners(), *more]})


def secret(index: int, serial: int = 0) -> Document:
    """A certificate; another `serial` is another certificate for the same name."""
    name = f"a{index}.d{index % DOMAINS}.example.com"
    private = key(f"{name}" if not serial else f"{name}/{serial}")
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": f"cert-{index}", "namespace": NAMESPACE},
        "type": "kubernetes.io/tls",
        "stringData": {"tls.crt": certificate_pem(name, private).decode(), "tls.key": key_pem(private).decode()},
    }


def route(kind: str, index: int, value: str = "first") -> Document:
    """A route of a kind to the backend of the same number; an edit makes the `value` v1, v2 and so on. One that hands on
    connections or datagrams has then a share of that weight, beside one of the next backend.
    """
    domain = index % DOMAINS
    reference = {"name": f"backend-{index}", "port": 53 if kind == "UDPRoute" else 80}
    hosts = {"hostnames": [f"h{index}.d{domain}.example.com"]}
    parent = [{"name": "gateway"}]
    if kind == "HTTPRoute":
        header = {"type": "RequestHeaderModifier", "requestHeaderModifier": {"set": [{"name": "a", "value": value}]}}
        rules: list[Any] = [
            {"matches": [{"path": {"value": "/get"}}], "filters": [header], "backendRefs": [reference]},
            {"matches": [{"path": {"type": "Exact", "value": "/a"}, "method": "GET"}], "backendRefs": [reference]},
        ]
        return _object(kind, f"route-{index}", {"parentRefs": parent, **hosts, "rules": rules})
    if kind == "GRPCRoute":
        match = {"method": {"service": f"shop.{value}"}}
        rules = [{"matches": [match], "backendRefs": [reference]}]
        return _object(kind, f"route-{index}", {"parentRefs": parent, **hosts, "rules": rules})
    shares = [reference]
    if value != "first":
        shares = [reference | {"weight": int(value.removeprefix("v"))}, reference | {"name": f"backend-{index + 1}"}]
    rules = [{"backendRefs": shares}]
    more = {"hostnames": [f"t{index}.d{domain}.example.com"]} if kind == "TLSRoute" else {}
    return _object(kind, f"route-{index}", {"parentRefs": parent, **more, "rules": rules})


def backends(kind: str, index: int) -> Iterator[Document]:
    """The Service and the endpoints behind a route."""
    for document in backend(index):
        if kind == "UDPRoute":
            port = document["spec"]["ports"][0] if document["kind"] == "Service" else document["ports"][0]
            port |= {"port": 53, "protocol": "UDP"}
        yield document


def grant() -> Document:
    """Lets the routes refer to Services of another namespace; a tenth of the HTTPRoutes do."""
    from_ = [{"group": "gateway.networking.k8s.io", "kind": "HTTPRoute", "namespace": NAMESPACE}]
    spec = {"from": from_, "to": [{"group": "", "kind": "Service", "name": "shared"}]}
    return _object("ReferenceGrant", "shared", spec, namespace="other")


def policy(index: int, hostname: str = "first") -> Document:
    """TLS to the backend of a route."""
    spec = {
        "targetRefs": [{"group": "", "kind": "Service", "name": f"backend-{index}"}],
        "validation": {
            "hostname": f"{hostname}.example.com",
            "caCertificateRefs": [{"group": "", "kind": "ConfigMap", "name": "ca"}],
        },
    }
    return _object("BackendTLSPolicy", f"policy-{index}", spec)


def traffic_policy(index: int, percent: int = 20) -> Document:
    """A limit of retries to the backend of a route."""
    targets = {"targetRefs": [{"group": "", "kind": "Service", "name": f"backend-{index}"}]}
    budget = {"retryConstraint": {"budget": {"percent": percent}}}
    made = _object("XBackendTrafficPolicy", f"traffic-{index}", targets | budget)
    return made | {"apiVersion": "gateway.networking.x-k8s.io/v1alpha1"}


def authorities(serial: int = 0) -> Document:
    """What policies verify backends with."""
    data = {"ca.crt": certificate_pem("ca", key(f"ca/{serial}" if serial else "ca")).decode()}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "ca", "namespace": NAMESPACE}, "data": data}


def kinds(count: int) -> list[str]:
    """The kind of each of `count` routes."""
    found = [kind for kind, share in KINDS.items() for _ in range(round(count * share))]
    return (found + ["HTTPRoute"] * count)[:count]


def examples(count: int) -> dict[str, int]:
    """The number of a route of each kind that is served; of those that take a whole port the first is."""
    found = kinds(count)
    return {kind: found.index(kind) + (kind not in ("TCPRoute", "UDPRoute")) for kind in KINDS}


def documents(count: int) -> Iterator[Document]:
    """The world of `count` routes."""
    yield gateway()
    yield grant()
    yield authorities()
    for index in range(CERTIFICATES):
        yield secret(index)
    shared = {"ports": [{"name": "http", "port": 80}]}
    yield {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "shared", "namespace": "other"}, "spec": shared}
    for index, kind in enumerate(kinds(count)):
        document = route(kind, index)
        if kind == "HTTPRoute" and index % 10 == 0:
            reference = {"name": "shared", "namespace": "other", "port": 80}
            document["spec"]["rules"][1]["backendRefs"] = [reference]
        if index % 25 == 0 and kind != "UDPRoute":
            yield policy(index)
        yield document
        yield from backends(kind, index)


def _object(kind: str, name: str, spec: Document, namespace: str = NAMESPACE) -> Document:
    metadata = {"name": name, "namespace": namespace}
    return {"apiVersion": GATEWAY_API, "kind": kind, "metadata": metadata, "spec": spec}
