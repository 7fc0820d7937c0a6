import pytest

from tests.model.documents import tls_policy, traffic_policy, x_backend, x_selector
from xds_server.model.parse import parse
from xds_server.model.validate import faults


def fields(body):
    return [fault.field for fault in faults(parse(body))]


TARGET = {"group": "", "kind": "Service", "name": "shop"}
REF = {"group": "", "kind": "ConfigMap", "name": "ca"}
SYSTEM = {"wellKnownCACertificates": "System"}


@pytest.mark.parametrize(
    ("targets", "wrong"),
    [
        ([TARGET], []),
        ([TARGET, TARGET | {"name": "other"}], []),
        ([TARGET | {"sectionName": "a"}, TARGET | {"sectionName": "b"}], []),
        ([TARGET, TARGET], ["[1]"]),
        ([TARGET | {"sectionName": "a"}, TARGET | {"sectionName": "a"}], ["[1]"]),
        ([TARGET | {"sectionName": "a"}, TARGET], ["[1]"]),
        ([], [""]),
        ([TARGET | {"name": f"s{i}"} for i in range(16)], []),
        ([TARGET | {"name": f"s{i}"} for i in range(17)], [""]),
        ([TARGET | {"group": "*", "kind": "*", "name": ""}], ["[0].group", "[0].kind", "[0].name"]),
        ([TARGET | {"sectionName": "A"}], ["[0].sectionName"]),
    ],
)
@pytest.mark.parametrize("policy", [tls_policy(), traffic_policy()], ids=lambda body: body["kind"])
def test_targets(policy, targets, wrong):
    body = policy | {"spec": policy["spec"] | {"targetRefs": targets}}
    assert fields(body) == [f"spec.targetRefs{place}" for place in wrong]


@pytest.mark.parametrize(
    ("validation", "wrong"),
    [
        (SYSTEM, []),
        ({"wellKnownCACertificates": "example.com/mine"}, []),
        ({"caCertificateRefs": [REF]}, []),
        (SYSTEM | {"caCertificateRefs": []}, []),
        (SYSTEM | {"caCertificateRefs": [REF]}, ["wellKnownCACertificates"]),
        ({"caCertificateRefs": []}, ["caCertificateRefs"]),
        ({"wellKnownCACertificates": ""}, ["wellKnownCACertificates"]),
        ({"wellKnownCACertificates": "Mine"}, ["wellKnownCACertificates"]),
        ({"caCertificateRefs": [REF] * 8}, []),
        ({"caCertificateRefs": [REF] * 9}, ["caCertificateRefs"]),
        (
            {"caCertificateRefs": [REF | {"kind": "", "name": ""}]},
            ["caCertificateRefs[0].kind", "caCertificateRefs[0].name"],
        ),
        (SYSTEM | {"hostname": "*.example.com"}, ["hostname"]),
        (SYSTEM | {"hostname": ""}, ["hostname"]),
        (SYSTEM | {"subjectAltNames": [{"type": "Hostname", "hostname": "*.a.b"}] * 5}, []),
        (SYSTEM | {"subjectAltNames": [{"type": "Hostname", "hostname": "a"}] * 6}, ["subjectAltNames"]),
        (SYSTEM | {"subjectAltNames": [{"type": "URI", "uri": "spiffe://a/b"}]}, []),
        (SYSTEM | {"subjectAltNames": [{"type": "URI", "uri": "a/b"}]}, ["subjectAltNames[0].uri"]),
        (SYSTEM | {"subjectAltNames": [{"type": "URI", "uri": "a://" + "b" * 250}]}, ["subjectAltNames[0].uri"]),
        (SYSTEM | {"subjectAltNames": [{"type": "Hostname"}]}, ["subjectAltNames[0].hostname"]),
        (SYSTEM | {"subjectAltNames": [{"type": "URI"}]}, ["subjectAltNames[0].uri"]),
        (
            SYSTEM | {"subjectAltNames": [{"type": "URI", "uri": "a://b", "hostname": "a"}]},
            ["subjectAltNames[0].hostname"],
        ),
        (
            SYSTEM | {"subjectAltNames": [{"type": "Hostname", "hostname": "a", "uri": "a://b"}]},
            ["subjectAltNames[0].uri"],
        ),
        (SYSTEM | {"subjectAltNames": [{"type": "Hostname", "hostname": "A"}]}, ["subjectAltNames[0].hostname"]),
    ],
)
def test_validation(validation, wrong):
    assert fields(tls_policy(**validation)) == [f"spec.validation.{field}" for field in wrong]


@pytest.mark.parametrize(
    ("options", "wrong"),
    [
        ({"example.com/a": "b"}, []),
        ({str(i): "" for i in range(17)}, ["spec.options"]),
        ({"a": "x" * 4097}, ["spec.options.a"]),
    ],
)
def test_options(options, wrong):
    body = tls_policy()
    assert fields(body | {"spec": body["spec"] | {"options": options}}) == wrong


