"""What is not an installation's own; what is, and that it goes, e2e/test_install.py shows."""

import json
from collections.abc import Mapping
from typing import Any, cast

from xds_server.infra import names
from xds_server.shell.kube.cleanup import Installed, remnants
from xds_server.shell.kube.client import KubeClient
from xds_server.shell.kube.errors import refused

CONTROLLER = "a.test/controller"


class ApiServer:
    """It has these ConfigMaps, and nothing else. It tells two at a time, and once forgets what it told before."""

    def __init__(self, *config_maps: dict[str, Any]) -> None:
        self.config_maps = config_maps
        self.expired = False

    async def get(self, where: str, params: Mapping[str, str] | None = None, *, accept: str = "") -> bytes:
        if not where.endswith("/configmaps"):
            raise refused(404, "NotFound", where)
        begin = int((params or {}).get("continue", "0"))
        if begin and not self.expired:
            self.expired = True
            raise refused(410, "Expired", accept)
        page = {"items": self.config_maps[begin : begin + 2], "metadata": {"resourceVersion": "1"}}
        if begin + 2 < len(self.config_maps):
            page["metadata"]["continue"] = str(begin + 2)
        return json.dumps(page).encode()

    async def get_object(self, where: str) -> dict[str, Any]:
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
