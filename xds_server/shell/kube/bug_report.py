"""What somebody needs who is to find out what is wrong in a cluster: objects, events, logs, what Envoys have.

In: a client. Out: files by name. Nothing secret is in them: of Secrets there are names, types, keys and what their
certificates are, of ConfigMaps the names of their keys; pages of servers and dumps of Envoys redact by themselves;
what still looks like a key or a token is taken out of everything.
"""

import asyncio
from base64 import b64decode
from collections.abc import Awaitable, Collection, Coroutine, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec
from cryptography import x509

from xds_server import __version__
from xds_server.infra import names
from xds_server.model.kinds import KINDS, Kind
from xds_server.model.meta import Key
from xds_server.shell.kube.client import KubeClient, path
from xds_server.shell.kube.discovery import newest_served
from xds_server.shell.kube.errors import KubeError, RefusedError
from xds_server.shell.kube.lists import objects
from xds_server.shell.kube.portforward import get
from xds_server.shell.kube.servers import LABEL, Replica, fetch, replicas
from xds_server.shell.kube.source import SELECTORS
from xds_server.shell.kube.watcher import Watched
from xds_server.shell.scrub import scrub

PAGES: Final = ("server", "clients", "faults", "status", "tables")
"""Of the debug endpoint."""
_MADE: Final = (
    ("apps/v1", "deployments"),
    ("v1", "serviceaccounts"),
    ("policy/v1", "poddisruptionbudgets"),
    ("autoscaling/v2", "horizontalpodautoscalers"),
)
REDACTED: Final = "[redacted]"
_NOISE: Final = ("managedFields",)
_COPIES: Final = (
    names.LAST_APPLIED_ANNOTATION,
    "kapp.k14s.io/original",
    "kapp.k14s.io/original-diff",
    "objectset.rio.cattle.io/applied",
)
"""Annotations in which tools keep what they applied, encoded or not: what is taken out of an object stands there still.
"""
_PROXIES: Final = f"{names.MANAGED_LABEL}={names.MANAGED},{names.GATEWAY_LABEL}"
"""Pods that are made for Gateways here. Those of other controllers have the second label, too."""
_AT_ONCE: Final = 8


class _Client(msgspec.Struct):
    node: str


class _Clients(msgspec.Struct):
    """Of the page /debug/clients."""

    clients: tuple[_Client, ...]


@dataclass(slots=True)
class Report:
    """Files, by name, and what could not be had."""

    files: dict[str, bytes] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    def add(self, name: str, value: Any) -> None:
        """A file of JSON."""
        self.files[name] = msgspec.json.format(msgspec.json.encode(value), indent=1) + b"\n"


async def collect(client: KubeClient, installation: str, addresses: list[str] | None, lines: int) -> Report:
    """Asks for everything, a few things at a time. What cannot be had is told in the report; a KubeError is raised only
    where the cluster does not answer at all.
    """
    report = Report()
    with suppress(RefusedError):
        await client.get("/version")
    limit = asyncio.Semaphore(_AT_ONCE)

    async def tried(what: str, work: Awaitable[None]) -> None:
        async with limit:
            try:
                await work
            except KubeError as error:
                report.problems.append(f"{what}: {error}")

    async def all_of(work: Iterable[tuple[str, Awaitable[None]]]) -> None:
        await asyncio.gather(*(tried(what, one) for what, one in work))

    servers: list[Replica] = []
    pods: dict[Key, dict[str, Any]] = {}

    async def find_servers() -> None:
        servers.extend(await replicas(client, installation, addresses or ()))

    await tried("servers", find_servers())
    await all_of(
        (what, _pods(client, selector, pods))
        for what, selector in (("pods of servers", LABEL), ("pods of proxies", _PROXIES))
    )
    await all_of(_pages(client, servers, report))
    connected = _connected(report)
    await all_of((f"pod {key}", _pod(client, key, pods)) for key in sorted(connected - pods.keys()))
    report.add("pods.json", [_cleaned(pod) for pod in pods.values()])
    report.add("versions.json", await _versions(client, report))
    work = [(row.kind, _kind(client, row, report)) for row in KINDS if row.kind != "Pod"]
    work += [(plural, _made(client, api, plural, report)) for api, plural in _MADE]
    work.append(("events", _events(client, report)))
    logs = [(key, *log) for key, pod in pods.items() for log in logs_of(pod)]
    work += [(f"log {one[1]}", _log(client, *one, lines=lines, report=report)) for one in logs]
    work += [(f"configuration of {key}", _dump(client, key, report)) for key in _proxies(pods, connected)]
    await all_of(work)
    for name, content in report.files.items():
        report.files[name], found = scrub(content)
        if found:
            report.problems.append(f"{name}: {found} of what looks like keys or tokens was taken out")
    return report


