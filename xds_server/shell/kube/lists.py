"""Lists of the API server, each object as it is: JSON without kind and apiVersion."""

from typing import Any

import msgspec

from xds_server.shell.kube.client import KubeClient
from xds_server.shell.kube.errors import GoneError
from xds_server.shell.kube.watcher import Watched, list_all


async def listed(client: KubeClient, what: Watched) -> tuple[bytes, ...]:
    """All objects. Raises KubeError; a list that grows too old meanwhile is begun again, once."""
    try:
        found, _ = await list_all(client, what)
    except GoneError:
        found, _ = await list_all(client, what)
    return found


async def objects(client: KubeClient, what: Watched) -> list[dict[str, Any]]:
    """The same, decoded."""
    return [msgspec.json.decode(one) for one in await listed(client, what)]
