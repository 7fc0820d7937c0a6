"""What is not an installation's own; what is, and that it goes, e2e/test_install.py shows."""

from collections.abc import Mapping
from typing import Any, cast

from xds_server.infra import names
from xds_server.shell.kube.cleanup import Installed, remnants
from xds_server.shell.kube.client import KubeClient
from xds_server.shell.kube.errors import refused

CONTROLLER = "a.test/controller"


class ApiServer:
    """It has these ConfigMaps, and nothing else."""

    def __init__(self, *config_maps: dict[str, Any]) -> None:
        self.config_maps = config_maps

    async def get(self, where: str) -> bytes:
        raise refused(404, "NotFound", where)

    async def get_object(self, where: str, _: Mapping[str, str] | None = None) -> dict[str, Any]:
        if where.endswith("/configmaps"):
            return {"items": list(self.config_maps)}
        raise refused(404, "NotFound", where)


def published(namespace: str, home: str) -> dict[str, Any]:
    metadata = {
        "name": "xds-server-ca",
        "namespace": namespace,
        "uid": namespace,
        "labels": {names.MANAGED_LABEL: names.MANAGED, names.CONTROLLER_LABEL: names.controller(CONTROLLER)},
    }
    return {"metadata": {**metadata, **({"annotations": {names.HOME_ANNOTATION: home}} if home else {})}}


async def test_what_a_server_of_that_name_in_another_namespace_keeps_stays() -> None:
    server = ApiServer(published("a", "one"), published("b", "two"), published("c", ""))
    found = await remnants(cast("KubeClient", server), Installed("xds-server", "one", CONTROLLER))
    assert [one.key.namespace for one in found] == ["a", "c"]
