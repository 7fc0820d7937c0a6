import json
from pathlib import Path

import pytest

from xds_server.model.meta import ObjectRef
from xds_server.shell.survey import Place, Survey, survey

TEXT = """\
# A comment.
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata:
  name: gw
spec:
  gatewayClassName: any
  listeners:
  - name: web
    port: 80
    protocol: HTTP
    tsl: {}
---
apiVersion: v1
kind: List
items:
- apiVersion: gateway.networking.k8s.io/v1
  kind: HTTPRoute
  metadata: {name: a, namespace: shop}
  spec:
    parentRefs:
    - name: gw
      namspace: default
"""
GATEWAY, ROUTE = ObjectRef("Gateway", "default", "gw"), ObjectRef("HTTPRoute", "shop", "a")


def surveyed(folder: Path, text: str, name: str = "all.yaml") -> tuple[Survey, str]:
    file = folder / name
    file.write_text(text)
    return survey([folder]), str(file)


@pytest.mark.parametrize(
    ("ref", "field", "line"),
    [
        (GATEWAY, "", 2),
        (GATEWAY, "spec.gatewayClassName", 7),
        (GATEWAY, "spec.listeners[0].port", 10),
        (GATEWAY, "spec.listeners[0].tls.certificateRefs[0]", 9),
        (GATEWAY, "spec.listeners[7]", 8),
        (ROUTE, "", 17),
        (ROUTE, "metadata.name", 19),
        (ROUTE, "spec.parentRefs[0].name", 22),
        (ROUTE, "spec.rules[0]", 20),
    ],
)
def test_where_objects_and_fields_are_written(tmp_path: Path, ref: ObjectRef, field: str, line: int) -> None:
    """The nearest thing around a field that is not there."""
    found, file = surveyed(tmp_path, TEXT)
    assert found.place(ref, field) == Place(file, line)


def test_what_is_not_written_is_nowhere(tmp_path: Path) -> None:
    found, _ = surveyed(tmp_path, TEXT)
    assert found.place(ObjectRef("Gateway", "default", "other"), "spec") == Place()
    assert str(Place()) == ""


def test_the_first_of_two_objects_counts(tmp_path: Path) -> None:
    found, file = surveyed(tmp_path, f"{TEXT}---\n{TEXT}")
    assert found.place(GATEWAY) == Place(file, 2)


def test_fields_that_no_kind_has(tmp_path: Path) -> None:
    found, file = surveyed(tmp_path, TEXT)
    assert [(one.file, one.line, one.field) for one in found.unknown()] == [
        (file, 12, "spec.listeners[0].tsl"),
        (file, 23, "spec.parentRefs[0].namspace"),
    ]


def test_older_names_are_the_same_object(tmp_path: Path) -> None:
    text = "apiVersion: gateway.networking.k8s.io/v1alpha2\nkind: ReferencePolicy\nmetadata: {name: g}\n"
    found, file = surveyed(tmp_path, text)
    assert found.place(ObjectRef("ReferenceGrant", "default", "g")) == Place(file, 1)


def test_json(tmp_path: Path) -> None:
    text = json.dumps({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s"}}, indent=1)
    found, file = surveyed(tmp_path, text, "s.json")
    assert found.place(ObjectRef("Service", "default", "s"), "metadata.name") == Place(file, 5)
    assert [one.metadata.name for one in found.objects] == ["s"]


def test_a_wrong_document_hides_no_other(tmp_path: Path) -> None:
    found, file = surveyed(tmp_path, f"a: [\n---\n{TEXT}")
    assert [fault.line for fault in found.faults] == [1]
    assert found.place(GATEWAY) == Place(file, 4)


def test_standard_input_is_read_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "in"
    file.write_text(TEXT)
    with file.open() as stream:
        monkeypatch.setattr("sys.stdin", stream)
        found = survey([Path("-")])
    assert found.place(ROUTE) == Place("-", 17)


def test_kinds_that_are_not_read(tmp_path: Path) -> None:
    found, _ = surveyed(tmp_path, "apiVersion: example.com/v1\nkind: Other\nmetadata: {name: o}\n")
    assert [one.kind for one in found.ignored] == ["Other"]
