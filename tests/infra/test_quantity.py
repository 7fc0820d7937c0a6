"""Quantities as the API server reads them."""

from typing import Any

import pytest

from xds_server.infra.quantity import quantity


@pytest.mark.parametrize(
    ("value", "number"),
    [
        ("512Mi", 512 * 1024**2),
        ("1Gi", 1024**3),
        ("1.5Gi", 3 * 1024**3 // 2),
        ("2Ei", 2 * 1024**6),
        ("1500M", 1_500_000_000),
        ("128974848", 128_974_848),
        (1000, 1000),
        ("129e6", 129_000_000),
        ("1E3", 1000),
        ("2E", 2 * 10**18),
        ("1500m", 1),
        (".5k", 500),
        ("1.", 1),
        ("0", 0),
    ],
)
def test_quantities(value: Any, number: int) -> None:
    assert quantity(value) == number


@pytest.mark.parametrize("value", ["", "Mi", "1 Gi", "-1", "1gi", "1Kii", "1e", "1e999", None, {}, True, "1K"])
def test_what_is_none(value: Any) -> None:
    assert quantity(value) is None
