"""Documents about who may add to a Gateway: ListenerSets, routes for default Gateways, policies of tracing."""

from hypothesis import strategies as st

from tests.pipeline.documents import Document, backend, document, gateway, listener, rule

_TIMES = st.sampled_from(["2024-01-01T00:00:00Z", "2024-01-02T00:00:00Z"])
_NAMESPACES = st.sampled_from(["default", "default", "other"])
_ALL: Document = {"namespaces": {"from": "All"}}
_TLS = {"protocol": "HTTPS", "tls": {"certificateRefs": [{"name": "c"}]}}
_SETS = st.builds(
    lambda name, ns, created, parent, listeners: document(
        "ListenerSet",
        name,
        {"parentRef": {"name": parent, "namespace": "default"}, "listeners": listeners},
        ns,
        creationTimestamp=created,
    ),
    st.sampled_from(["l1", "l2"]),
    _NAMESPACES,
    _TIMES,
    st.sampled_from(["g1", "g2", "g3"]),
    st.lists(
        st.sampled_from(
            [
                listener("l0", 80, hostname="a.e.com", allowedRoutes=_ALL),
                listener("l1", 80, hostname="b.e.com"),
                listener("l2", 443, hostname="a.e.com", **_TLS),
                listener("l3", 80, protocol="TCP"),
                listener("l4", 81, protocol="OTHER"),
            ]
        ),
        min_size=1,
        max_size=3,
        unique_by=str,
    ),
)
_GATEWAYS = st.builds(
    lambda name, allowed, scope, addresses: _allowing(name, allowed, scope, addresses),
    st.sampled_from(["g1", "g2", "g3"]),
    st.sampled_from(["All", "Same", "None"]),
    st.sampled_from(["All", "None"]),
    st.sampled_from([[], [{"value": "127.0.0.1"}], [{"value": "127.0.0.1"}, {"routability": "Cluster"}]]),
)


def _allowing(name: str, allowed: str, scope: str, addresses: list[Document]) -> Document:
    made = gateway(name, listener("l0", 80, hostname="*.e.com", allowedRoutes=_ALL))
    more = {"allowedListeners": {"namespaces": {"from": allowed}}, "defaultScope": scope, "addresses": addresses}
    return made | {"spec": made["spec"] | more}


_ROUTES = st.builds(
    lambda kind, name, ns, parents, scope: document(
        kind,
        name,
        {"parentRefs": parents, "useDefaultGateways": scope, "rules": [rule("/", backend("s1"))]}
        if kind == "HTTPRoute"
        else {"parentRefs": parents, "useDefaultGateways": scope, "rules": [{"backendRefs": [backend("s1")]}]},
        ns,
    ),
    st.sampled_from(["HTTPRoute", "GRPCRoute"]),
    st.sampled_from(["r4", "r5"]),
    _NAMESPACES,
    st.lists(
        st.sampled_from(
            [
                {"kind": "ListenerSet", "name": "l1", "namespace": "default"},
                {"kind": "ListenerSet", "name": "l2", "namespace": "default", "sectionName": "l1"},
                {"kind": "ListenerSet", "name": "l1", "namespace": "other"},
                {"name": "g1", "namespace": "default"},
            ]
        ),
        max_size=2,
        unique_by=str,
    ),
    st.sampled_from(["All", "None"]),
)
_POLICIES = st.builds(
    lambda name, ns, created, targets, tracing: document(
        "XTelemetryPolicy",
        name,
        {
            "targetRefs": [
                {"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": target} for target in targets
            ],
            "tracing": tracing,
        },
        ns,
        creationTimestamp=created,
    ),
    st.sampled_from(["t1", "t2"]),
    _NAMESPACES,
    _TIMES,
    st.lists(st.sampled_from(["g1", "g2", "none"]), min_size=1, max_size=2, unique=True),
    st.sampled_from(
        [
            {"mode": "Disabled"},
            {"mode": "Sometimes"},
            {"mode": "Enabled", "provider": {"backendRef": backend("s1")}},
            {"mode": "Enabled", "provider": {"backendRef": backend("s2", namespace="default")}},
        ]
    ),
)
GATEWAY_DOCUMENTS = st.one_of(_SETS, _SETS, _GATEWAYS, _ROUTES, _POLICIES)
