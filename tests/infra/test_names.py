"""Names of what is made for Gateways are valid, stable and those of nobody else."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xds_server.infra import names
from xds_server.model.meta import Key
from xds_server.model.rules import syntax

SUBDOMAIN = st.from_regex(
    r"[a-z0-9]([-a-z0-9]{0,60}[a-z0-9])?(\.[a-z0-9]([-a-z0-9]{0,60}[a-z0-9])?){0,3}", fullmatch=True
)
SERVICE = re.compile(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?")


@pytest.mark.parametrize("name", ["gateway", "a", "prod-web", "a" * 63])
def test_a_name_that_a_service_may_have_is_kept(name: str) -> None:
    assert names.child(name) == name
    assert names.label(name) == name


def test_others_are_rewritten_with_a_hash_at_the_end() -> None:
    assert names.child("shop.example") == "shop-example-0f59463c"
    assert names.child("3scale") == "gw-3scale-dc110665"
    assert names.child("a" * 253) == "a" * 54 + "-32859a3a"


def test_labels_keep_dots_and_first_digits() -> None:
    assert names.label("3.example") == "3.example"
    assert names.label("a" * 64) == "a" * 54 + "-ffe054fe"


@given(SUBDOMAIN)
def test_every_name_of_a_gateway_gives_valid_names(name: str) -> None:
    assert SERVICE.fullmatch(names.child(name))
    assert syntax.label_value(names.label(name)) == ""


@given(SUBDOMAIN, SUBDOMAIN)
def test_two_gateways_never_share(one: str, other: str) -> None:
    assert (names.child(one) == names.child(other)) is (one == other)
    assert (names.label(one) == names.label(other)) is (one == other)


def test_installations_are_told_apart_by_controller() -> None:
    assert names.controller("xds-server.dev/gateway-controller") == "xds-server.dev_gateway-controller"
    long = names.controller("example.com/" + "x" * 100)
    assert syntax.label_value(long) == ""
    assert long != names.controller("example.com/" + "x" * 101)
    assert syntax.label_value(names.controller("example.com/~x~")) == ""


def test_a_pods_name_may_have_dots_in_a_node_id() -> None:
    assert names.pod_of("gateway~gw.v1.shop") == Key("shop", "gw.v1")
