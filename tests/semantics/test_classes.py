"""Conditions of GatewayClasses; scenarios of the topic `gateways` show whose Gateways are served."""

import pytest

from xds_server.model.gateway import GatewayClass, GatewayClassSpec
from xds_server.model.meta import Metadata
from xds_server.semantics.classes import class_conditions

OURS = "xds-server.dev/gateway-controller"


def told(version: str = "", problem: str = "") -> dict[str, tuple[str, str]]:
    class_ = GatewayClass(Metadata(name="one"), GatewayClassSpec(OURS))
    return {one.type: (one.status, one.reason) for one in class_conditions(class_, OURS, version, problem)}


@pytest.mark.parametrize("version", ["v1.7.0", "v1.7.3-rc.1", "v1.0.0"])
def test_releases_that_are_known(version: str) -> None:
    assert told(version)["SupportedVersion"] == ("True", "SupportedVersion")


@pytest.mark.parametrize("version", ["v1.8.0", "v2.0.0", "v0.8.1", "main", "v1.7"])
def test_objects_of_other_releases_are_served_all_the_same(version: str) -> None:
    assert told(version) == {
        "Accepted": ("True", "Accepted"),
        "SupportedVersion": ("False", "UnsupportedVersion"),
    }


def test_in_files_there_is_no_release() -> None:
    assert told() == {"Accepted": ("True", "Accepted")}


def test_parameters_that_cannot_be_used_are_told() -> None:
    assert told(problem="parametersRef: it is not there") == {"Accepted": ("False", "InvalidParameters")}
