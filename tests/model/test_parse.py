"""Documents to values: defaults as the API server fills them in, every wrong value named by its field."""

import copy

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.model.documents import (
    GROUP,
    X_GROUP,
    backend,
    core,
    document,
    endpoint_slice,
    gateway,
    grpc_route,
    l4_route,
    listener,
    listener_set,
    route,
    telemetry,
    traffic_policy,
    x_backend,
)
from tests.model.test_document import JSON
from xds_server.model.core import Endpoint, EndpointPort, ReferenceGrant, ServicePort
from xds_server.model.document import Fault, Ignored
from xds_server.model.gateway import (
    AllowedRoutes,
    Gateway,
    Listener,
    ListenerTLS,
    RouteGroupKind,
    RouteNamespaces,
    SecretObjectReference,
)
from xds_server.model.grpcroute import GRPCMethodMatch, GRPCRouteMatch, GRPCRouteRule
from xds_server.model.httproute import (
    CookieConfig,
    Fraction,
    HTTPBackendRef,
    HTTPPathMatch,
    HTTPRoute,
    HTTPRouteMatch,
    HTTPRouteRule,
    NamedMatch,
    ParentReference,
)
from xds_server.model.kinds import KINDS
from xds_server.model.meta import Key
from xds_server.model.parse import parse
from xds_server.model.policy import BackendTLS, BudgetDetails, RequestRate, RetryConstraint


def only_rule(rule):
    return parse(route(rule)).spec.rules[0]


# Defaults


def test_listener_defaults():
    [web] = parse(gateway(listener())).spec.listeners
    assert web == Listener(name="web", port=80, protocol="HTTP")
    assert web.hostname is None
    assert web.tls is None
    assert web.allowed_routes == AllowedRoutes(namespaces=RouteNamespaces(from_="Same"), kinds=())


def test_partial_allowed_routes_are_completed():
    [one] = parse(gateway(listener(allowedRoutes={"kinds": [{"kind": "HTTPRoute"}]}))).spec.listeners
    assert one.allowed_routes.namespaces.from_ == "Same"
    assert one.allowed_routes.kinds == (RouteGroupKind(kind="HTTPRoute", group=GROUP),)
    [two] = parse(gateway(listener(allowedRoutes={"namespaces": {}}))).spec.listeners
    assert two.allowed_routes.namespaces.from_ == "Same"


def test_tls_defaults():
    [https] = parse(gateway(listener(tls={"certificateRefs": [{"name": "cert"}]}))).spec.listeners
    assert https.tls == ListenerTLS(mode="Terminate", certificate_refs=(SecretObjectReference(name="cert"),))
    assert (https.tls.certificate_refs[0].group, https.tls.certificate_refs[0].kind) == ("", "Secret")


def test_address_type_defaults_to_ip_address():
    [address] = parse(gateway(addresses=[{"value": "127.0.0.1"}])).spec.addresses
    assert (address.type, address.value) == ("IPAddress", "127.0.0.1")


def test_parent_defaults():
    [ref] = parse(route(parentRefs=[{"name": "gw"}])).spec.parent_refs
    assert ref == ParentReference(name="gw", group=GROUP, kind="Gateway", namespace=None, section_name=None, port=None)


def test_backend_defaults():
    [ref] = only_rule({"backendRefs": [{"name": "shop", "port": 80}]}).backend_refs
    assert ref == HTTPBackendRef(name="shop", group="", kind="Service", namespace=None, port=80, weight=1, filters=())


def test_the_core_group_can_be_given():
    [ref] = only_rule({"backendRefs": [{"group": "", "kind": "Service", "name": "shop", "weight": 0}]}).backend_refs
    assert (ref.group, ref.weight) == ("", 0)


@pytest.mark.parametrize(
    ("match", "path"),
    [
        ({}, ("PathPrefix", "/")),
        ({"path": {}}, ("PathPrefix", "/")),
        ({"path": {"type": "Exact"}}, ("Exact", "/")),
        ({"path": {"value": "/a"}}, ("PathPrefix", "/a")),
        ({"method": "GET"}, ("PathPrefix", "/")),
    ],
)
def test_path_defaults(match, path):
    [parsed] = only_rule({"matches": [match]}).matches
    assert (parsed.path.type, parsed.path.value) == path