VALIDATION = {"hostname": "api.example.com"} | SYSTEM
SERVER_ONLY = {"mode": "ServerOnly", "validation": VALIDATION}
CERTIFICATE = {"name": "client"}


@pytest.mark.parametrize(
    ("spec", "wrong"),
    [
        ({}, []),
        ({"type": "Later"}, ["type", "externalHostname"]),
        ({"externalHostname": None}, ["externalHostname"]),
        ({"endpointSelector": {"matchLabels": {"a": "b"}}}, ["endpointSelector"]),
        ({"type": "EndpointSelector"}, ["externalHostname", "endpointSelector"]),
        ({"externalHostname": {"hostname": "*.example.com"}}, ["externalHostname.hostname"]),
        ({"externalHostname": {"hostname": "a.b.svc.cluster.local"}}, ["externalHostname.hostname"]),
        ({"externalHostname": {"hostname": "cluster.local"}}, []),
        ({"port": {"number": 0}}, ["port.number"]),
        ({"port": {"number": 65536}}, ["port.number"]),
        ({"sessionPersistence": {"cookie": {}}}, ["sessionPersistence"]),
        ({"tls": {"mode": "None"}}, []),
        ({"tls": SERVER_ONLY}, []),
        ({"tls": SERVER_ONLY | {"mode": "None"}}, ["tls.validation"]),
        ({"tls": {"mode": "ServerOnly"}}, ["tls.validation"]),
        ({"tls": SERVER_ONLY | {"clientCertificateRef": CERTIFICATE}}, ["tls.clientCertificateRef"]),
        ({"tls": SERVER_ONLY | {"mode": "ClientAndServer"}}, ["tls.clientCertificateRef"]),
        ({"tls": SERVER_ONLY | {"mode": "ClientAndServer", "clientCertificateRef": CERTIFICATE}}, []),
        ({"tls": SERVER_ONLY | {"validation": VALIDATION | {"hostname": ""}}}, ["tls.validation.hostname"]),
        ({"protocol": "H2C"}, []),
        ({"protocol": "H2C", "tls": SERVER_ONLY}, ["tls.mode"]),
        ({"protocol": "HTTP2"}, ["tls.mode"]),
        ({"protocol": "WSS"}, ["tls.mode"]),
        ({"protocol": "HTTP2", "tls": SERVER_ONLY}, []),
        ({"protocol": "WSS", "tls": SERVER_ONLY}, []),
        ({"protocol": "HTTP", "tls": SERVER_ONLY}, []),
        ({"protocol": "GRPC"}, []),
    ],
)
def test_backends(spec, wrong):
    assert fields(x_backend(**spec)) == [f"spec.{field}" for field in wrong]


@pytest.mark.parametrize(
    ("labels", "wrong"),
    [
        ({"app": "shop", "example.com/a": ""}, []),
        ({}, [""]),
        ({f"l{i}": "" for i in range(64)}, []),
        ({f"l{i}": "" for i in range(65)}, [""]),
        ({"/a": "b"}, ["./a"]),
        ({"a": "b c"}, [".a"]),
        ({"a": "b" * 64}, [".a"]),
    ],
)
def test_selectors(labels, wrong):
    found = fields(x_selector(endpointSelector={"matchLabels": labels}))
    assert found == [f"spec.endpointSelector.matchLabels{place}" for place in wrong]


def test_selected_endpoints_may_keep_sessions():
    assert fields(x_selector(sessionPersistence={"cookie": {}})) == []


@pytest.mark.parametrize(
    ("constraint", "wrong"),
    [
        ({}, []),
        ({"budget": {"percent": 0, "interval": "1s"}}, []),
        ({"budget": {"percent": 100, "interval": "1h"}}, []),
        ({"budget": {"percent": 101}}, ["budget.percent"]),
        ({"budget": {"interval": "999ms"}}, ["budget.interval"]),
        ({"budget": {"interval": "1h1ms"}}, ["budget.interval"]),
        ({"budget": {"interval": "10"}}, ["budget.interval"]),
        ({"minRetryRate": {"count": 1, "interval": "1ms"}}, []),
        ({"minRetryRate": {"count": 1_000_000, "interval": "1h"}}, []),
        ({"minRetryRate": {"count": 0}}, ["minRetryRate.count"]),
        ({"minRetryRate": {"count": 1_000_001}}, ["minRetryRate.count"]),
        ({"minRetryRate": {"interval": "0s"}}, ["minRetryRate.interval"]),
        ({"minRetryRate": {"interval": "61m"}}, ["minRetryRate.interval"]),
    ],
)
def test_limits_of_retries(constraint, wrong):
    found = fields(traffic_policy(retryConstraint=constraint))
    assert found == [f"spec.retryConstraint.{field}" for field in wrong]
