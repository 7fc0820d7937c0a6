"""Fragments are merged as an API server merges them; e2e/test_overlays.py asks one about the same cases."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import assume, given
from hypothesis import strategies as st

from xds_server.infra.desired import samples
from xds_server.infra.overlay import OverlayError, merge
from xds_server.infra.parameters import KINDS

CASES = yaml.safe_load(Path(__file__).with_name("overlays.yaml").read_text())
PLAIN = "PodDisruptionBudget"
"""A kind without any list that has keys."""
SCALARS = st.one_of(st.booleans(), st.integers(), st.text(max_size=3))
NAMES = st.sampled_from("abcd")
LISTS = st.lists(SCALARS, max_size=3)
VALUES = st.recursive(st.one_of(SCALARS, LISTS), lambda inner: st.dictionaries(NAMES, inner, max_size=3), max_leaves=8)
OBJECTS = st.dictionaries(NAMES, VALUES, max_size=4)


def at(value: Any, path: list[Any]) -> Any:
    """A part of a value; `*` stands for every entry of a list."""
    for number, step in enumerate(path):
        if step == "*":
            return [at(one, path[number + 1 :]) for one in value]
        value = value[step]
    return value


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_cases(case: dict[str, Any]) -> None:
    merged = merge(KINDS[case["key"]], samples()[case["key"]], case["fragment"])
    assert at(merged, case["at"]) == case["merged"]


def test_neither_argument_is_changed() -> None:
    before = yaml.safe_dump(dict(samples()["deployment"]))
    for case in CASES:
        text = yaml.safe_dump(case["fragment"])
        merge(KINDS[case["key"]], samples()[case["key"]], case["fragment"])
        assert yaml.safe_dump(case["fragment"]) == text
    assert yaml.safe_dump(dict(samples()["deployment"])) == before


@pytest.mark.parametrize(
    ("fragment", "told"),
    [
        ({"spec": 5}, "spec must be a mapping, is a single value"),
        ({"spec": {"template": []}}, "spec.template must be a mapping, is a list"),
        ({"spec": {"template": {"spec": {"serviceAccountName": {}}}}}, "must be a single value, is a mapping"),
        ({"spec": {"template": {"spec": {"containers": [{"image": "a"}]}}}}, "containers must be a list of mappings"),
        (
            {"spec": {"template": {"spec": {"containers": ["envoy"]}}}},
            "containers must be a list of mappings with name",
        ),
        (
            {"spec": {"template": {"spec": {"containers": [{"name": "envoy", "$patch": "merge"}]}}}},
            "containers[name=envoy].$patch must be delete or replace",
        ),
        (
            {"spec": {"template": {"spec": {"containers": [{"name": {"a": "b"}}]}}}},
            "containers must be a list of mappings with name",
        ),
        (
            {"spec": {"template": {"spec": {"volumes": [{"name": None}]}}}},
            "volumes must be a list of mappings with name",
        ),
        (
            {"spec": {"template": {"spec": {"volumes": [{"name": "a", "$retainKeys": ["emptyDir"]}]}}}},
            "volumes must be a list of mappings with name",
        ),
        (
            {
                "spec": {
                    "template": {
                        "spec": {"containers": [{"name": "a", "ports": [{"containerPort": 1, "protocol": []}]}]}
                    }
                }
            },
            "ports[containerPort=1].protocol must be TCP, UDP or SCTP",
        ),
        ({"spec": {"$patch": "remove"}}, "spec.$patch must be delete, replace or merge"),
        ({"spec": {"$retainKeys": "type"}}, "spec.$retainKeys must be a list"),
        ({"spec": {"$setElementOrder/containers": []}}, "is no directive that is known here"),
    ],
)
def test_what_cannot_be_merged_is_told_with_its_place(fragment: dict[str, Any], told: str) -> None:
    with pytest.raises(OverlayError) as caught:
        merge("Deployment", samples()["deployment"], fragment)
    assert told in str(caught.value)


TCP = {"name": "dns", "port": 53, "protocol": "TCP", "targetPort": 53}
UDP = {"name": "dns-udp", "port": 53, "protocol": "UDP", "targetPort": 53}
WEB = {"name": "web", "port": 80, "protocol": "TCP", "targetPort": 80}
NODE = {"nodePort": 30053}


@pytest.mark.parametrize(
    ("base", "fragment", "merged"),
    [
        ([TCP, UDP, WEB], [{"port": 80} | NODE], [TCP, UDP, WEB | NODE]),
        ([TCP, UDP], [{"port": 53, "protocol": "UDP"} | NODE], [TCP, UDP | NODE]),
        ([TCP, UDP], [{"port": 53} | NODE], [TCP | NODE, UDP]),
        ([UDP], [{"port": 53} | NODE], [UDP | NODE]),
        ([UDP], [{"port": 53, "protocol": "UDP"} | NODE, {"port": 53}], [UDP | NODE, {"port": 53}]),
        ([WEB], [UDP, TCP], [UDP, TCP, WEB]),
        ([TCP, UDP, WEB], [{"port": 53, "$patch": "delete"}], [WEB]),
        ([TCP, UDP, WEB], [{"port": 53, "protocol": "UDP", "$patch": "delete"}], [TCP, WEB]),
    ],
)
def test_ports_of_one_number_are_told_apart_by_their_protocol(
    base: list[Any], fragment: list[Any], merged: list[Any]
) -> None:
    assert merge("Service", {"spec": {"ports": base}}, {"spec": {"ports": fragment}})["spec"]["ports"] == merged


def test_named_ports_of_one_number_stay_two_in_a_container_of_yours() -> None:
    ports = [{"name": "dns", "containerPort": 53}, {"name": "dns-udp", "containerPort": 53, "protocol": "UDP"}]
    fragment = {"spec": {"template": {"spec": {"containers": [{"name": "beside", "ports": ports}]}}}}
    merged = merge("Deployment", samples()["deployment"], fragment)
    assert merged["spec"]["template"]["spec"]["containers"][0]["ports"] == ports


@given(OBJECTS, OBJECTS)
def test_what_was_merged_changes_nothing_when_it_is_merged_again(
    base: dict[str, Any], fragment: dict[str, Any]
) -> None:
    try:
        once = merge(PLAIN, base, fragment)
    except OverlayError:
        assume(False)  # noqa: FBT003 (how hypothesis reads)
    assert merge(PLAIN, once, fragment) == once
    assert merge(PLAIN, once, once) == once


@given(OBJECTS)
def test_nothing_changes_nothing(base: dict[str, Any]) -> None:
    assert merge(PLAIN, base, {}) == base
    assert merge(PLAIN, {}, base) == base
