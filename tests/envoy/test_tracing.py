"""Tracing as Envoy spells it; what requests come to is in tests/traffic/test_tracing.py."""

import pytest

from xds_server.envoy import tracing
from xds_server.model.meta import Key
from xds_server.routing.backend import Backend
from xds_server.routing.tracing import ALL, Tag, Tracing
from xds_server.semantics import telemetry

COLLECTOR = Backend(Key("default", "collector"), 4317, "grpc")


def test_every_attribute_that_is_allowed_can_be_told() -> None:
    assert tracing.ATTRIBUTES.keys() == telemetry.ATTRIBUTES


def test_what_is_said_of_names_is_no_command() -> None:
    built = tracing.build(Tracing(COLLECTOR, (), ALL, ALL, "a", "50% off", (Tag("b", "literal", "50%"),)))
    assert built.operation == "50%% off"
    assert built.custom_tags[0].literal is not None
    assert built.custom_tags[0].literal.value == "50%"


@pytest.mark.parametrize(
    ("sampled", "of_sampled", "random"),
    [(ALL, ALL, 100), (0, ALL, 100), (ALL // 10, ALL // 5, 20), (0, 0, 0), (1, None, 100)],
)
def test_the_gate_is_as_wide_as_what_callers_sampled(sampled: int, of_sampled: int | None, random: float) -> None:
    built = tracing.build(Tracing(COLLECTOR, (), sampled, of_sampled, "a"))
    assert built.random_sampling is not None
    assert built.client_sampling is not None
    assert (built.random_sampling.value, built.client_sampling.value) == (random, 0)
