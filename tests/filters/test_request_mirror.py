"""Shares of mirrored requests."""

import pytest

from xds_server.filters.request_mirror import REQUEST_MIRROR, Mirror
from xds_server.model.httproute import BackendObjectReference, Fraction, HTTPRequestMirrorFilter, HTTPRouteFilter
from xds_server.model.meta import Key
from xds_server.routing.backend import Backend, InvalidBackend
from xds_server.routing.feature import Refused, Surroundings

COPY = Backend(Key("default", "copy"), 80)


def parsed(backend: Backend | InvalidBackend = COPY, **share: object) -> Mirror | Refused:
    mirror = HTTPRequestMirrorFilter(backend_ref=BackendObjectReference(name="copy", port=80), **share)  # type: ignore[arg-type]
    return REQUEST_MIRROR.parse(
        HTTPRouteFilter(type="RequestMirror", request_mirror=mirror), Surroundings(lambda _: backend)
    )


@pytest.mark.parametrize(
    ("share", "numerator", "denominator"),
    [
        ({}, 100, 100),
        ({"percent": 0}, 0, 100),
        ({"percent": 35}, 35, 100),
        ({"fraction": Fraction(numerator=50)}, 50, 100),
        ({"fraction": Fraction(numerator=25, denominator=50)}, 25, 50),
        ({"fraction": Fraction(numerator=0, denominator=1)}, 0, 1),
    ],
)
def test_shares(share: dict[str, object], numerator: int, denominator: int) -> None:
    assert parsed(**share) == Mirror(COPY, numerator, denominator)


@pytest.mark.parametrize(
    "share",
    [
        {"percent": -1},
        {"percent": 101},
        {"fraction": Fraction(numerator=2, denominator=1)},
        {"fraction": Fraction(numerator=-1, denominator=2)},
        {"fraction": Fraction(numerator=0, denominator=0)},
        {"fraction": Fraction(numerator=-2, denominator=-1)},
    ],
)
def test_what_is_no_share(share: dict[str, object]) -> None:
    assert isinstance(parsed(**share), Refused)


def test_a_mirror_that_goes_nowhere_is_kept_to_be_told() -> None:
    invalid = InvalidBackend("BackendNotFound", "Service default/copy does not exist")
    found = parsed(invalid)
    assert isinstance(found, Mirror)
    assert REQUEST_MIRROR.backends(found) == (invalid,)
