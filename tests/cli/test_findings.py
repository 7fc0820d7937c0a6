import json
from typing import Any

from tests.cli.command import GATEWAY, invoke
from tests.cli.test_check import GOOD, ROUTE


def told(text: str) -> list[tuple[str, str, str]]:
    rows: list[dict[str, Any]] = json.loads(invoke("check", "-", "-o", "json", stdin=text).out)
    return [(row["code"], row["object"], row["field"]) for row in rows]


def test_what_follows_from_a_fault_is_not_told_again() -> None:
    """A listener that is in conflict is neither accepted nor programmed, nor is its Gateway."""
    clash = GATEWAY + "  - {name: more, port: 80, protocol: TCP}\n"
    assert told(clash) == [
        ("XDS0403", "Gateway shop/gw", "spec.listeners[0].protocol"),
        ("XDS0403", "Gateway shop/gw", "spec.listeners[1].protocol"),
    ]


def test_a_gateway_that_is_not_accepted_says_it_once() -> None:
    plug = GATEWAY.replace("  listeners", "  addresses: [{type: example.com/plug, value: a}]\n  listeners") + GOOD
    assert told(plug) == [("XDS0305", "Gateway shop/gw", "spec.addresses[0].type")]


def test_a_fault_of_several_parents_is_told_once() -> None:
    text = GATEWAY + "---\n" + GATEWAY.replace("name: gw", "name: gw2")
    rules = "  - matches: [{path: {value: /a}}]\n    backendRefs: [{name: nowhere, port: 80}]\n"
    both = ROUTE % ("both", "gw}, {name: gw2", rules)
    assert told(text + both) == [("XDS0701", "HTTPRoute shop/both", "spec.rules[0].backendRefs[0]")]


def test_each_parent_has_its_own_fault() -> None:
    rules = (
        "  - matches: [{path: {value: /a}}]\n    filters: [{type: RequestRedirect, requestRedirect: {scheme: https}}]\n"
    )
    several = ROUTE % ("several", "gw}, {name: no}, {name: gw2, port: 81", rules)
    found = told(GATEWAY + "---\n" + GATEWAY.replace("name: gw", "name: gw2") + GOOD + several)
    assert [one for one in found if one[1].startswith("HTTPRoute")] == [
        ("XDS0601", "HTTPRoute shop/several", "spec.parentRefs[2]"),
        ("XDS0604", "HTTPRoute shop/several", "spec.parentRefs[1]"),
    ]


def test_an_older_spelling_and_an_unknown_field_are_remarked() -> None:
    text = GATEWAY.replace("/v1", "/v1beta1").replace("protocol: HTTP", "protocol: HTTP, hostnam: a.b")
    assert told(text + GOOD) == [
        ("XDS1002", "Gateway shop/gw", "apiVersion"),
        ("XDS1001", "Gateway shop/gw", "spec.listeners[0].hostnam"),
    ]


def test_kinds_of_others_are_nobodys_business() -> None:
    other = "---\napiVersion: example.com/v1\nkind: Other\nmetadata: {name: o}\nspec: {any: thing}\n"
    assert told(GATEWAY + GOOD + other) == []


def messages(text: str) -> list[tuple[str, str]]:
    rows: list[dict[str, Any]] = json.loads(invoke("check", "-", "-o", "json", stdin=text).out)
    return [(row["code"], row["message"]) for row in rows]


SERVICE = "---\napiVersion: v1\nkind: Service\nmetadata: {name: %s, namespace: shop}\nspec: {ports: [{port: %s}]}\n"


def test_what_is_referred_to_and_cannot_be_read_is_there() -> None:
    rules = "  - backendRefs: [{name: s, port: 80}, {name: t, port: 80}]\n"
    found = messages(GATEWAY + ROUTE % ("a", "gw", rules) + SERVICE % ("s", 0))
    assert ("XDS0701", "Service shop/s is there, but cannot be read: -:20") in found
    assert ("XDS0701", "Service shop/t does not exist") in found