def test_header_and_query_matches_are_exact_by_default():
    match = {"headers": [{"name": "a", "value": "b"}], "queryParams": [{"name": "c", "value": "d"}]}
    [parsed] = only_rule({"matches": [match]}).matches
    assert parsed.headers == (NamedMatch(name="a", value="b", type="Exact"),)
    assert parsed.query_params == (NamedMatch(name="c", value="d", type="Exact"),)


EVERYTHING = (HTTPRouteMatch(path=HTTPPathMatch(type="PathPrefix", value="/")),)


@pytest.mark.parametrize("rule", [{}, {"matches": []}, {"matches": None}])
def test_a_rule_without_matches_matches_everything(rule):
    assert only_rule(rule).matches == EVERYTHING


@pytest.mark.parametrize("spec", [{}, {"rules": []}, {"rules": None}, {"hostnames": [], "parentRefs": []}])
def test_a_route_without_rules_has_one_that_matches_everything_and_sends_nowhere(spec):
    parsed = parse(document("HTTPRoute", spec))
    assert parsed.spec.rules == (HTTPRouteRule(matches=EVERYTHING, backend_refs=()),)
    assert parsed.spec.hostnames == ()


def test_redirect_and_fraction_defaults():
    rule = only_rule(
        {
            "filters": [
                {"type": "RequestRedirect", "requestRedirect": {}},
                {"type": "RequestMirror", "requestMirror": {"backendRef": backend(), "fraction": {"numerator": 5}}},
            ]
        }
    )
    assert rule.filters[0].request_redirect.status_code == 302
    assert rule.filters[1].request_mirror.fraction == Fraction(numerator=5, denominator=100)


def test_grants_may_name_no_object():
    spec = {"from": [{"group": GROUP, "kind": "HTTPRoute", "namespace": "a"}], "to": [{"group": "", "kind": "Service"}]}
    parsed = parse(document("ReferenceGrant", spec))
    assert isinstance(parsed, ReferenceGrant)
    assert (parsed.spec.from_[0].namespace, parsed.spec.to[0].name) == ("a", None)


def test_service_and_slice_defaults():
    service = parse(core("Service", spec={"ports": [{"port": 80, "targetPort": "http"}]}))
    assert service.spec.type == "ClusterIP"
    assert service.spec.ports == (ServicePort(port=80, protocol="TCP", name="", target_port="http"),)
    parsed = parse(endpoint_slice({"addresses": ["10.0.0.1"]}))
    assert parsed.endpoints == (Endpoint(addresses=("10.0.0.1",)),)
    assert parsed.endpoints[0].conditions.ready is None
    assert parsed.ports == (EndpointPort(port=8080, protocol="TCP"),)


def test_a_slice_may_have_no_lists_at_all():
    parsed = parse(endpoint_slice() | {"endpoints": None, "ports": None})
    assert (parsed.endpoints, parsed.ports) == (None, None)


@pytest.mark.parametrize("rule", [{}, {"matches": []}, {"matches": None}, {"matches": [{}]}])
def test_a_grpc_rule_without_matches_takes_every_call(rule):
    assert parse(grpc_route(rule)).spec.rules == (GRPCRouteRule(matches=(GRPCRouteMatch(),)),)


@pytest.mark.parametrize("spec", [{}, {"rules": []}, {"rules": None}])
def test_a_grpc_route_without_rules_has_none(spec):
    assert parse(document("GRPCRoute", spec)).spec.rules == ()


def test_a_grpc_method_is_exact_by_default():
    [rule] = parse(grpc_route({"matches": [{"method": {"service": "a.B"}}]})).spec.rules
    assert rule.matches == (GRPCRouteMatch(method=GRPCMethodMatch(type="Exact", service="a.B")),)


@pytest.mark.parametrize(
    ("allowed", "from_"),
    [
        ({}, "None"),
        ({"namespaces": {}}, "None"),
        ({"namespaces": {"selector": {"matchLabels": {"a": "b"}}}}, "None"),
        ({"namespaces": {"from": "Same"}}, "Same"),
    ],
)
def test_a_gateway_allows_no_listener_sets_by_default(allowed, from_):
    assert parse(gateway()).spec.allowed_listeners.namespaces.from_ == "None"
    assert parse(gateway(allowedListeners=allowed)).spec.allowed_listeners.namespaces.from_ == from_


