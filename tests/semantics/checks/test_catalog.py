from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.scenarios.scenario import Scenario, load_all
from xds_server.model.document import Fault
from xds_server.model.meta import Condition
from xds_server.semantics import conditions
from xds_server.semantics.checks.catalog import CHECKS, FAMILIES, of_condition, of_fault, of_kind, of_message
from xds_server.semantics.checks.check import Severity
from xds_server.semantics.conditions import is_bad

PROMISED = Path(__file__).with_name("codes.txt")
"""Every code that there ever was, with its severity. A line is added for a new one, and none is ever removed."""
REST = {code for code, check in CHECKS.items() if code.endswith("90")}
"""What has no code of its own."""


def test_codes_are_promises() -> None:
    told = [f"{check.code} {check.severity} {check.title}" for check in CHECKS.values()]
    assert told == PROMISED.read_text().splitlines()


def test_no_code_is_given_twice() -> None:
    assert sorted(CHECKS) == sorted(check.code for family in FAMILIES.values() for check in family)


def test_codes_are_of_their_family() -> None:
    for number, family in enumerate(FAMILIES.values(), 1):
        assert {check.code[:5] for check in family} == {f"XDS{number:02}"}


def test_texts_are_sentences_and_hints_are_too() -> None:
    for check in CHECKS.values():
        assert check.meaning.endswith("."), check.code
        assert check.hint.endswith("."), check.code
        assert not check.title.endswith("."), check.code


def bad_conditions(scenario: Scenario) -> Iterator[tuple[str, str, Condition]]:
    """Kind, part and condition of everything that a scenario's statuses say is wrong."""
    statuses = scenario.run().pipeline.statuses
    told: list[tuple[str, str, tuple[Condition, ...]]] = []
    told += [("GatewayClass", "", status.conditions) for status in statuses.classes.values()]
    for kind, table in (("Gateway", statuses.gateways), ("ListenerSet", statuses.listener_sets)):
        for status in table.values():
            told.append((kind, "", status.conditions))
            told += [(kind, f"listener {one.name}", one.conditions) for one in status.listeners]
    for (kind, _), route in statuses.routes.items():
        told += [(kind, "parent", parent.conditions) for parent in route.parents]
    for (kind, _), policy in statuses.policies.items():
        told += [(kind, "ancestor", ancestor.conditions) for ancestor in policy.ancestors]
    for kind, part, found in told:
        yield from ((kind, part, one) for one in found if is_bad(one) and one.type != "Ready")


@pytest.mark.parametrize("scenario", load_all(), ids=lambda scenario: scenario.name)
def test_every_condition_that_a_scenario_tells_has_a_code_of_its_own(scenario: Scenario) -> None:
    """A new reason, or new words of a message that is told apart by words, needs a row in semantics/checks."""
    nameless = [
        (kind, part, condition.type, condition.reason, problem.text)
        for kind, part, condition in bad_conditions(scenario)
        for problem in of_message(of_kind(kind, part), condition.type, condition.reason, condition.message)
        if problem.check.code in REST
    ]
    assert nameless == []


def test_what_waits_for_an_envoy_is_no_fault_and_everything_else_has_a_code() -> None:
    assert not is_bad(conditions.not_programmed("Pending", "No Envoy."))
    assert of_condition("Route", "Accepted", "Novel", "for a reason that nobody knows").code == "XDS0690"
    assert of_condition("Listener", "Novel", "Novel", "").code == "XDS0490"
    assert of_condition("Policy", "Accepted", "Novel", "").code == "XDS0990"
    assert of_condition("anything", "", "", "").code == "XDS0990"


def codes(of: str, condition: Condition) -> list[tuple[str, str, str]]:
    found = of_message(of, condition.type, condition.reason, condition.message)
    return [(one.check.code, one.field, one.text) for one in found]


def test_a_message_is_taken_apart() -> None:
    condition = conditions.partially_invalid(
        "Dropped Rule: rules[0].matches[1].path.value: regular expression '/(a': missing ): /(a;"
        " rules[1].filters: URLRewrite does not go with RequestRedirect (IncompatibleFilters);"
        " rules[2] was rejected by Envoy: no; not at all"
    )
    assert codes("Route", condition) == [
        ("XDS0801", "rules[0].matches[1].path.value", "regular expression '/(a': missing ): /(a"),
        ("XDS0804", "rules[1].filters", "URLRewrite does not go with RequestRedirect (IncompatibleFilters)"),
        ("XDS0891", "rules[2]", "was rejected by Envoy: no; not at all"),
    ]


