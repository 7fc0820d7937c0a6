"""Documents to start from: each is good, and tests change one thing in it."""

from typing import Any

GROUP = "gateway.networking.k8s.io"


def document(kind: str, spec: Any = None, *, version: str = "v1", **more: Any) -> dict[str, Any]:
    """A Gateway API document called demo/one."""
    body = {"apiVersion": f"{GROUP}/{version}", "kind": kind, "metadata": {"name": "one", "namespace": "demo"}}
    return body | ({} if spec is None else {"spec": spec}) | more


def gateway(*listeners: dict[str, Any], **spec: Any) -> dict[str, Any]:
    """A Gateway with these listeners, or one for HTTP."""
    return document("Gateway", {"gatewayClassName": "demo", "listeners": list(listeners) or [listener()]} | spec)


def listener(name: str = "web", **more: Any) -> dict[str, Any]:
    """A listener for HTTP."""
    return {"name": name, "port": 80, "protocol": "HTTP"} | more


def https(name: str = "web", **tls: Any) -> dict[str, Any]:
    """A listener for HTTPS with a certificate."""
    tls = {"certificateRefs": [{"name": "cert"}]} | tls
    return {"name": name, "port": 443, "protocol": "HTTPS", "tls": tls}


def route(*rules: dict[str, Any], **spec: Any) -> dict[str, Any]:
    """An HTTPRoute with these rules, or one that sends everything to a Service."""
    return document("HTTPRoute", {"rules": list(rules) or [{"backendRefs": [backend()]}]} | spec)


def backend(**more: Any) -> dict[str, Any]:
    """A reference to a port of a Service."""
    return {"name": "shop", "port": 8080} | more


def core(kind: str, **body: Any) -> dict[str, Any]:
    """An object of the core API called demo/one."""
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": "one", "namespace": "demo"}} | body


def endpoint_slice(*endpoints: dict[str, Any], **body: Any) -> dict[str, Any]:
    """An EndpointSlice of IPv4 addresses."""
    slice_ = {"addressType": "IPv4", "endpoints": list(endpoints), "ports": [{"port": 8080}]}
    return core("EndpointSlice", **slice_, **body) | {"apiVersion": "discovery.k8s.io/v1"}