def _pages(
    client: KubeClient, servers: Iterable[Replica], report: Report
) -> Iterator[tuple[str, Coroutine[Any, Any, None]]]:
    for one in servers:
        for page in PAGES:
            where, name = f"/debug/{page}", f"servers/{one.name}/{page}.json"
            yield f"{one.name} {page}", _page(client, one, where, name, report)
        yield f"{one.name} metrics", _page(client, one, "/metrics", f"servers/{one.name}/metrics.txt", report)


def _connected(report: Report) -> set[Key]:
    """The pods of the proxies that servers know, those that nobody here deployed too."""
    found: set[Key] = set()
    for name, content in report.files.items():
        if name.endswith("/clients.json"):
            with suppress(msgspec.DecodeError):  # what listens there may be no server
                clients = msgspec.json.decode(content, type=_Clients).clients
                found.update(names.pod_of(one.node) for one in clients)
    return found


def _proxies(pods: Mapping[Key, Mapping[str, Any]], connected: Collection[Key]) -> list[Key]:
    return [
        key
        for key, pod in pods.items()
        if key in connected or names.GATEWAY_LABEL in (pod["metadata"].get("labels") or {})
    ]


async def _pod(client: KubeClient, key: Key, found: dict[Key, dict[str, Any]]) -> None:
    found[key] = await client.get_object(path("v1", "pods", *key))


async def _pods(client: KubeClient, selector: str, found: dict[Key, dict[str, Any]]) -> None:
    for pod in await objects(client, Watched("v1", "pods", "", selector)):
        found[Key(pod["metadata"]["namespace"], pod["metadata"]["name"])] = pod


async def _versions(client: KubeClient, report: Report) -> dict[str, Any]:
    told: dict[str, Any] = {"xds-server": __version__, "cluster": client.server}
    try:
        told["kubernetes"] = (await client.get_object("/version")).get("gitVersion")
        where = path("apiextensions.k8s.io/v1", "customresourcedefinitions", name="gateways.gateway.networking.k8s.io")
        told["gateway-api"] = (await client.get_object(where))["metadata"].get("annotations")
    except KubeError as error:
        report.problems.append(f"versions: {error}")
    return told


async def _kind(client: KubeClient, row: Kind, report: Report) -> None:
    api_version = await newest_served(client, row.group, row.plural, row.versions)
    if api_version is None:
        report.problems.append(f"{row.kind}: not served by the cluster")
        return
    found = await objects(client, Watched(api_version, row.plural, "", *SELECTORS.get(row.kind, ("", ""))))
    shown = {"Secret": _secret, "ConfigMap": _config_map}.get(row.kind, _cleaned)
    report.add(f"objects/{row.kind}.json", [shown(one) for one in found])


async def _made(client: KubeClient, api_version: str, plural: str, report: Report) -> None:
    selector = f"{names.MANAGED_LABEL}={names.MANAGED}"
    found = await objects(client, Watched(api_version, plural, "", selector))
    report.add(f"made/{plural}.json", [_cleaned(one) for one in found])


async def _events(client: KubeClient, report: Report) -> None:
    found = await objects(client, Watched("events.k8s.io/v1", "events"))
    report.add("events.json", [_cleaned(one) for one in found])