def test_listener_sets_have_the_defaults_of_gateways():
    spec = parse(listener_set()).spec
    assert spec.listeners == parse(gateway()).spec.listeners
    assert (spec.parent_ref.group, spec.parent_ref.kind, spec.parent_ref.namespace) == (GROUP, "Gateway", None)


def test_session_and_retry_defaults():
    rule = only_rule({"sessionPersistence": {"cookie": {}}, "retry": {}})
    session = rule.session_persistence
    assert (session.type, session.cookie) == ("Cookie", CookieConfig(name=None, path="/", lifetime_type="Session"))
    assert (rule.retry.attempts, rule.retry.codes) == (1, ())


def test_defaults_of_policies_and_backends():
    assert parse(x_backend()).spec.tls == BackendTLS(mode="None")
    constraint = parse(traffic_policy(retryConstraint={"budget": {"percent": 5}})).spec.retry_constraint
    assert constraint == RetryConstraint(BudgetDetails(5, "10s"), RequestRate(10, "1s"))
    tracing = parse(telemetry(mode=None, parentBasedSampling={})).spec.tracing
    assert (tracing.mode, tracing.parent_based_sampling.mode) == ("ImplementationDefault", "ImplementationDefault")


@pytest.mark.parametrize(
    ("status", "addresses"),
    [
        ({"podIP": "10.0.0.1"}, ["10.0.0.1"]),
        ({"podIP": "10.0.0.1", "podIPs": []}, ["10.0.0.1"]),
        ({"podIP": "10.0.0.1", "podIPs": [{"ip": "10.0.0.1"}, {"ip": "fd00::1"}]}, ["10.0.0.1", "fd00::1"]),
        ({"podIP": "", "podIPs": None}, []),
        ({}, []),
        (None, []),
    ],
)
def test_addresses_of_a_pod(status, addresses):
    assert [one.ip for one in parse(core("Pod", status=status)).status.pod_ips] == addresses


# Identity


def test_namespace_defaults_to_default():
    body = route()
    del body["metadata"]["namespace"]
    assert parse(body).metadata.key == Key("default", "one")
    body["metadata"]["namespace"] = ""
    assert parse(body).metadata.key == Key("default", "one")


@pytest.mark.parametrize("body", [core("Namespace"), document("GatewayClass", {"controllerName": "a.io/b"})])
def test_cluster_scoped_objects_have_no_namespace(body):
    assert body["metadata"]["namespace"]
    assert parse(body).metadata.key == Key("", "one")


def test_metadata_is_kept():
    metadata = {
        "name": "one",
        "namespace": "demo",
        "uid": "u",
        "resourceVersion": "7",
        "generation": 3,
        "creationTimestamp": "2026-01-01T00:00:00Z",
        "labels": {"a": "b"},
        "annotations": {"c": "d"},
        "managedFields": [{"manager": "x"}],
    }
    parsed = parse(route() | {"metadata": metadata}).metadata
    assert (parsed.uid, parsed.generation) == ("u", 3)
    assert (parsed.creation_timestamp, parsed.labels, parsed.annotations) == (
        "2026-01-01T00:00:00Z",
        {"a": "b"},
        {"c": "d"},
    )


def test_unknown_fields_are_ignored():
    body = gateway(listener(later={"a": [1]}), alsoLater=True) | {"status": {"anything": 1}}
    assert parse(body) == parse(gateway(listener()))


def test_the_document_stays_as_it_is():
    body = route({"matches": [], "name": None}) | {"metadata": {"name": "x", "labels": None}}
    before = copy.deepcopy(body)
    parse(body)
    assert body == before


# Versions and kinds


@pytest.mark.parametrize("version", ["v1", "v1beta1", "v1alpha2"])
@pytest.mark.parametrize("body", [gateway(), route(), document("GatewayClass", {"controllerName": "a.io/b"})])
def test_every_version_reads_alike(body, version):
    assert parse(body | {"apiVersion": f"{GROUP}/{version}"}) == parse(body)


