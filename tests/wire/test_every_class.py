"""Every reachable message class: our bytes, objects and JSON against betterproto2's and against google's protobuf."""

import functools
from collections.abc import Iterator
from typing import Any

import betterproto2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.wire import envoy_descriptors
from tests.wire.messages import arguments, reachable
from xds_server.wire.construct import fast
from xds_server.wire.decode import to_json
from xds_server.wire.encode import encode
from xds_server.wire.registry import PREFIX, type_url_of

EVERY_CLASS = pytest.mark.parametrize("cls", reachable(), ids=lambda cls: type_url_of(cls).removeprefix(PREFIX))
FEW = settings(max_examples=4, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.fixture(autouse=True, scope="module")
def _validators_are_kept() -> Iterator[None]:
    """betterproto2 builds the same validator anew for every message, which takes most of its time."""
    real = betterproto2.pydantic_core
    keep = functools.cache(lambda key: real.SchemaValidator(schemas[key]))
    schemas: dict[int, Any] = {}

    class Kept:
        @staticmethod
        def SchemaValidator(schema: Any) -> Any:  # noqa: N802
            schemas[id(schema)] = schema
            return keep(id(schema))

    betterproto2.pydantic_core = Kept
    yield
    betterproto2.pydantic_core = real


@EVERY_CLASS
@FEW
@given(data=st.data())
def test_agrees_with_betterproto2_and_with_google_protobuf(
    cls: type[betterproto2.Message], data: st.DataObject
) -> None:
    given_arguments = data.draw(arguments(cls))
    validated = cls(**given_arguments)
    quick = fast(cls)(**given_arguments)
    assert quick == validated
    assert quick.__dict__.keys() == validated.__dict__.keys()
    encoded = encode(quick)
    assert encoded == bytes(validated)
    assert cls.parse(encoded) == validated

    full_name = type_url_of(cls).removeprefix(PREFIX)
    truth = envoy_descriptors.parse(full_name, encoded)
    expected = envoy_descriptors.as_json(truth)
    assert to_json(cls, encoded) == (expected if isinstance(expected, dict) else {"value": expected})