async def _page(client: KubeClient, replica: Replica, where: str, name: str, report: Report) -> None:
    answer = await fetch(client, replica, where)
    report.files[name] = answer.body


def logs_of(pod: Mapping[str, Any]) -> Iterable[tuple[str, Mapping[str, str]]]:
    """The logs of a pod, and how each is asked for: of every container, and of what was there before one restarted."""
    metadata, containers = pod["metadata"], [one["name"] for one in pod["spec"]["containers"]]
    states = (pod.get("status") or {}).get("containerStatuses") or ()
    restarted = {one["name"] for one in states if one.get("restartCount")}
    for container in containers:
        name = f"{metadata['namespace']}/{metadata['name']}" + (f"-{container}" if len(containers) > 1 else "")
        yield name, {"container": container}
        if container in restarted:
            yield f"{name}-previous", {"container": container, "previous": "true"}


async def _log(
    client: KubeClient, pod: Key, name: str, which: Mapping[str, str], *, lines: int, report: Report
) -> None:
    params = {**which, "tailLines": str(lines), "timestamps": "true"}
    report.files[f"logs/{name}.log"] = await client.get(path("v1", "pods", *pod, "log"), params)


async def _dump(client: KubeClient, pod: Key, report: Report) -> None:
    folder = f"proxies/{pod.namespace}/{pod.name}"
    answer = await get(client, pod, names.ADMIN_PORT, "/config_dump?include_eds")
    report.files[f"{folder}/config_dump.json"] = answer.body
    for name in ("stats", "clusters", "listeners", "server_info"):
        report.files[f"{folder}/{name}.txt"] = (await get(client, pod, names.ADMIN_PORT, f"/{name}")).body


def _cleaned(value: Mapping[str, Any]) -> dict[str, Any]:
    """Without what only tells who wrote which field, copies of the object in itself, and values of environments."""
    metadata = {key: one for key, one in value["metadata"].items() if key not in _NOISE}
    if annotations := metadata.get("annotations"):
        metadata["annotations"] = {key: one for key, one in annotations.items() if key not in _COPIES}
    told: dict[str, Any] = _without_environments({**value, "metadata": metadata})
    return told


def _without_environments(value: Any) -> Any:
    """People put secrets into the environment of containers."""
    if isinstance(value, list):
        return [_without_environments(one) for one in value]
    if not isinstance(value, dict):
        return value
    return {
        key: [{**one, "value": REDACTED} if "value" in one else one for one in inner]
        if key == "env" and isinstance(inner, list)
        else _without_environments(inner)
        for key, inner in value.items()
    }


def _config_map(value: Mapping[str, Any]) -> dict[str, Any]:
    """The names of its keys, and their lengths."""
    told = _cleaned(value)
    told["metadata"].pop("annotations", None)  # tools keep copies of it there
    for part in ("data", "binaryData"):
        if part in told:
            told[part] = {key: f"{len(content)} characters" for key, content in told[part].items()}
    return told


def _secret(value: Mapping[str, Any]) -> dict[str, Any]:
    """What it is called, its type, its keys, and what the certificates in it are."""
    metadata = _cleaned(value)["metadata"]
    metadata.pop("annotations", None)  # tools keep copies of secrets there
    told: dict[str, Any] = {"metadata": metadata, "type": value.get("type"), "keys": sorted(value.get("data") or ())}
    certificates = {
        key: found
        for key in ("tls.crt", "ca.crt")
        if (found := list(_certificates((value.get("data") or {}).get(key))))
    }
    return told | ({"certificates": certificates} if certificates else {})


def _certificates(encoded: str | None) -> Iterable[dict[str, str]]:
    if not encoded:
        return
    try:
        found = x509.load_pem_x509_certificates(b64decode(encoded))
    except ValueError as error:
        yield {"unreadable": str(error)}
        return
    for one in found:
        yield {
            "subject": one.subject.rfc4514_string(),
            "issuer": one.issuer.rfc4514_string(),
            "not_before": one.not_valid_before_utc.isoformat(),
            "not_after": one.not_valid_after_utc.isoformat(),
        }
