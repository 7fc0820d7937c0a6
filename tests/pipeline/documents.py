"""Documents for tests of the whole pipeline: short to write, parsed like any other; and strategies for them."""

from collections.abc import Iterable
from typing import Any

from hypothesis import strategies as st

from tests.scenarios.certificates import filled_in
from xds_server.model.document import Fault, Ignored
from xds_server.model.kinds import BY_KIND, kind_of
from xds_server.model.meta import Key
from xds_server.model.parse import parse
from xds_server.pipeline.program import Pipeline

Document = dict[str, Any]


def document(kind: str, name: str, spec: Any = None, namespace: str = "default", **metadata: Any) -> Document:
    """A document of a kind that has a spec, or none."""
    made: Document = {
        "apiVersion": BY_KIND[kind].api_version,
        "kind": kind,
        "metadata": {"name": name, "namespace": namespace, **metadata},
    }
    return made if spec is None else made | {"spec": spec}


def gateway(name: str, *listeners: Document, namespace: str = "default", **metadata: Any) -> Document:
    spec = {"gatewayClassName": "any", "listeners": list(listeners)}
    return document("Gateway", name, spec, namespace, **metadata)


def listener(name: str, port: int = 80, **more: Any) -> Document:
    return {"name": name, "port": port, "protocol": "HTTP", **more}


def route(
    name: str,
    *,
    gateway: str = "gw",
    namespace: str = "default",
    hosts: Iterable[str] = (),
    rules: list[Document] | None = None,
    **metadata: Any,
) -> Document:
    spec = {
        "parentRefs": [{"name": gateway, "namespace": "default"}],
        "hostnames": list(hosts),
        "rules": rules if rules is not None else [rule()],
    }
    return document("HTTPRoute", name, spec, namespace, **metadata)


def rule(path: str = "/", *backends: Document, **more: Any) -> Document:
    return {"matches": [{"path": {"value": path}}], "backendRefs": list(backends), **more}


def backend(name: str, port: int = 80, **more: Any) -> Document:
    return {"name": name, "port": port, **more}


def service(name: str, namespace: str = "default", **metadata: Any) -> Document:
    return document("Service", name, {"ports": [{"port": 80}]}, namespace, **metadata)


def slice_(name: str, *addresses: str, namespace: str = "default", of: str = "") -> Document:
    labels = {"kubernetes.io/service-name": of or name}
    made = document("EndpointSlice", name, None, namespace, labels=labels)
    return made | {"ports": [{"port": 3000}], "endpoints": [{"addresses": [one]} for one in addresses]}


def grant(name: str, kind: str = "HTTPRoute", to: str = "Service", *, namespace: str = "other") -> Document:
    source = {"group": "gateway.networking.k8s.io", "kind": kind, "namespace": "default"}
    return document("ReferenceGrant", name, {"from": [source], "to": [{"group": "", "kind": to}]}, namespace)


def secret(name: str, host: str, *, key: str = "", namespace: str = "default") -> Document:
    data = {"tls.crt": f"${{cert:{host}}}", "tls.key": f"${{key:{key or host}}}"}
    return document("Secret", name, None, namespace) | {"stringData": data}


def authorities(name: str, host: str, namespace: str = "default") -> Document:
    """A ConfigMap with a bundle of authorities."""
    return filled_in(document("ConfigMap", name, namespace=namespace) | {"data": {"ca.crt": f"${{cert:{host}}}"}})


def policy(name: str, service: str, hostname: str = "a.e.com", *, section: str = "", **metadata: Any) -> Document:
    """A BackendTLSPolicy that trusts the ConfigMap `ca`."""
    target = {"group": "", "kind": "Service", "name": service, **({"sectionName": section} if section else {})}
    trusted = [{"group": "", "kind": "ConfigMap", "name": "ca"}]
    spec = {"targetRefs": [target], "validation": {"hostname": hostname, "caCertificateRefs": trusted}}
    return document("BackendTLSPolicy", name, spec, **metadata)


def x_backend(name: str, **spec: Any) -> Document:
    """An XBackend: Pods with app=a, unless `spec` says otherwise."""
    pods = {"type": "EndpointSelector", "endpointSelector": {"matchLabels": {"app": "a"}}, "port": {"number": 80}}
    return document("XBackend", name, pods | spec)


