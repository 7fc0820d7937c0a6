import json
from pathlib import Path

import pytest
import yaml

from tests.cli.command import GATEWAY, TASK, invoke
from xds_server.model.yaml import load

GROUP = "gateway.networking.k8s.io"
OLD = f"""\
apiVersion: {GROUP}/v1alpha2
kind: ReferencePolicy
metadata: {{name: allow, namespace: shop}}
spec: {{from: [], to: []}}
---
apiVersion: {GROUP}/v1beta1
kind: HTTPRoute
metadata: {{name: web}}
spec: {{hostnames: [a.example.com]}}
status: {{parents: []}}
---
apiVersion: v1
kind: Service
metadata: {{name: cart}}
---
apiVersion: v1
kind: List
items:
- apiVersion: {GROUP}/v1alpha2
  kind: Gateway
  metadata: {{name: gw}}
"""


def spelled(documents: list[dict[str, object]]) -> list[tuple[object, object]]:
    return [(document["apiVersion"], document["kind"]) for document in documents]


def test_older_spellings_become_v1() -> None:
    found = invoke("convert", "-", stdin=OLD)
    documents = list(yaml.safe_load_all(found.out))
    assert (found.status, found.err) == (0, "")
    assert spelled(documents) == [
        (f"{GROUP}/v1", "ReferenceGrant"),
        (f"{GROUP}/v1", "HTTPRoute"),
        ("v1", "Service"),
        ("v1", "List"),
    ]
    assert spelled(documents[3]["items"]) == [(f"{GROUP}/v1", "Gateway")]
    assert documents[1]["spec"] == {"hostnames": ["a.example.com"]}
    assert "status" not in documents[1]


def test_json_is_a_list_of_the_same_documents() -> None:
    found = json.loads(invoke("convert", "-", "-o", "json", stdin=OLD).out)
    assert (found["apiVersion"], found["kind"]) == ("v1", "List")
    assert found["items"] == list(yaml.safe_load_all(invoke("convert", "-", stdin=OLD).out))


def test_json_can_be_read_again() -> None:
    text = invoke("convert", TASK, "-o", "json").out
    assert invoke("translate", "-", stdin=text) == invoke("translate", TASK)


def test_what_is_converted_is_converted_to_itself() -> None:
    once = invoke("convert", TASK).out
    assert f"{GROUP}/v1alpha2" not in once
    assert invoke("convert", "-", stdin=once) == (0, once, "")


def test_what_is_converted_means_the_same() -> None:
    once = invoke("convert", TASK).out
    assert invoke("translate", "-", stdin=once) == invoke("translate", TASK)


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("kind: [\n", "-:1"),
        ("# a comment\n\nonly words\n", "-:3: is not an object with apiVersion and kind"),
        ("- a\n- b\n", "-:1: is not an object with apiVersion and kind"),
    ],
)
def test_what_cannot_be_read_is_told_and_the_rest_converted(text: str, error: str) -> None:
    found = invoke("convert", "-", stdin=f"{text}---\n{GATEWAY}")
    assert found.status == 1
    assert found.err.startswith(f"error: {error}")
    assert len(found.errors) == 1
    assert "name: gw" in found.out


def test_nothing_is_converted_to_nothing() -> None:
    assert invoke("convert", "-") == (0, "", "")
    assert json.loads(invoke("convert", "-", "-o", "json").out)["items"] == []


def test_words_that_some_reader_takes_for_numbers_stay_text(tmp_path: Path) -> None:
    words = ["12e45", "12e4567", "1e3", "0o17", "y", "N", "1_000", "0x1f", "12:30", "true", "null", "~", "1.0", "plain"]
    file = tmp_path / "words.yaml"
    annotations = "".join(f'    a{n}: "{word}"\n' for n, word in enumerate(words))
    file.write_text(f"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: words\n  annotations:\n{annotations}")
    printed = invoke("convert", str(file)).out
    read_again = load(printed)[0]["metadata"]["annotations"]
    assert list(read_again.values()) == words
    assert list(yaml.safe_load(printed)["metadata"]["annotations"].values()) == words


def test_what_stays_as_it_is_is_named() -> None:
    other = "apiVersion: example.com/v1\nkind: Other\nmetadata: {name: o}\n"
    typo = f"apiVersion: {GROUP}/v1\nkind: HttpRoute\nmetadata: {{name: web}}\n"
    version = f"apiVersion: {GROUP}/v9\nkind: HTTPRoute\nmetadata: {{name: web}}\n"
    found = invoke("convert", "-", stdin="---\n".join((OLD, other, typo, version, other)))
    assert found.status == 0
    assert found.errors == [
        f"note: HttpRoute web is printed as it is: apiVersion and kind name nothing known; perhaps meant: {GROUP}/v1 HTTPRoute",
        "note: HTTPRoute web is printed as it is: apiVersion names version v9; versions of HTTPRoute that are read: v1, v1beta1, v1alpha2",
        "note: 2 documents are printed as they are: example.com/v1 Other is not known here",
    ]


def test_comments_are_dropped_as_help_says() -> None:
    assert "Comments are dropped." in invoke("convert", "-h").out
    assert "#" not in invoke("convert", "-", stdin=f"# why\n{GATEWAY}").out