def test_reference_policy_is_a_reference_grant():
    spec = {"from": [{"group": GROUP, "kind": "HTTPRoute", "namespace": "a"}], "to": [{"group": "", "kind": "Service"}]}
    old = document("ReferencePolicy", spec, version="v1alpha2")
    assert parse(old) == parse(document("ReferenceGrant", spec))


@pytest.mark.parametrize("kind", ["TLSRoute", "TCPRoute", "UDPRoute"])
@pytest.mark.parametrize("version", ["v1", "v1alpha2"])
def test_every_version_of_other_routes_reads_alike(kind, version):
    assert parse(l4_route(kind) | {"apiVersion": f"{GROUP}/{version}"}) == parse(l4_route(kind))


def test_former_kinds_read_as_what_they_became():
    old = listener_set() | {"kind": "XListenerSet", "apiVersion": f"{X_GROUP}/v1alpha1"}
    assert parse(old) == parse(listener_set())
    fault = parse(old | {"apiVersion": f"{X_GROUP}/v1"})
    assert fault.reason == "names version v1; versions of XListenerSet that are read: v1alpha1"
    assert fault.kind == "ListenerSet"


def test_an_unknown_version_is_a_fault_that_names_those_that_are_read():
    fault = parse(route() | {"apiVersion": f"{GROUP}/v2"})
    assert (fault.kind, fault.namespace, fault.name, fault.field) == ("HTTPRoute", "demo", "one", "apiVersion")
    assert fault.reason == "names version v2; versions of HTTPRoute that are read: v1, v1beta1, v1alpha2"


@pytest.mark.parametrize(
    ("api_version", "kind"),
    [
        ("apps/v1", "Deployment"),
        ("v1", "Node"),
        (f"{GROUP}/v1", "Later"),
        (f"{X_GROUP}/v1alpha1", "XMesh"),
        ("v1", "Gatway"),
        ("networking.istio.io/v1", "Gateway"),
        ("networking.x-k8s.io/v1alpha1", "HTTPRoute"),
    ],
)
def test_other_kinds_are_ignored(api_version, kind):
    body = {"apiVersion": api_version, "kind": kind, "metadata": {"name": "one", "namespace": "demo"}}
    assert parse(body) == Ignored(api_version=api_version, kind=kind, namespace="demo", name="one")


@pytest.mark.parametrize(
    ("api_version", "kind", "meant"),
    [
        (f"{GROUP}/v1", "HttpRoute", f"{GROUP}/v1 HTTPRoute"),
        (f"{GROUP}/v1", "httproutes", f"{GROUP}/v1 HTTPRoute"),
        (f"{GROUP}/v1", "Gatway", f"{GROUP}/v1 Gateway"),
        ("v1", "Gateway", f"{GROUP}/v1 Gateway"),
        (f"{X_GROUP}/v1alpha1", "GRPCRoute", f"{GROUP}/v1 GRPCRoute"),
        (f"{GROUP}/v1", "XBackend", f"{X_GROUP}/v1alpha1 XBackend"),
        (f"{X_GROUP}/v1alpha1", "Backend", f"{X_GROUP}/v1alpha1 XBackend"),
        (f"{GROUP}/v1", "XListenerSet", f"{GROUP}/v1 ListenerSet"),
        ("v1", "XTelemetryPolicy", f"{X_GROUP}/v1alpha1 XTelemetryPolicy"),
        ("gateway.networking.k8.io/v1", "HTTPRoute", f"{GROUP}/v1 HTTPRoute"),
        ("gateway.network.x-k8s.io/v1", "XBackend", f"{X_GROUP}/v1alpha1 XBackend"),
    ],
)
def test_near_misses_are_faults_with_a_hint(api_version, kind, meant):
    fault = parse(route() | {"apiVersion": api_version, "kind": kind})
    assert isinstance(fault, Fault)
    assert fault.reason.endswith(meant)


# Faults