def test_each_of_several_references_has_its_own_reason() -> None:
    condition = conditions.not_resolved(
        "InvalidKind",
        "rules[0].backendRefs[0]: backend a: Pod is not a kind of backend; Service is;"
        " rules[0].filters[1]: Service b/c: no ReferenceGrant in b allows HTTPRoutes of d to refer to it",
    )
    assert [code for code, _, _ in codes("Route", condition)] == ["XDS0705", "XDS0704"]


def test_several_certificates_of_a_listener() -> None:
    condition = conditions.not_resolved(
        "InvalidCertificateRef",
        "tls.certificateRefs[0]: Secret a/b does not exist; tls.certificateRefs[2]: Secret a/c: it has no tls.key",
    )
    assert [(code, field) for code, field, _ in codes("Listener", condition)] == [
        ("XDS0502", "tls.certificateRefs[0]"),
        ("XDS0505", "tls.certificateRefs[2]"),
    ]


def test_several_faults_of_a_listener_of_several_kinds() -> None:
    problem = "tls.frontend.default.validation of the Gateway: caCertificateRefs[0]: Secret a/b does not exist"
    condition = conditions.not_resolved(
        "InvalidCACertificateRef",
        f"{problem}; allowedRoutes.kinds: a listener of protocol HTTPS cannot carry g/TCPRoute;"
        " tls.certificateRefs[0]: Secret a/b does not exist; filters.requests[0]: Service a/c does not exist",
    )
    found = list(of_message("Listener", condition.type, condition.reason, condition.message))
    assert [(one.check.code, one.reason) for one in found] == [
        ("XDS0513", "InvalidCACertificateRef"),
        ("XDS0404", "InvalidRouteKinds"),
        ("XDS0502", "InvalidCertificateRef"),
        ("XDS0410", "InvalidListenerFilterRef"),
    ]


def test_a_field_is_told_once_more_inside() -> None:
    condition = conditions.not_accepted(
        "UnsupportedValue", "rules[0].filters[2]: requestRedirect.path: the new path holds control characters"
    )
    assert codes("Route", condition) == [
        ("XDS0807", "rules[0].filters[2].requestRedirect.path", "the new path holds control characters")
    ]


