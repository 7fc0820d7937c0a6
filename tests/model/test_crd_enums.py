"""Every enumeration of the CRDs, as `crd_enums.txt` lists them: an unknown value is refused, or a condition tells it."""

import re
from pathlib import Path

import pytest

from tests.model.test_crd_fields import ROWS, modelled
from xds_server.app.offline import offline
from xds_server.cli.verdicts import verdicts
from xds_server.model.document import Fault
from xds_server.model.parse import parse
from xds_server.model.validate import FIELDS, faults

LISTING = Path(__file__).with_name("crd_enums.txt")
LINES = [line.split() for line in LISTING.read_text().splitlines()[1:]]
ENUMS = {(kind, path): values for kind, path, *values in LINES}
UNKNOWN = "Nonesuch"
GROUP = "gateway.networking.k8s.io"
PORT = {"name": "s", "port": 80}
FILTERS = {
    "type": {"type": UNKNOWN},
    "requestRedirect.scheme": {"type": "RequestRedirect", "requestRedirect": {"scheme": UNKNOWN}},
    "requestRedirect.path.type": {"type": "RequestRedirect", "requestRedirect": {"path": {"type": UNKNOWN}}},
    "urlRewrite.path.type": {"type": "URLRewrite", "urlRewrite": {"path": {"type": UNKNOWN}}},
    "cors.allowMethods[]": {"type": "CORS", "cors": {"allowMethods": [UNKNOWN]}},
    "externalAuth.protocol": {"type": "ExternalAuth", "externalAuth": {"protocol": UNKNOWN, "backendRef": PORT}},
}
HTTP_RULES = {
    "matches[].path.type": {"matches": [{"path": {"type": UNKNOWN, "value": "/"}}]},
    "matches[].headers[].type": {"matches": [{"headers": [{"type": UNKNOWN, "name": "a", "value": "b"}]}]},
    "matches[].queryParams[].type": {"matches": [{"queryParams": [{"type": UNKNOWN, "name": "a", "value": "b"}]}]},
    "matches[].method": {"matches": [{"method": UNKNOWN}]},
    **{f"filters[].{path}": {"filters": [one]} for path, one in FILTERS.items()},
    **{
        f"backendRefs[].filters[].{path}": {"backendRefs": [PORT | {"filters": [one]}]} for path, one in FILTERS.items()
    },
}
GRPC_RULES = {
    "matches[].method.type": {"matches": [{"method": {"type": UNKNOWN, "service": "a"}}]},
    "matches[].headers[].type": HTTP_RULES["matches[].headers[].type"],
    "filters[].type": HTTP_RULES["filters[].type"],
    "backendRefs[].filters[].type": HTTP_RULES["backendRefs[].filters[].type"],
}
LISTENERS = {
    "tls.mode": {"protocol": "TLS", "tls": {"mode": UNKNOWN}},
    "filters.requests[].type": {"filters": {"requests": [FILTERS["type"]]}},
    "filters.requests[].externalAuth.protocol": {"filters": {"requests": [FILTERS["externalAuth.protocol"]]}},
}
TOLD = {
    **{("HTTPRoute", f"spec.rules[].{path}"): rule for path, rule in HTTP_RULES.items()},
    **{("GRPCRoute", f"spec.rules[].{path}"): rule for path, rule in GRPC_RULES.items()},
    **{("Gateway", f"spec.listeners[].{path}"): listener for path, listener in LISTENERS.items()},
    **{("ListenerSet", f"spec.listeners[].{path}"): listener for path, listener in LISTENERS.items()},
}
"""The enumerations of which a condition tells, each with a rule or a listener of the unknown value."""
MODELS = {row.kind: dict(modelled(row.model)) for row in ROWS}


def refused(kind, path, value):
    """What the field's own check says of a value."""
    owner, field, _ = MODELS[kind][path.removesuffix("[]")]
    checks = [FIELDS[parent][field.name] for parent in owner.__mro__ if field.name in FIELDS.get(parent, {})]
    return checks[0](value) if checks else ""


@pytest.mark.parametrize(("kind", "path"), [one for one in ENUMS if one not in TOLD])
def test_an_unknown_value_is_refused(kind, path):
    values = [int(one) if one.isdigit() else one for one in ENUMS[kind, path]]
    assert [refused(kind, path, one) for one in values] == [""] * len(values)
    reason = refused(kind, path, 999 if isinstance(values[0], int) else UNKNOWN)
    assert reason.startswith("must be one of ")
    assert set(re.findall(r"\w+", reason.partition(", is ")[0])) >= set(ENUMS[kind, path])


def document(kind, spec, name="x"):
    return {"apiVersion": f"{GROUP}/v1", "kind": kind, "metadata": {"name": name}, "spec": spec}


def world(kind, part):
    """The object with the part, and a Gateway for it."""
    web = {"name": "web", "port": 80, "protocol": "HTTP"}
    spec = {"gatewayClassName": "any", "listeners": [web], "allowedListeners": {"namespaces": {"from": "All"}}}
    if kind == "Gateway":
        yield document("Gateway", spec | {"listeners": [web | part]})
        return
    yield document("Gateway", spec, "gw")
    if kind == "ListenerSet":
        yield document(kind, {"parentRef": {"name": "gw"}, "listeners": [web | {"port": 81} | part]})
    else:
        yield document(kind, {"parentRefs": [{"name": "gw"}], "rules": [part]})
        core = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s"}}
        yield core | {"spec": {"ports": [{"port": 80}]}}


@pytest.mark.parametrize(("kind", "path"), TOLD)
def test_a_condition_tells_of_an_unknown_value(kind, path):
    assert (kind, path) in ENUMS
    found = [parse(one) for one in world(kind, TOLD[kind, path])]
    assert not [one for one in found if isinstance(one, Fault) or faults(one)]
    bad = [row for row in verdicts(offline(found)) if not row.good and row.ref.kind == kind]
    whole = "filter RequestRedirect is not supported here" if "backendRefs[].filters[].requestRedirect" in path else ""
    assert any(UNKNOWN in row.message or (whole and whole in row.message) for row in bad), bad