@pytest.mark.parametrize(
    ("body", "field", "reason"),
    [
        (None, "", "is empty, not an object with apiVersion and kind"),
        ("text", "", "is a string, not an object with apiVersion and kind"),
        ([1], "", "is a list, not an object with apiVersion and kind"),
        (7, "", "is the number 7, not an object with apiVersion and kind"),
        ({}, "kind", "is required"),
        ({"kind": "Gateway"}, "apiVersion", "is required"),
        ({"kind": ["Gateway"], "apiVersion": "v1"}, "kind", "is required"),
        (gateway() | {"metadata": None}, "metadata.name", "is required"),
        (gateway() | {"metadata": "x"}, "metadata.name", "is required"),
        (gateway() | {"metadata": {"name": ""}}, "metadata.name", "is required"),
        (gateway() | {"metadata": {"name": 3}}, "metadata.name", "must be a string, is an integer"),
        (document("HTTPRouteList", {}) | {"items": {"a": 1}}, "items", "must be a list, is a mapping"),
        ({"apiVersion": "v1", "kind": "List", "items": "a"}, "items", "must be a list, is a string"),
        *(
            (gateway() | {"metadata": {"name": "gw"} | wrong}, f"metadata.{field}", reason)
            for wrong, field, reason in (
                ({"namespace": 12}, "namespace", "must be a string, is an integer"),
                ({"namespace": ["a"]}, "namespace", "must be a string, is a list"),
                ({"labels": {"a": 1}}, "labels.a", "must be a string, is an integer"),
                ({"labels": "a"}, "labels", "must be a mapping, is a string"),
                ({"annotations": {"a": True}}, "annotations.a", "must be a string, is true or false"),
                ({"generation": "1"}, "generation", "must be an integer, is a string"),
                ({"uid": 1}, "uid", "must be a string, is an integer"),
            )
        ),
        (document("Gateway"), "spec", "is required"),
        (document("HTTPRoute"), "spec", "is required"),
        (document("HTTPRoute", []), "spec", "must be a mapping, is a list"),
        (document("Gateway", {}), "spec.gatewayClassName", "is required"),
        (gateway({"name": "x", "port": 80}), "spec.listeners[0].protocol", "is required"),
        (gateway(listener(port="http")), "spec.listeners[0].port", "must be an integer, is a string"),
        (gateway(listener(port=80.5)), "spec.listeners[0].port", "must be an integer, is a fraction"),
        (gateway(listener(port=True)), "spec.listeners[0].port", "must be an integer, is true or false"),
        (gateway(listener(), listeners={}), "spec.listeners", "must be a list, is a mapping"),
        (gateway(listener(), listeners=[None]), "spec.listeners[0]", "must be a mapping, is empty"),
        (route({"backendRefs": [{}]}), "spec.rules[0].backendRefs[0].name", "is required"),
        (route({}, {"matches": {}}), "spec.rules[1].matches", "must be a list, is a mapping"),
        (route(hostnames=["a", 1]), "spec.hostnames[1]", "must be a string, is an integer"),
        (
            route({"matches": [{"headers": [{"name": "a", "value": 1}]}]}),
            "spec.rules[0].matches[0].headers[0].value",
            "must be a string, is an integer",
        ),
        (
            gateway() | {"metadata": {"name": "one", "labels": {"good": "x", "bad.io/key": 1}}},
            "metadata.labels.bad.io/key",
            "must be a string, is an integer",
        ),
        (
            core("Service", spec={"ports": [{"port": 80, "targetPort": 1.5}]}),
            "spec.ports[0].targetPort",
            "must be an integer or a string, is a fraction",
        ),
        (core("Secret", data={"a": "YQ==", "tls.key": "%%%"}), "data.tls.key", "is not base64"),
        (core("Secret", data={"tls.key": "YQ"}), "data.tls.key", "is not base64"),
        (core("Secret", data={"tls.key": 7}), "data.tls.key", "must be a string, is the number 7"),
        (core("Secret", data=["YQ=="]), "data", "must be a mapping, is a list"),
        (core("Secret", stringData={"a": True}), "stringData.a", "must be a string, is true or false"),
        (core("Secret", stringData={"a": "\ud800"}), "stringData.a", "is not Unicode text"),
        (core("ConfigMap", binaryData={"a": "é"}), "binaryData.a", "is not base64"),
        (document("GRPCRoute"), "spec", "is required"),
        (x_backend(tls={}), "spec.tls.mode", "is required"),
        (x_backend(port={}), "spec.port.number", "is required"),
        (gateway(tls={"frontend": {}}), "spec.tls.frontend.default", "is required"),
        (
            gateway(tls={"frontend": {"default": {}, "perPort": [{"port": 443}]}}),
            "spec.tls.frontend.perPort[0].tls",
            "is required",
        ),
        (core("ConfigMap", data={"a": 1}), "data.a", "must be a string, is an integer"),
    ],
)
def test_wrong_values_are_faults_at_their_field(body, field, reason):
    fault = parse(body)
    assert isinstance(fault, Fault)
    assert (fault.field, fault.reason) == (field, reason)