def test_an_object_that_is_given_twice_is_told_when_one_of_both_cannot_be_read_too() -> None:
    good, wrong = SERVICE % ("s", 80), SERVICE % ("s", 0)
    for first, second in ((good, wrong), (wrong, good)):
        found = messages(GATEWAY + GOOD + first + second)
        assert ("XDS0109", "is given in -:18 too; one of the two cannot be read") in found
    assert [code for code, _ in messages(GATEWAY + GOOD + good + good)] == ["XDS0109"]
    assert [code for code, _ in messages(GATEWAY + GOOD + good + good + wrong)].count("XDS0109") == 2


def test_an_object_is_called_the_same_wherever_it_is_told_of() -> None:
    route = (ROUTE % ("a", "no", "  - backendReff: []\n")).replace(", namespace: shop", "").replace("/v1", "/v1beta1")
    assert {object_ for _, object_, _ in told(route)} == {"HTTPRoute default/a"}
    assert {code for code, _, _ in told(route)} == {"XDS0604", "XDS1001", "XDS1002", "XDS1011"}


def test_a_misspelt_filter_is_told_its_name() -> None:
    rules = "  - filters: [{type: RequestHeaderModifer}]\n"
    found = [text for _, text in messages(GATEWAY + ROUTE % ("a", "gw", rules))]
    assert "filter RequestHeaderModifer is not supported here; perhaps meant: RequestHeaderModifier" in found


def test_a_misspelt_kind_of_routes_is_told_its_name() -> None:
    kinds = "protocol: HTTP, allowedRoutes: {kinds: [{kind: HttpRoute}]}"
    found = [text for _, text in messages(GATEWAY.replace("protocol: HTTP", kinds))]
    assert found == [
        "a listener of protocol HTTP cannot carry gateway.networking.k8s.io/HttpRoute; perhaps meant: HTTPRoute"
    ]


def test_rules_are_told_of_though_no_parent_is_there_or_takes_the_route() -> None:
    rules = """\
  - matches: [{path: {type: RegularExpression, value: "/(("}}]
    backendRefs: [{name: nowhere, port: 80}]
"""
    assert told(ROUTE % ("lost", "none", rules)) == [
        ("XDS0604", "HTTPRoute shop/lost", "spec.parentRefs[0]"),
        ("XDS0801", "HTTPRoute shop/lost", "spec.rules[0].matches[0].path.value"),
        ("XDS0701", "HTTPRoute shop/lost", "spec.rules[0].backendRefs[0]"),
    ]
    text = GATEWAY + GOOD + ROUTE % ("lost", "gw, sectionName: none", rules)
    rows = json.loads(invoke("check", "-", "-o", "json", stdin=text).out)
    assert [(row["code"], row["reason"]) for row in rows] == [
        ("XDS0601", "NoMatchingParent"),
        ("XDS0801", "UnsupportedValue"),
        ("XDS0701", "BackendNotFound"),
    ]


def test_each_of_several_faults_of_a_gateway_has_its_code_and_reason() -> None:
    spec = (
        "  addresses: [{type: example.com/plug, value: a}]\n"
        "  infrastructure: {annotations: {networking.istio.io/service-type: Odd},"
        ' parametersRef: {group: "", kind: ConfigMap, name: none}}\n'
    )
    plug = GATEWAY.replace("  listeners", f"{spec}  listeners") + GOOD
    rows = json.loads(invoke("check", "-", "-o", "json", stdin=plug).out)
    assert {(row["code"], row["field"], row["reason"]) for row in rows} == {
        ("XDS0305", "spec.addresses[0].type", "UnsupportedAddress"),
        ("XDS0308", "spec.infrastructure.parametersRef", "InvalidParameters"),
        ("XDS0314", "spec.metadata.annotations", "InvalidParameters"),
    }
