import pytest

from tests.model.documents import backend, route
from xds_server.model.parse import parse
from xds_server.model.validate import faults


def fields(body):
    return [fault.field for fault in faults(parse(body))]


def within_rule(rule):
    found = fields(route(rule))
    assert all(field.startswith("spec.rules[0].") for field in found), found
    return [field.removeprefix("spec.rules[0].") for field in found]


def redirect(**payload):
    return {"type": "RequestRedirect", "requestRedirect": payload}


def rewrite(**payload):
    return {"type": "URLRewrite", "urlRewrite": payload}


def mirror(**payload):
    return {"type": "RequestMirror", "requestMirror": {"backendRef": backend()} | payload}


def headers(**payload):
    return {"type": "RequestHeaderModifier", "requestHeaderModifier": payload}


FULL = {"type": "ReplaceFullPath", "replaceFullPath": "/x"}
PREFIX = {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/x"}
HEADER = {"name": "a", "value": "b"}


@pytest.mark.parametrize(
    ("hostnames", "wrong"),
    [
        (["a.b", "*.c"], []),
        (["http://a<"], ["spec.hostnames[0]"]),
        (["a", "*"], ["spec.hostnames[1]"]),
        (["a", ""], ["spec.hostnames[1]"]),
        ([f"h{i}" for i in range(16)], []),
        ([f"h{i}" for i in range(17)], ["spec.hostnames"]),
    ],
)
def test_hostnames(hostnames, wrong):
    assert fields(route(hostnames=hostnames)) == wrong


@pytest.mark.parametrize(
    ("refs", "wrong"),
    [
        ([{"name": "a"}], []),
        ([{"name": "a"}, {"name": "b"}], []),
        ([{"name": "a"}, {"name": "a", "namespace": "other"}], []),
        ([{"name": "a"}, {"name": "a", "kind": "Service", "group": ""}], []),
        ([{"name": "a"}, {"name": "a"}], ["spec.parentRefs[1]"]),
        ([{"name": "a", "sectionName": "x"}, {"name": "a", "sectionName": "y"}], []),
        ([{"name": "a", "sectionName": "x"}, {"name": "a", "sectionName": "x"}], ["spec.parentRefs[1]"]),
        ([{"name": "a", "sectionName": "x"}, {"name": "a"}], ["spec.parentRefs[1]"]),
        ([{"name": "a", "port": 80}, {"name": "a", "port": 81}], []),
        ([{"name": "a", "port": 80}, {"name": "a"}], ["spec.parentRefs[1]"]),
        ([{"name": "a", "port": 80, "sectionName": "x"}, {"name": "a", "port": 80, "sectionName": "y"}], []),
        ([{"name": "a"}, {"name": "b"}, {"name": "a"}], ["spec.parentRefs[2]"]),
        ([{"name": "a", "port": 0}], ["spec.parentRefs[0].port"]),
        ([{"name": "a", "sectionName": "A"}], ["spec.parentRefs[0].sectionName"]),
        ([{"name": "a", "namespace": "a.b"}], ["spec.parentRefs[0].namespace"]),
        ([{"name": ""}], ["spec.parentRefs[0].name"]),
        ([{"name": "a", "group": "*"}], ["spec.parentRefs[0].group"]),
        ([{"name": "a", "kind": "*"}], ["spec.parentRefs[0].kind"]),
        ([{"name": f"p{i}"} for i in range(32)], []),
        ([{"name": f"p{i}"} for i in range(33)], ["spec.parentRefs"]),
    ],
)
def test_parents(refs, wrong):
    assert fields(route(parentRefs=refs)) == wrong


def test_numbers_of_rules_and_matches():
    assert fields(route(*[{}] * 16)) == []
    assert fields(route(*[{}] * 17)) == ["spec.rules"]
    assert fields(route({"matches": [{}] * 64}, {"matches": [{}] * 64})) == []
    assert fields(route({"matches": [{}] * 65})) == ["spec.rules[0].matches"]
    assert fields(route({"matches": [{}] * 64}, {"matches": [{}] * 64}, {"matches": [{}]})) == ["spec.rules"]


def test_rule_names():
    assert fields(route({"name": "a"}, {"name": "b"}, {}, {})) == []
    assert fields(route({"name": "a"}, {"name": "a"})) == ["spec.rules[0].name", "spec.rules[1].name"]
    assert fields(route({"name": "A"})) == ["spec.rules[0].name"]


@pytest.mark.parametrize(
    ("path", "good"),
    [
        ({"value": "/a/b"}, True),
        ({"value": "a"}, False),
        ({"type": "Exact", "value": "/a//b"}, False),
        ({"type": "Exact", "value": "/a?b"}, False),
        ({"type": "RegularExpression", "value": "a//b|[/]#"}, True),
        ({"type": "Later", "value": "anything"}, True),
        ({"value": "/" + "a" * 1023}, True),
        ({"value": "/" + "a" * 1024}, False),
    ],
)
def test_path(path, good):
    assert within_rule({"matches": [{"path": path}]}) == ([] if good else ["matches[0].path.value"])


@pytest.mark.parametrize("kind", ["headers", "queryParams"])
@pytest.mark.parametrize(
    ("entries", "wrong"),
    [
        ([HEADER], []),
        ([HEADER, {"name": "A", "value": "b"}], []),
        ([HEADER, HEADER], ["[1].name"]),
        ([{"name": "a/", "value": "b"}], ["[0].name"]),
        ([{"name": "", "value": "b"}], ["[0].name"]),
        ([{"name": "x" * 257, "value": "b"}], ["[0].name"]),
        ([{"name": f"n{i}", "value": "b"} for i in range(16)], []),
        ([{"name": f"n{i}", "value": "b"} for i in range(17)], [""]),
        ([{"name": "a", "value": "x" * 1024}], []),
    ],
)
def test_matched_names(kind, entries, wrong):
    assert within_rule({"matches": [{kind: entries}]}) == [f"matches[0].{kind}{place}" for place in wrong]


@pytest.mark.parametrize(("kind", "most"), [("headers", 4096), ("queryParams", 1024)])
def test_matched_values(kind, most):
    for value, good in (("x" * most, True), ("x" * (most + 1), False), ("", False)):
        wrong = set(within_rule({"matches": [{kind: [{"name": "a", "value": value}]}]}))
        assert wrong == (set() if good else {f"matches[0].{kind}[0].value"})


@pytest.mark.parametrize(
    ("refs", "wrong"),
    [
        ([backend()], []),
        ([backend(port=None)], ["[0].port"]),
        ([{"name": "a", "kind": "Other", "group": "x.y"}], []),
        ([{"name": "a", "kind": "Other"}], []),
        ([backend(port=800080)], ["[0].port"]),
        ([backend(group="*")], ["[0].group"]),
        ([backend(kind="*")], ["[0].kind"]),
        ([backend(name="")], ["[0].name"]),
        ([backend(namespace="A")], ["[0].namespace"]),
        ([backend(weight=0), backend(weight=1_000_000)], []),
        ([backend(weight=-1), backend(weight=1_000_001)], ["[0].weight", "[1].weight"]),
        ([backend()] * 16, []),
        ([backend()] * 17, [""]),
        ([backend(filters=[headers(remove=[str(i)]) for i in range(1)])], []),
        ([backend(filters=[headers(), headers()])], ["[0].filters[1].type"]),
        ([backend(filters=[redirect(), rewrite()])], ["[0].filters"]),
        ([backend(filters=[mirror()] * 17)], ["[0].filters"]),
    ],
)
def test_backends(refs, wrong):
    assert within_rule({"backendRefs": refs}) == [f"backendRefs{place}" for place in wrong]


@pytest.mark.parametrize(
    ("filters", "wrong"),
    [
        ([], []),
        ([headers(set=[HEADER], add=[HEADER], remove=["a"])], []),
        ([{"type": "RequestHeaderModifier"}], ["[0].requestHeaderModifier"]),
        ([{"type": "ResponseHeaderModifier"}], ["[0].responseHeaderModifier"]),
        ([{"type": "RequestRedirect"}], ["[0].requestRedirect"]),
        ([{"type": "URLRewrite"}], ["[0].urlRewrite"]),
        ([{"type": "RequestMirror"}], ["[0].requestMirror"]),
        ([{"type": "ExtensionRef"}], ["[0].extensionRef"]),
        ([headers() | {"requestRedirect": {}}], ["[0].requestRedirect"]),
        ([{"type": "Later", "urlRewrite": {}}], ["[0].urlRewrite"]),
        ([headers(), headers()], ["[1].type"]),
        ([redirect(), redirect()], ["[1].type"]),
        ([{"type": "CORS", "cors": {}}] * 2, ["[1].type"]),
        ([mirror(), mirror()], []),
        ([{"type": "ExtensionRef", "extensionRef": {"group": "a.b", "kind": "C", "name": "d"}}] * 2, []),
        ([{"type": "ExtensionRef", "extensionRef": {"group": "A", "kind": "", "name": ""}}], ["group", "kind", "name"]),
        ([redirect(), rewrite()], [""]),
        ([mirror()] * 16, []),
        ([mirror()] * 17, [""]),
        ([headers(set=[HEADER] * 2)], ["[0].requestHeaderModifier.set[1].name"]),
        ([headers(add=[HEADER] * 2)], ["[0].requestHeaderModifier.add[1].name"]),
        ([headers(remove=["foo", "foo"])], ["[0].requestHeaderModifier.remove[1]"]),
        ([headers(remove=[str(i) for i in range(17)])], ["[0].requestHeaderModifier.remove"]),
        ([headers(set=[{"name": f"n{i}", "value": "b"} for i in range(17)])], ["[0].requestHeaderModifier.set"]),
        ([headers(add=[{"name": f"n{i}", "value": "b"} for i in range(17)])], ["[0].requestHeaderModifier.add"]),
        ([headers(set=[{"name": "a b", "value": "x"}])], ["[0].requestHeaderModifier.set[0].name"]),
        ([headers(set=[{"name": "a", "value": ""}])], ["[0].requestHeaderModifier.set[0].value"]),
        ([headers(add=[{"name": "a", "value": "x" * 4097}])], ["[0].requestHeaderModifier.add[0].value"]),
    ],
)
def test_filters(filters, wrong):
    found = [
        field.removeprefix("filters").removeprefix("[0].extensionRef.") for field in within_rule({"filters": filters})
    ]
    assert found == wrong


@pytest.mark.parametrize(
    ("payload", "wrong"),
    [
        ({}, ""),
        ({"hostname": "a.b", "port": 8080, "statusCode": 308, "scheme": "https"}, ""),
        ({"hostname": "*.a.b"}, "hostname"),
        ({"port": 0}, "port"),
        ({"statusCode": 200}, "statusCode"),
        ({"path": FULL}, ""),
        ({"path": PREFIX}, ""),
        ({"path": {"type": "ReplaceFullPath"}}, "path.replaceFullPath"),
        ({"path": {"type": "ReplacePrefixMatch"}}, "path.replacePrefixMatch"),
        ({"path": FULL | {"replacePrefixMatch": "/"}}, "path.replacePrefixMatch"),
        ({"path": {"type": "Later", "replaceFullPath": "/"}}, "path.replaceFullPath"),
        ({"path": {"type": "ReplaceFullPath", "replaceFullPath": ""}}, ""),
        ({"path": {"type": "ReplaceFullPath", "replaceFullPath": "x" * 1025}}, "path.replaceFullPath"),
        ({"path": {"type": "ReplacePrefixMatch", "replacePrefixMatch": "x" * 1025}}, "path.replacePrefixMatch"),
    ],
)
def test_redirect(payload, wrong):
    assert within_rule({"filters": [redirect(**payload)]}) == ([f"filters[0].requestRedirect.{wrong}"] if wrong else [])


def test_rewrite_hostname():
    assert within_rule({"filters": [rewrite(hostname="a.b")]}) == []
    assert within_rule({"filters": [rewrite(hostname="*.b")]}) == ["filters[0].urlRewrite.hostname"]


def test_a_redirect_has_no_backends():
    assert within_rule({"filters": [redirect()], "backendRefs": [backend()]}) == ["backendRefs"]


ONE_PREFIX = [{"path": {"value": "/a"}, "method": "GET"}]


@pytest.mark.parametrize("one", [redirect(path=PREFIX), rewrite(path=PREFIX)])
@pytest.mark.parametrize(
    ("matches", "good"),
    [
        (ONE_PREFIX, True),
        ([], True),
        (ONE_PREFIX * 2, False),
        ([{"path": {"type": "Exact", "value": "/a"}}], False),
        ([{"path": {"type": "RegularExpression", "value": "/a"}}], False),
    ],
)
def test_a_prefix_is_replaced_only_where_one_is_matched(one, matches, good):
    found = within_rule({"matches": matches, "filters": [one]})
    assert [field.endswith("path.type") for field in found] == ([] if good else [True])
    found = within_rule({"matches": matches, "backendRefs": [backend(filters=[one])]})
    assert [field.startswith("backendRefs[0].filters[0]") for field in found] == ([] if good else [True])


def test_a_full_path_is_replaced_anywhere():
    assert within_rule({"matches": ONE_PREFIX * 2, "filters": [rewrite(path=FULL)]}) == []


@pytest.mark.parametrize(
    ("payload", "wrong"),
    [
        ({}, ""),
        ({"percent": 0}, ""),
        ({"percent": 100}, ""),
        ({"percent": 101}, "percent"),
        ({"percent": -1}, "percent"),
        ({"fraction": {"numerator": 1}}, ""),
        ({"fraction": {"numerator": 0, "denominator": 1}}, ""),
        ({"fraction": {"numerator": 100}}, ""),
        ({"fraction": {"numerator": 101}}, "fraction.numerator"),
        ({"fraction": {"numerator": 3, "denominator": 2}}, "fraction.numerator"),
        ({"fraction": {"numerator": -1}}, "fraction.numerator"),
        ({"fraction": {"numerator": 0, "denominator": 0}}, "fraction.denominator"),
        ({"fraction": {"numerator": 1, "denominator": 2**31}}, "fraction.denominator"),
        ({"percent": 1, "fraction": {"numerator": 1}}, "fraction"),
        ({"backendRef": {"name": "a"}}, "backendRef.port"),
    ],
)
def test_mirror(payload, wrong):
    assert within_rule({"filters": [mirror(**payload)]}) == ([f"filters[0].requestMirror.{wrong}"] if wrong else [])


@pytest.mark.parametrize(
    ("timeouts", "wrong"),
    [
        ({}, []),
        ({"request": "10s", "backendRequest": "10s"}, []),
        ({"request": "1m", "backendRequest": "59s999ms"}, []),
        ({"request": "10s", "backendRequest": "11s"}, ["backendRequest"]),
        ({"request": "0s", "backendRequest": "1h"}, []),
        ({"request": "0ms", "backendRequest": "1h"}, []),
        ({"backendRequest": "1h"}, []),
        ({"request": "10"}, ["request"]),
        ({"request": "x", "backendRequest": "1h"}, ["request"]),
        ({"request": "1s", "backendRequest": "∞"}, ["backendRequest"]),
        ({"request": ""}, ["request"]),
    ],
)
def test_timeouts(timeouts, wrong):
    assert within_rule({"timeouts": timeouts}) == [f"timeouts.{field}" for field in wrong]


def cors(**payload):
    return {"type": "CORS", "cors": payload}


@pytest.mark.parametrize(
    ("payload", "wrong"),
    [
        ({}, []),
        ({"allowOrigins": ["*"], "allowMethods": ["*"], "allowHeaders": ["*"], "exposeHeaders": ["*", "a"]}, []),
        ({"allowOrigins": ["http://a.b", "https://*.example.com:8443", "https://*", "http://localhost:1"]}, []),
        ({"allowOrigins": ["a.b"]}, ["allowOrigins[0]"]),
        ({"allowOrigins": ["https://a.b/"]}, ["allowOrigins[0]"]),
        ({"allowOrigins": ["https://a.b", "ftp://a.b"]}, ["allowOrigins[1]"]),
        ({"allowOrigins": ["https://a.*.b"]}, ["allowOrigins[0]"]),
        ({"allowOrigins": ["https://a:123456"]}, ["allowOrigins[0]"]),
        ({"allowOrigins": [""]}, ["allowOrigins[0]"]),
        ({"allowOrigins": ["https://" + "a" * 246]}, ["allowOrigins[0]"]),
        ({"allowOrigins": ["https://a", "https://a"]}, ["allowOrigins[1]"]),
        ({"allowOrigins": ["*", "https://a"]}, ["allowOrigins"]),
        ({"allowOrigins": [f"https://a{i}" for i in range(65)]}, ["allowOrigins"]),
        ({"allowMethods": ["GET", "LATER"]}, []),
        ({"allowMethods": ["GET", "GET"]}, ["allowMethods[1]"]),
        ({"allowMethods": ["GET", "*"]}, ["allowMethods"]),
        ({"allowMethods": [f"M{i}" for i in range(10)]}, ["allowMethods"]),
        ({"allowHeaders": ["a b", ""]}, ["allowHeaders[0]", "allowHeaders[1]"]),
        ({"allowHeaders": ["a", "*"]}, ["allowHeaders"]),
        ({"allowHeaders": [f"h{i}" for i in range(65)]}, ["allowHeaders"]),
        ({"exposeHeaders": ["a b"]}, ["exposeHeaders[0]"]),
        ({"exposeHeaders": ["a", "a"]}, ["exposeHeaders[1]"]),
        ({"exposeHeaders": [f"h{i}" for i in range(65)]}, ["exposeHeaders"]),
        ({"maxAge": 1}, []),
        ({"maxAge": 0}, ["maxAge"]),
        ({"maxAge": 2**31}, ["maxAge"]),
    ],
)
def test_cors(payload, wrong):
    assert within_rule({"filters": [cors(**payload)]}) == [f"filters[0].cors.{field}" for field in wrong]


def external_auth(**payload):
    http = {"protocol": "HTTP", "http": {}, "backendRef": backend()}
    return {"type": "ExternalAuth", "externalAuth": http | payload}


GRPC = {"protocol": "GRPC", "grpc": {}, "http": None}


@pytest.mark.parametrize(
    ("payload", "wrong"),
    [
        ({}, []),
        (GRPC, []),
        ({"http": None}, ["http"]),
        ({"grpc": {}}, ["grpc"]),
        (GRPC | {"grpc": None}, ["grpc"]),
        (GRPC | {"http": {}}, ["http"]),
        ({"protocol": "Later"}, ["http"]),
        ({"protocol": "Later", "http": None}, []),
        ({"backendRef": {"name": "auth"}}, ["backendRef.port"]),
        ({"http": {"path": "/auth%20z", "allowedHeaders": ["a", "b"], "allowedResponseHeaders": ["a"]}}, []),
        ({"http": {"path": "/a?b"}}, ["http.path"]),
        ({"http": {"path": "/" + "a" * 1024}}, ["http.path"]),
        ({"http": {"allowedHeaders": ["a", "a"]}}, ["http.allowedHeaders[1]"]),
        ({"http": {"allowedResponseHeaders": ["a", "a"]}}, ["http.allowedResponseHeaders[1]"]),
        ({"http": {"allowedHeaders": [f"h{i}" for i in range(65)]}}, ["http.allowedHeaders"]),
        ({"http": {"allowedResponseHeaders": [f"h{i}" for i in range(65)]}}, ["http.allowedResponseHeaders"]),
        (GRPC | {"grpc": {"allowedHeaders": ["a", "a"]}}, ["grpc.allowedHeaders[1]"]),
        (GRPC | {"grpc": {"allowedHeaders": [f"h{i}" for i in range(65)]}}, ["grpc.allowedHeaders"]),
        ({"forwardBody": {}}, []),
        ({"forwardBody": {"maxSize": -1}}, ["forwardBody.maxSize"]),
        ({"forwardBody": {"maxSize": 2**31}}, ["forwardBody.maxSize"]),
    ],
)
def test_external_auth(payload, wrong):
    found = within_rule({"filters": [external_auth(**payload)]})
    assert found == [f"filters[0].externalAuth.{field}" for field in wrong]


@pytest.mark.parametrize(
    ("filters", "wrong"),
    [
        ([{"type": "CORS"}], ["[0].cors"]),
        ([{"type": "ExternalAuth"}], ["[0].externalAuth"]),
        ([headers() | {"cors": {}}], ["[0].cors"]),
        ([headers() | {"externalAuth": external_auth()["externalAuth"]}], ["[0].externalAuth"]),
        ([external_auth(), external_auth(**GRPC)], []),
    ],
)
def test_experimental_filters(filters, wrong):
    assert within_rule({"filters": filters}) == [f"filters{place}" for place in wrong]


@pytest.mark.parametrize(
    ("retry", "wrong"),
    [
        ({"codes": [400, 503, 599], "attempts": 0, "backoff": "100ms"}, []),
        ({"codes": [399, 600]}, ["codes[0]", "codes[1]"]),
        ({"codes": [500, 500]}, ["codes[1]"]),
        ({"attempts": -1}, ["attempts"]),
        ({"attempts": 10**9}, []),
        ({"backoff": "1"}, ["backoff"]),
    ],
)
def test_retry(retry, wrong):
    assert within_rule({"retry": retry}) == [f"retry.{field}" for field in wrong]


def test_a_number_that_its_type_alone_bounds_is_told_the_other_bound():
    (fault,) = faults(parse(route({"backendRefs": [backend()], "retry": {"attempts": -1}})))
    assert fault.reason == "must be at least 0, is -1"
