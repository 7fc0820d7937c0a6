"""Type URLs and classes."""

import pytest
from envoy_data_plane.envoy.config.route.v3 import RouteActionHashPolicy, VirtualHost
from envoy_data_plane.google.protobuf import UInt32Value

from xds_server.wire.registry import UnknownTypeError, class_of, type_url_of


@pytest.mark.parametrize(
    ("name", "cls"),
    [
        ("envoy.config.route.v3.VirtualHost", VirtualHost),
        ("envoy.config.route.v3.RouteAction.HashPolicy", RouteActionHashPolicy),
        ("google.protobuf.UInt32Value", UInt32Value),
    ],
)
def test_there_and_back(name: str, cls: type) -> None:
    assert type_url_of(cls) == f"type.googleapis.com/{name}"
    assert class_of(f"type.googleapis.com/{name}") is cls
    assert class_of(f"types.example.com/some/{name}") is cls
    assert class_of(name) is cls


@pytest.mark.parametrize("type_url", ["", "type.googleapis.com/", "type.googleapis.com/envoy.config.route.v3.Nothing"])
def test_unknown_types(type_url: str) -> None:
    with pytest.raises(UnknownTypeError, match="no message class is known for"):
        class_of(type_url)
