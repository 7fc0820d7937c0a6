from hypothesis import given
from hypothesis import strategies as st

from xds_server.model.document import Fault, Ignored, expand, text_at, without_nulls

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=30,
)


def test_a_fault_reads_as_one_line():
    fault = Fault(
        reason="must be 1 to 65535, is 0",
        kind="HTTPRoute",
        namespace="demo",
        name="one",
        field="spec.rules[0].backendRefs[0].port",
        file="routes.yaml",
        line=12,
    )
    place = "routes.yaml:12: HTTPRoute demo/one: "
    assert str(fault) == place + "spec.rules[0].backendRefs[0].port must be 1 to 65535, is 0"


def test_a_fault_without_a_known_object_names_its_place():
    assert str(Fault(reason="is not YAML", file="a.yaml", line=3, column=7)) == "a.yaml:3:7: is not YAML"


def test_ignored_names_what_was_passed_over():
    assert str(Ignored(api_version="apps/v1", kind="Deployment", namespace="demo", name="x")) == (
        "apps/v1 Deployment demo/x"
    )


def test_a_document_that_is_no_list_is_itself():
    assert list(expand({"kind": "ConfigMap", "items": 3})) == [("", {"kind": "ConfigMap", "items": 3})]
    assert list(expand("text")) == [("", "text")]


def test_a_kind_with_items_that_is_no_list_is_itself():
    document = {"kind": "Playlist2", "items": [1]}
    assert list(expand(document)) == [("", document)]


def test_a_list_is_its_items_with_their_places():
    nested = {"kind": "List", "items": [{"kind": "A"}, {"kind": "List", "items": [{"kind": "B"}, 7]}]}
    assert list(expand(nested)) == [
        ("items[0]", {"kind": "A"}),
        ("items[1].items[0]", {"kind": "B"}),
        ("items[1].items[1]", 7),
    ]


def test_items_of_a_typed_list_are_of_its_kind():
    typed = {"apiVersion": "g/v1", "kind": "HTTPRouteList", "items": [{"metadata": {}}, {"kind": "Other"}]}
    assert [item for _, item in expand(typed)] == [
        {"apiVersion": "g/v1", "kind": "HTTPRoute", "metadata": {}},
        {"apiVersion": "g/v1", "kind": "Other"},
    ]


def test_text_is_found_or_empty():
    document = {"metadata": {"name": "x", "labels": 3}}
    assert text_at(document, "metadata", "name") == "x"
    assert text_at(document, "metadata", "labels") == ""
    assert text_at(document, "metadata", "labels", "a") == ""
    assert text_at(document, "spec", "a") == ""


def test_null_fields_go_and_null_items_stay():
    assert without_nulls({"a": None, "b": {"c": None, "d": [None, {"e": None}]}}) == {"b": {"d": [None, {}]}}


def _has_null_field(value):
    if isinstance(value, dict):
        return any(child is None or _has_null_field(child) for child in value.values())
    return isinstance(value, list) and any(map(_has_null_field, value))


@given(JSON)
def test_pruning_drops_every_null_field_and_copies_only_if_there_is_one(value):
    pruned = without_nulls(value)
    assert not _has_null_field(pruned)
    assert (pruned is value) == (not _has_null_field(value))
