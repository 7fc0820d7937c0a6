"""The replicas of an installation, found by their labels, and the pages of their debug endpoints.

A replica's debug endpoint is on its loopback, so it is reached by port-forward; one of a server outside of the cluster
is reached where it is told to be.
"""

import asyncio
import urllib.request
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from http.client import HTTPException
from typing import Any, Final
from urllib.error import HTTPError
from urllib.parse import urlencode

import msgspec

from xds_server.model.meta import Key
from xds_server.shell.kube.client import KubeClient
from xds_server.shell.kube.errors import ForbiddenError, KubeError, UnreachableError, refused
from xds_server.shell.kube.lists import objects
from xds_server.shell.kube.portforward import Answer, get
from xds_server.shell.kube.watcher import Watched

LABEL: Final = "app.kubernetes.io/name=xds-server"
NAME: Final = "xds-server"
NAMESPACE: Final = "xds-system"
"""Where it is looked for by who may not list pods everywhere."""
ADMIN_PORT: Final = 18001
_SECONDS: Final = 20.0


@dataclass(frozen=True, slots=True)
class Replica:
    """A server. `pod` is None for one that is not in the cluster, `why` says why none is asked, empty if one is."""

    name: str
    pod: Key | None = None
    port: int = ADMIN_PORT
    address: str = ""
    ready: bool = True
    why: str = ""


@dataclass(frozen=True, slots=True)
class Page:
    """What a replica answered; `problem` says why it did not."""

    replica: Replica
    value: Any = None
    problem: str = ""


async def replicas(client: KubeClient, name: str = NAME, addresses: Sequence[str] = ()) -> list[Replica]:
    """The replicas of the installation of that name; with addresses (HOST:PORT), what listens there instead.

    Raises KubeError.
    """
    if addresses:
        return [Replica(one, address=one) for one in addresses]
    try:
        pods = await objects(client, Watched("v1", "pods", "", LABEL))
    except ForbiddenError:
        pods = await objects(client, Watched("v1", "pods", NAMESPACE, LABEL))
    found = [replica(pod) for pod in pods if belongs(pod, name)]
    return sorted(found, key=lambda one: one.name)


def belongs(pod: Mapping[str, Any], name: str) -> bool:
    """Is a pod with the label a server of the installation of that name? Its Jobs carry the same labels."""
    runs = (pod.get("status") or {}).get("phase") not in ("Succeeded", "Failed")
    return runs and "serve" in _words(pod) and _option(pod, "--name", NAME) == name


def replica(pod: Mapping[str, Any]) -> Replica:
    """The server that a pod runs."""
    metadata, status = pod["metadata"], pod.get("status") or {}
    conditions = {one["type"]: one["status"] for one in status.get("conditions") or ()}
    phase = status.get("phase") or "Pending"
    _, _, port = _option(pod, "--admin-address", f":{ADMIN_PORT}").rpartition(":")
    return Replica(
        name=metadata["name"],
        pod=Key(metadata.get("namespace", ""), metadata["name"]),
        port=int(port) if port.isdecimal() else ADMIN_PORT,
        ready=conditions.get("Ready") == "True",
        why="" if phase == "Running" else f"its pod is {phase}",
    )


def _words(pod: Mapping[str, Any]) -> list[str]:
    return [
        word for one in pod["spec"]["containers"] for word in (*(one.get("command") or ()), *(one.get("args") or ()))
    ]


def _option(pod: Mapping[str, Any], option: str, default: str) -> str:
    """The value of an option of the server's command line: of several the last, as the server reads them."""
    words, found = _words(pod), default
    for word, following in zip(words, [*words[1:], ""], strict=True):
        if word == option:
            found = following
        elif word.startswith(f"{option}="):
            found = word.partition("=")[2]
    return found


async def page(client: KubeClient, replica: Replica, where: str, query: Mapping[str, str] | None = None) -> Any:
    """A page of JSON. Raises KubeError, with the endpoint's own words where it refuses."""
    answer = await fetch(client, replica, f"{where}?{urlencode(query)}" if query else where)
    try:
        value = msgspec.json.decode(answer.body)
    except msgspec.DecodeError as error:
        raise UnreachableError(f"{replica.name}{where}: what listens there is no xds-server") from error
    if answer.status >= 400:
        told = value.get("error", "") if isinstance(value, dict) else ""
        raise refused(answer.status, "", f"{replica.name}{where}: {told or answer.status}")
    return value


async def fetch(client: KubeClient, replica: Replica, where: str) -> Answer:
    """A page as it is. Raises KubeError."""
    if replica.why:
        raise UnreachableError(f"{replica.name}: {replica.why}")
    if replica.pod is None:
        return await asyncio.to_thread(_fetch, replica.address, where)
    return await get(client, replica.pod, replica.port, where, seconds=_SECONDS)


def _fetch(address: str, where: str) -> Answer:
    try:
        with urllib.request.urlopen(f"http://{address}{where}", timeout=_SECONDS) as response:
            return Answer(response.status, response.read())
    except HTTPError as error:
        return Answer(error.code, error.read())
    except (HTTPException, OSError, ValueError) as error:
        raise UnreachableError(f"{address}: {getattr(error, 'reason', error)}") from error


async def pages(
    client: KubeClient, all_: Iterable[Replica], where: str, query: Mapping[str, str] | None = None
) -> list[Page]:
    """The same page of several replicas."""

    async def one(replica: Replica) -> Page:
        try:
            return Page(replica, await page(client, replica, where, query))
        except KubeError as error:
            return Page(replica, problem=str(error))

    return list(await asyncio.gather(*map(one, all_)))
