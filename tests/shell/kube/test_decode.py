"""Objects as the API server writes them: decoded from bytes as from files."""

import json
from base64 import b64encode
from typing import Any

import msgspec
import pytest

from tests.scenarios import certificates
from tests.scenarios.scenario import Scenario, load_all
from xds_server.model.document import Fault
from xds_server.model.kinds import BY_GROUP_KIND, BY_KIND, Kind
from xds_server.model.meta import Key
from xds_server.model.parse import parse
from xds_server.shell.kube.decode import Decoder, head

SCENARIOS = load_all()


def as_served(document: dict[str, Any]) -> tuple[Kind, str, bytes]:
    """A document as the API server would hand it out: with a namespace, and what only its Go types add."""
    api_version, kind = document["apiVersion"], document["kind"]
    row = BY_GROUP_KIND[api_version.rpartition("/")[0], kind]
    body = json.loads(json.dumps(document, default=str))
    metadata = {"uid": "u", "resourceVersion": "7", "managedFields": [{"manager": "kubectl"}], **body["metadata"]}
    if row.namespaced:
        metadata.setdefault("namespace", "default")
    if strings := body.pop("stringData", None):
        encoded = {key: b64encode(value.encode()).decode() for key, value in strings.items()}
        body["data"] = {**body.get("data", {}), **encoded}
    return row, api_version, json.dumps({**body, "metadata": metadata}).encode()


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda one: one.name)
def test_every_object_of_the_scenarios_is_what_parse_makes_of_it(scenario: Scenario) -> None:
    for document in (one for step in scenario.steps() for one in step if not one.get("removed")):
        row, api_version, raw = as_served(certificates.filled_in(document))
        named = {"apiVersion": api_version, "kind": row.kind}
        if api_version.rpartition("/")[2] not in row.versions:
            continue  # under a former name, which is not watched
        assert Decoder(row, api_version).decode(raw) == parse({**json.loads(raw), **named})


@pytest.mark.parametrize(
    "spec",
    [
        {"rules": []},
        {"rules": [{"matches": []}]},
        {"rules": [{"sessionPersistence": {"sessionName": "s"}}]},
        {"parentRefs": [{"group": "gateway.networking.x-k8s.io", "kind": "XListenerSet", "name": "one"}]},
    ],
)
def test_routes_that_need_respelling_take_the_long_way(spec: dict[str, Any]) -> None:
    row = BY_KIND["HTTPRoute"]
    body = {"metadata": {"name": "one", "namespace": "demo"}, "spec": spec}
    raw = msgspec.json.encode(body)
    assert Decoder(row, row.api_version).decode(raw) == parse({**body, "apiVersion": row.api_version, "kind": row.kind})


def test_an_older_version_is_read_as_the_newest() -> None:
    row = BY_KIND["BackendTLSPolicy"]
    spec = {
        "targetRef": {"group": "", "kind": "Service", "name": "shop"},
        "tls": {"hostname": "shop.test", "wellKnownCACerts": "System"},
    }
    raw = msgspec.json.encode({"metadata": {"name": "one", "namespace": "demo"}, "spec": spec})
    found: Any = Decoder(row, f"{row.group}/v1alpha2").decode(raw)
    assert found.spec.target_refs[0].name == "shop"


def test_what_does_not_decode_is_told_with_its_field() -> None:
    row = BY_KIND["Service"]
    raw = b'{"metadata": {"name": "one", "namespace": "demo"}, "spec": {"ports": [{"port": "http"}]}}'
    found = Decoder(row, "v1").decode(raw)
    assert isinstance(found, Fault)
    assert (found.kind, found.namespace, found.name, found.field) == ("Service", "demo", "one", "spec.ports[0].port")


def test_a_write_of_the_status_alone_changes_nothing() -> None:
    row = BY_KIND["HTTPRoute"]
    decoder = Decoder(row, row.api_version)
    one, other = (
        msgspec.json.encode(
            {
                "metadata": {"name": "one", "namespace": "demo", "generation": 2, "resourceVersion": version},
                "spec": {"hostnames": ["shop.test"]},
                "status": {"parents": status},
            }
        )
        for version, status in (("7", []), ("8", [{"controllerName": "x"}]))
    )
    assert decoder.decode(one) == decoder.decode(other)
    assert (head(one).metadata.resource_version, head(other).metadata.resource_version) == ("7", "8")
    assert head(other).metadata.key == Key("demo", "one")
    assert bytes(head(other).status) == b'{"parents":[{"controllerName":"x"}]}'
