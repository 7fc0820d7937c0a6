"""Documents to start from: each is good, and tests change one thing in it."""

from typing import Any

GROUP = "gateway.networking.k8s.io"
X_GROUP = "gateway.networking.x-k8s.io"


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


def grpc_route(*rules: dict[str, Any], **spec: Any) -> dict[str, Any]:
    """A GRPCRoute with these rules, or one that sends everything to a Service."""
    return document("GRPCRoute", {"rules": list(rules) or [{"backendRefs": [backend()]}]} | spec)


def l4_route(kind: str, **spec: Any) -> dict[str, Any]:
    """A TLSRoute, TCPRoute or UDPRoute to a Service."""
    named = {"hostnames": ["a.example.com"]} if kind == "TLSRoute" else {}
    return document(kind, named | {"rules": [{"backendRefs": [backend()]}]} | spec)


def any_route(kind: str, **spec: Any) -> dict[str, Any]:
    """A route of any kind."""
    if kind in ("HTTPRoute", "GRPCRoute"):
        return document(kind, {"rules": [{"backendRefs": [backend()]}]} | spec)
    return l4_route(kind, **spec)


def listener_set(*listeners: dict[str, Any], **spec: Any) -> dict[str, Any]:
    """A ListenerSet with these listeners, or one for HTTP, for a Gateway beside it."""
    return document("ListenerSet", {"parentRef": {"name": "gw"}, "listeners": list(listeners) or [listener()]} | spec)


def tls_policy(**validation: Any) -> dict[str, Any]:
    """A BackendTLSPolicy for a Service, with what everyone's certificates are checked against."""
    validation = validation or {"wellKnownCACertificates": "System"}
    target = {"group": "", "kind": "Service", "name": "shop"}
    return document(
        "BackendTLSPolicy", {"targetRefs": [target], "validation": {"hostname": "shop.example.com"} | validation}
    )


def x_document(kind: str, spec: Any) -> dict[str, Any]:
    """A document of the experimental group called demo/one."""
    return document(kind, spec) | {"apiVersion": f"{X_GROUP}/v1alpha1"}


def x_backend(**spec: Any) -> dict[str, Any]:
    """An XBackend outside the cluster."""
    outside = {"type": "ExternalHostname", "externalHostname": {"hostname": "api.example.com"}, "port": {"number": 443}}
    return x_document("XBackend", outside | spec)


def x_selector(**spec: Any) -> dict[str, Any]:
    """An XBackend of Pods."""
    pods = {"type": "EndpointSelector", "endpointSelector": {"matchLabels": {"app": "shop"}}, "port": {"number": 8080}}
    return x_document("XBackend", pods | spec)


def traffic_policy(**spec: Any) -> dict[str, Any]:
    """An XBackendTrafficPolicy for a Service."""
    target = {"group": "", "kind": "Service", "name": "shop"}
    return x_document("XBackendTrafficPolicy", {"targetRefs": [target]} | spec)


def telemetry(**tracing: Any) -> dict[str, Any]:
    """An XTelemetryPolicy for a Gateway that sends spans to a Service."""
    tracing = {"mode": "Enabled", "provider": {"backendRef": backend()}} | tracing
    target = {"group": GROUP, "kind": "Gateway", "name": "gw"}
    return x_document("XTelemetryPolicy", {"targetRefs": [target], "tracing": tracing})


def trust_bundle(name: str = "one", **spec: Any) -> dict[str, Any]:
    """A ClusterTrustBundle."""
    body = {"metadata": {"name": name}, "spec": {"trustBundle": "-----BEGIN CERTIFICATE-----"} | spec}
    return {"apiVersion": "certificates.k8s.io/v1", "kind": "ClusterTrustBundle"} | body


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