def pod(name: str, address: str, *, ready: bool = True, **labels: str) -> Document:
    status = {"podIPs": [{"ip": address}], "conditions": [{"type": "Ready", "status": str(ready)}]}
    return document("Pod", name, labels=labels) | {"status": status}


def namespace(name: str, **labels: str) -> Document:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}


def put(pipeline: Pipeline, *documents: Document) -> None:
    """Puts documents in; nothing is settled yet."""
    for one in documents:
        value = parse(filled_in(one))
        assert not isinstance(value, Fault | Ignored), value
        pipeline.inputs.put(kind_of(value).kind, value.metadata.key, value)


def remove(pipeline: Pipeline, kind: str, name: str, namespace: str = "default") -> None:
    pipeline.inputs.remove(kind, Key(namespace, name))


# Strategies: a small world, in which everything has to do with everything.

_HOSTS = st.sampled_from(["a.e.com", "b.e.com", "x.b.e.com", "*.e.com", "*.b.e.com", "*.com", "other.org"])
_TIMES = st.sampled_from(["", "2020-01-01T00:00:00Z", "2021-01-01T00:00:00Z"])
_NAMESPACES = st.sampled_from(["default", "other"])
_ALLOWED = st.sampled_from(
    [
        {},
        {"namespaces": {"from": "All"}},
        {"namespaces": {"from": "Selector", "selector": {"matchLabels": {"team": "a"}}}},
        {"kinds": [{"kind": "TCPRoute"}]},
    ]
)
_PLAIN = st.builds(
    lambda port, protocol, host, allowed: {
        "port": port,
        "protocol": protocol,
        "allowedRoutes": allowed,
        **({"hostname": host} if host else {}),
    },
    st.sampled_from([80, 80, 80, 81]),
    st.sampled_from(["HTTP", "HTTP", "HTTP", "HTTP", "TCP"]),
    st.none() | _HOSTS,
    _ALLOWED,
)
_SECURE = st.builds(
    lambda refs, host, allowed: {
        "port": 443,
        "protocol": "HTTPS",
        "allowedRoutes": allowed,
        "tls": {"certificateRefs": refs},
        **({"hostname": host} if host else {}),
    },
    st.lists(
        st.builds(lambda name, ns: {"name": name, "namespace": ns}, st.sampled_from("cd"), _NAMESPACES),
        min_size=1,
        max_size=2,
    ),
    st.none() | _HOSTS,
    _ALLOWED,
)
_STREAMS = st.one_of(
    st.builds(
        lambda mode, host: {
            "port": 443,
            "protocol": "TLS",
            "tls": {"mode": mode, **({"certificateRefs": [{"name": "c"}]} if mode == "Terminate" else {})},
            "allowedRoutes": {"namespaces": {"from": "All"}},
            **({"hostname": host} if host else {}),
        },
        st.sampled_from(["Passthrough", "Terminate"]),
        st.none() | _HOSTS,
    ),
    st.builds(lambda port: {"port": port, "protocol": "UDP"}, st.sampled_from([80, 53])),
)
_LISTENERS = st.lists(_PLAIN | _SECURE | _STREAMS, min_size=1, max_size=4).map(
    lambda found: [{"name": f"l{index}", **one} for index, one in enumerate(found)]
)
_FILTERS = st.sampled_from(
    [
        {"type": "RequestHeaderModifier", "requestHeaderModifier": {"set": [{"name": "x-a", "value": "1%"}]}},
        {"type": "ResponseHeaderModifier", "responseHeaderModifier": {"remove": ["x-b"]}},
        {"type": "RequestHeaderModifier", "requestHeaderModifier": {"remove": ["host"]}},
        {"type": "RequestRedirect", "requestRedirect": {"scheme": "https"}},
        {"type": "URLRewrite", "urlRewrite": {"path": {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/n"}}},
        {"type": "RequestMirror", "requestMirror": {"backendRef": {"name": "s2", "port": 80}}},
        {"type": "CORS", "cors": {"allowOrigins": ["https://*.e.com"], "allowHeaders": ["*"]}},
        {"type": "CORS"},
    ]
)
_BACKENDS = st.builds(
    lambda name, ns, port, weight, filters: {
        "name": name,
        "namespace": ns,
        "port": port,
        "weight": weight,
        "filters": filters,
    },
    st.sampled_from(["s1", "s2"]),
    _NAMESPACES,
    st.sampled_from([80, 80, 80, 81]),
    st.sampled_from([1, 1, 2, 0]),
    st.lists(_FILTERS, max_size=1),
)
_MATCHES = st.sampled_from(
    [
        {"path": {"value": "/"}},
        {"path": {"value": "/p"}},
        {"path": {"type": "Exact", "value": "/p"}},
        {"path": {"type": "RegularExpression", "value": "/p.*"}},
        {"path": {"type": "RegularExpression", "value": "("}},
        {"method": "GET"},
    ]
)
_RULES = st.builds(
    lambda matches, filters, backends: {"matches": matches, "filters": filters, "backendRefs": backends},
    st.lists(_MATCHES, min_size=1, max_size=2),
    st.lists(_FILTERS, max_size=1),
    st.lists(_BACKENDS, max_size=2),
)
_PARENTS = st.lists(
    st.sampled_from(
        [
            {"name": "g1", "namespace": "default"},
            {"name": "g2", "namespace": "default"},
            {"name": "g1", "namespace": "default", "sectionName": "l1"},
            {"name": "g1", "namespace": "default", "port": 443},
        ]
    ),
    min_size=1,
    max_size=2,
    unique_by=str,
)
_ROUTES = st.builds(
    lambda name, ns, created, parents, hosts, rules: document(
        "HTTPRoute",
        name,
        {"parentRefs": parents, "hostnames": hosts, "rules": rules},
        ns,
        creationTimestamp=created,
    ),
    st.sampled_from(["r1", "r2", "r3"]),
    _NAMESPACES,
    _TIMES,
    _PARENTS,
    st.lists(_HOSTS, max_size=3, unique=True),
    st.lists(_RULES, min_size=1, max_size=2),
)


def _stream_route(
    kind: str, name: str, ns: str, created: str, parents: list[Document], hosts: list[str], backends: list[Document]
) -> Document:
    refs = [{key: value for key, value in one.items() if key != "filters"} for one in backends]
    spec = {"parentRefs": parents, "rules": [{"backendRefs": refs}] if refs else []}
    hostnames = {"hostnames": hosts} if kind == "TLSRoute" else {}
    return document(kind, name, {**hostnames, **spec}, ns, creationTimestamp=created)


_STREAM_ROUTES = st.builds(
    _stream_route,
    st.sampled_from(["TLSRoute", "TLSRoute", "TCPRoute", "UDPRoute"]),
    st.sampled_from(["r1", "r2"]),
    _NAMESPACES,
    _TIMES,
    _PARENTS,
    st.lists(_HOSTS, min_size=1, max_size=3, unique=True),
    st.lists(_BACKENDS, max_size=2),
)
_TRAFFIC = st.builds(
    lambda name, ns, created, targets, more: document(
        "XBackendTrafficPolicy",
        name,
        {"targetRefs": [{"group": "", "kind": "Service", "name": target} for target in targets]} | more,
        ns,
        creationTimestamp=created,
    ),
    st.sampled_from(["t1", "t2"]),
    _NAMESPACES,
    _TIMES,
    st.lists(st.sampled_from(["s1", "s2", "s3"]), min_size=1, max_size=2, unique=True),
    st.sampled_from(
        [
            {"retryConstraint": {}},
            {"retryConstraint": {"budget": {"percent": 5}}},
            {"sessionPersistence": {"cookie": {}}},
            {"sessionPersistence": {"type": "Header", "header": {"name": "x-s"}}, "retryConstraint": {}},
            {"sessionPersistence": {"type": "Header"}},
        ]
    ),
)
_ALL: Document = {"namespaces": {"from": "All"}}
_BOTH: Document = {"parentRefs": [{"name": name, "namespace": "default"} for name in ("g1", "g2")]}
_X = {"group": "gateway.networking.x-k8s.io", "kind": "XBackend", "name": "x"}
BASE = (
    gateway(
        "g1",
        listener("l0", allowedRoutes=_ALL),
        listener("l1", 80, hostname="*.e.com"),
        listener("l2", 443, protocol="HTTPS", allowedRoutes=_ALL, tls={"certificateRefs": [{"name": "c"}]}),
    ),
    gateway(
        "g2",
        listener("l0", 80, hostname="*.b.e.com", allowedRoutes=_ALL),
        listener("l1", 443, protocol="TLS", hostname="*.e.com", allowedRoutes=_ALL, tls={"mode": "Passthrough"}),
        listener("l2", 53, protocol="UDP", allowedRoutes=_ALL),
        listener("l3", 53, protocol="TCP", allowedRoutes=_ALL),
    ),
    document("HTTPRoute", "r1", _BOTH | {"rules": [rule("/", backend("s1"), backend("s2", weight=2), _X)]}),
    document("HTTPRoute", "r2", _BOTH | {"hostnames": ["*.e.com", "x.b.e.com"], "rules": [rule("/p", backend("s2"))]}),
    document("HTTPRoute", "r3", _BOTH | {"rules": [rule("/q", backend("s1", namespace="default"))]}, "other"),
    *(service(name, ns) for name in ("s1", "s2") for ns in ("default", "other")),
    slice_("e1", "10.0.0.1", of="s1"),
    grant("g"),
    secret("c", "a.e.com"),
)
"""Where histories begin."""

_NOT_SHOWING = gateway("g2", listener("l0", 80, hostname="*.b.e.com", allowedRoutes=_ALL))
_SHOWING = _NOT_SHOWING | {"spec": _NOT_SHOWING["spec"] | {"tls": {"backend": {"clientCertificateRef": {"name": "c"}}}}}

DOCUMENTS = st.one_of(
    _ROUTES,
    _ROUTES,
    _ROUTES,
    _STREAM_ROUTES,
    st.builds(lambda name, found: gateway(name, *found), st.sampled_from(["g1", "g2"]), _LISTENERS),
    st.builds(service, st.sampled_from(["s1", "s2"]), _NAMESPACES),
    st.builds(
        lambda name, ns, found, of: slice_(name, *found, namespace=ns, of=of),
        st.sampled_from(["e1", "e2"]),
        _NAMESPACES,
        st.lists(st.sampled_from(["10.0.0.1", "10.0.0.2"]), unique=True),
        st.sampled_from(["s1", "s2"]),
    ),
    st.sampled_from([grant("g"), grant("h", "Gateway", "Secret"), grant("g", "Gateway")]),
    st.builds(
        lambda name, ns, key: secret(name, "a.e.com", key=key, namespace=ns),
        st.sampled_from("cd"),
        _NAMESPACES,
        st.sampled_from(["a.e.com", "a.e.com", "b.e.com"]),
    ),
    st.builds(
        lambda name, of, section, host, created: policy(name, of, host, section=section, creationTimestamp=created),
        st.sampled_from(["p1", "p2"]),
        st.sampled_from(["s1", "s2"]),
        st.sampled_from(["", "p", "none"]),
        st.sampled_from(["a.e.com", "b.e.com"]),
        _TIMES,
    ),
    st.sampled_from(
        [authorities("ca", "a.e.com"), authorities("ca", "b.e.com"), authorities("ca", "a.e.com", "other")]
    ),
    st.sampled_from([_SHOWING, _NOT_SHOWING]),
    st.sampled_from(
        [
            x_backend("x"),
            x_backend("x", protocol="H2C"),
            x_backend("x", type="ExternalHostname", externalHostname={"hostname": "a.e.com"}),
            pod("a", "10.1.0.1", app="a"),
            pod("a", "10.1.0.1", ready=False, app="a"),
            pod("b", "10.1.0.2", app="a"),
            pod("b", "10.1.0.2", app="b"),
        ]
    ),
    _TRAFFIC,
    st.builds(lambda name, team: namespace(name, team=team), _NAMESPACES, st.sampled_from("ab")),
    st.sampled_from(
        [
            document("GatewayClass", "theirs", {"controllerName": "example.com/other"}, ""),
            document("GatewayClass", "any", {"controllerName": "xds-server.dev/gateway-controller"}, ""),
        ]
    ),
)
