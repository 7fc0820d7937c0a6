"""Lists of the API server, in chunks, each object as it is: JSON without kind and apiVersion."""

from collections.abc import AsyncIterator
from typing import Any, Final

import msgspec

from xds_server.shell.kube.client import KubeClient, path
from xds_server.shell.kube.errors import GoneError
from xds_server.shell.kube.watcher import Watched

_CHUNK: Final = "500"


class _Page(msgspec.Struct):
    metadata: dict[str, Any] = {}
    items: list[msgspec.Raw] | None = None


async def listed(client: KubeClient, what: Watched) -> list[bytes]:
    """All objects. Raises KubeError; a list that grows too old meanwhile is begun again, once."""
    try:
        return [one async for one in _pages(client, what)]
    except GoneError:
        return [one async for one in _pages(client, what)]


async def objects(client: KubeClient, what: Watched) -> list[dict[str, Any]]:
    """The same, decoded."""
    return [msgspec.json.decode(one) for one in await listed(client, what)]


async def _pages(client: KubeClient, what: Watched) -> AsyncIterator[bytes]:
    query = {"limit": _CHUNK}
    if what.label_selector:
        query["labelSelector"] = what.label_selector
    if what.field_selector:
        query["fieldSelector"] = what.field_selector
    while True:
        where = path(what.api_version, what.plural, what.namespace)
        page = msgspec.json.decode(await client.get(where, query), type=_Page)
        for item in page.items or ():
            yield bytes(item)
        query["continue"] = page.metadata.get("continue") or ""
        if not query["continue"]:
            return