@pytest.mark.parametrize(
    ("field", "reason", "code"),
    [
        ("", "cannot be read: Permission denied", "XDS0101"),
        ("", "there is no such file or folder", "XDS0101"),
        ("", "has more than 67108864 bytes", "XDS0101"),
        ("", "is not UTF-8 text, from line 3 on", "XDS0102"),
        ("", 'key "a" is given twice', "XDS0103"),
        ("", 'key "kind" is given twice; is a --- missing before it?', "XDS0103"),
        ("", "comes to more than 1000000 values", "XDS0104"),
        ("", "is a list, not an object with apiVersion and kind", "XDS0105"),
        ("kind", "is required", "XDS0106"),
        ("apiVersion", "names version v9; versions of HTTPRoute that are read: v1", "XDS0108"),
        ("", "did not find expected ',' or ']', while parsing a flow sequence", "XDS0110"),
        ("", "something that libyaml says", "XDS0110"),
        ("metadata.name", "is required", "XDS0201"),
        ("spec.listeners", "must have at least 1 entry", "XDS0201"),
        ("data.tls.crt", "is required for type kubernetes.io/tls", "XDS0201"),
        ("spec.caCertificateRefs", "or wellKnownCACertificates is required", "XDS0201"),
        ("spec.listeners[0].port", "must be an integer, is a string", "XDS0202"),
        ("data", "must be a mapping, is a list", "XDS0202"),
        ("spec.rules", "must be a list, is the number 7", "XDS0202"),
        ("a", "must be true or false, is a string", "XDS0202"),
        ("spec.hostnames[0]", 'must be a hostname, with at most a first label *, is "a_b"', "XDS0203"),
        ("spec.hostnames[0]", 'must be a hostname without wildcard, is "*.a"', "XDS0203"),
        ("spec.rules[0].matches[0].path.value", "must not contain '//', is \"//\"", "XDS0203"),
        ("spec.rules[0].timeouts.request", 'must be a duration such as 1h30m, 10s or 500ms, is "1"', "XDS0203"),
        ("spec.addresses[0].value", 'must be IPv4, is "::1"', "XDS0203"),
        ("metadata.name", 'must begin with example.com:x: for signer example.com/x, is "y"', "XDS0203"),
        ("metadata.name", "must not be empty", "XDS0203"),
        ("spec.validation.hostname", 'must not end with .cluster.local, is "a.cluster.local"', "XDS0203"),
        ("spec.hostnames[0]", "must not be an IP address, is 10.0.0.1", "XDS0203"),
        ("data.a", "is not base64", "XDS0203"),
        ("spec.listeners[0].port", "must be 1 to 65535, is 0", "XDS0204"),
        ("spec.a", "must be one of 301, 302, is 304", "XDS0204"),
        ("spec.a.fraction.numerator", "must be at most the denominator 1, is 2", "XDS0204"),
        ("spec.a.backendRequest", "must be at most request, which is 1s; is 2s", "XDS0204"),
        ("spec.budget.interval", "must be 1s to 1h, is 2h", "XDS0204"),
        ("spec.rate.interval", "must be more than 0s and at most 1h, is 2h", "XDS0204"),
        ("spec.rules", "have 200 matches together, more than 128", "XDS0205"),
        ("spec.hostnames", "has 17 entries, more than 16", "XDS0205"),
        ("metadata.name", "has 300 characters, more than 253", "XDS0205"),
        ("spec.listeners[0].tls", "must not be given for protocol HTTP", "XDS0206"),
        ("spec.tls.mode", "must be Terminate for protocol HTTPS, is Passthrough", "XDS0206"),
        ("spec.tls.mode", "must be None for protocol H2C, is Simple; HTTP2 is the protocol with TLS", "XDS0206"),
        ("spec.tls.mode", "must not be None for protocol HTTP2", "XDS0206"),
        ("spec.rules[0].filters[1].type", "CORS must not be repeated", "XDS0206"),
        ("spec.rules[0].filters", "must not have both RequestRedirect and URLRewrite", "XDS0206"),
        ("spec.parentRefs[1]", "must give sectionName and port as other entries for this parent do", "XDS0206"),
        ("a.path.type", "ReplacePrefixMatch needs a rule with exactly one match, of type PathPrefix", "XDS0206"),
        ("spec.listeners[1].name", "must be unique; http is used 2 times", "XDS0207"),
        ("spec.parentRefs[1]", "names the same parent, sectionName and port as another entry", "XDS0207"),
        ("spec.listeners[1]", "has the port, protocol and hostname of listener http", "XDS0207"),
        ("spec.a", "is wrong in a way that nobody foresaw", "XDS0290"),
    ],
)
def test_faults(field: str, reason: str, code: str) -> None:
    bare = code < "XDS0105"
    assert of_fault(Fault(reason, kind="" if bare or not field else "HTTPRoute", field=field)).code == code


def test_every_fault_of_the_scenarios_has_a_code_of_its_own() -> None:
    """Those that objects of another cluster would have."""
    for scenario in load_all():
        for text in scenario.run().faults:
            _, _, problem = text.partition(": ")
            field, _, reason = problem.partition(" ")
            assert of_fault(Fault(reason, kind="HTTPRoute", field=field)).code not in REST, text


def test_severities_are_in_order() -> None:
    assert list(Severity) == ["error", "warning", "info"]


@pytest.mark.parametrize(
    ("start", "code"),
    [("No Envoy of this Gateway comes up: ", "XDS0316"), ("Some Envoys of this Gateway do not come up: ", "XDS0317")],
)
def test_words_of_a_cluster_are_one_problem(start: str, code: str) -> None:
    """A webhook may write what would begin the next of ours."""
    said = f"{start}Deployment a/b: FailedCreate: admission webhook denied the request: a; port: 80 is taken"
    reason = "NoResources" if code == "XDS0316" else "Programmed"
    (found,) = of_message("Gateway", "Programmed", reason, said)
    assert found.check.code == code


def test_words_of_a_cluster_after_problems_of_ours_belong_to_the_last_of_them() -> None:
    ours = "addresses[0]: is not given; addresses[1]: is not given"
    theirs = ". Some Envoys of this Gateway do not come up: pod a: denied the request: a; port: 80 is taken"
    first, second = of_message("Gateway", "Programmed", "AddressNotUsable", ours + theirs)
    assert (first.field, second.field) == ("addresses[0]", "addresses[1]")
    assert second.text == f"is not given{theirs}"