def test_a_fault_says_whose_it_is():
    fault = parse(gateway(listener(port=None)))
    assert (fault.kind, fault.namespace, fault.name) == ("Gateway", "demo", "one")


def test_null_is_absent_wherever_a_field_has_a_default():
    body = gateway(listener(hostname=None, allowedRoutes=None, tls=None), addresses=None, infrastructure=None)
    body["metadata"]["labels"] = None
    assert parse(body) == parse(gateway())
    assert only_rule({"backendRefs": [backend(weight=None, filters=None)], "filters": None}) == only_rule(
        {"backendRefs": [backend()]}
    )


def test_a_document_nested_beyond_the_stack_is_a_fault():
    deep: list = []
    for _ in range(20_000):
        deep = [deep]
    fault = parse(route(hostnames=deep))
    assert isinstance(fault, Fault)


# Secrets


def test_secret_data_is_decoded_and_string_data_laid_over_it():
    secret = parse(core("Secret", data={"a": "YQ==", "b": "Yg==", "none": None}, stringData={"b": "ß", "c": ""}))
    assert secret.data == {"a": b"a", "b": "ß".encode(), "c": b""}


def test_base64_may_be_folded_into_lines():
    assert parse(core("Secret", data={"a": "aGVs\nbG8=\r\n"})).data == {"a": b"hello"}


def test_config_map_keeps_text_and_bytes_apart():
    parsed = parse(core("ConfigMap", data={"ca.crt": "text"}, binaryData={"raw": "/w=="}))
    assert (parsed.data, parsed.binary_data) == ({"ca.crt": "text"}, {"raw": b"\xff"})


# Anything at all

API_VERSIONS = st.sampled_from([row.api_version for row in KINDS]) | st.text(max_size=5)
NAMES = st.sampled_from(
    [
        "spec",
        "metadata",
        "name",
        "namespace",
        "labels",
        "listeners",
        "port",
        "rules",
        "matches",
        "path",
        "filters",
        "backendRefs",
        "type",
        "tls",
        "data",
        "hostnames",
        "parentRefs",
        "from",
        "to",
        "endpoints",
        "addresses",
        "ports",
        "stringData",
        "certificateRefs",
        "requestMirror",
        "parentRef",
        "sessionPersistence",
        "sessionName",
        "targetRef",
        "targetRefs",
        "validation",
        "method",
        "status",
        "podIP",
    ]
)
SHAPED = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.floats(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES | st.text(max_size=3), inner, max_size=6),
    max_leaves=40,
)


@settings(max_examples=150)
@given(
    API_VERSIONS,
    st.sampled_from([row.kind for row in KINDS]),
    SHAPED,
    st.dictionaries(NAMES, SHAPED, max_size=5),
)
@example(f"{GROUP}/v1", "Gateway", {"name": "x"}, {"spec": {"listeners": [{"port": [], "tls": {}}], "backendTLS": 1}})
def test_no_document_raises(api_version, kind, metadata, rest):
    body = {"apiVersion": api_version, "kind": kind, "metadata": metadata} | rest
    parsed = parse(body)
    if isinstance(parsed, Fault):
        assert parsed.reason
        assert str(parsed)
    elif not isinstance(parsed, Ignored):
        assert parsed.metadata.name


@given(JSON)
def test_no_json_value_raises(value):
    assert isinstance(parse(value), Fault | Ignored)


def test_types():
    assert isinstance(parse(gateway()), Gateway)
    assert isinstance(parse(route()), HTTPRoute)
