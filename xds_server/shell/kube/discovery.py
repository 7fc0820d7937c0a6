"""Which version of a kind a cluster serves."""

from collections.abc import Sequence

import msgspec

from xds_server.shell.kube.client import KubeClient
from xds_server.shell.kube.errors import NotFoundError


class _Resource(msgspec.Struct):
    name: str
    kind: str = ""


class _Resources(msgspec.Struct):
    resources: list[_Resource] = []


async def newest_served(client: KubeClient, group: str, plural: str, versions: Sequence[str]) -> str | None:
    """The apiVersion of the first of `versions` under which the cluster serves the kind; None for none of them.

    Raises KubeError when the cluster cannot tell.
    """
    for version in versions:
        api_version = f"{group}/{version}" if group else version
        where = f"/apis/{api_version}" if group else f"/api/{version}"
        try:
            found = msgspec.json.decode(await client.get(where), type=_Resources)
        except NotFoundError:
            continue
        if any(one.name == plural for one in found.resources):
            return api_version
    return None
