"""KubeClient: requests to the API server as bytes in and bytes out, and paths of objects.

kubernetes_asyncio finds the server and the credentials (a kubeconfig, or the ServiceAccount of the pod) and holds the
connections; bodies pass through untouched, since its models cost ten times what reading JSON costs.
"""

import asyncio
import os
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp
import msgspec
import yaml

from xds_server.shell.kube.errors import ForbiddenError, NoAccessError, UnreachableError, refused

if TYPE_CHECKING:
    from kubernetes_asyncio.client import ApiClient, Configuration

APPLY = "application/apply-patch+yaml"
MERGE = "application/merge-patch+json"
METADATA = "application/json;as=PartialObjectMetadata{};g=meta.k8s.io;v=v1"
"""Objects without anything but their metadata, where a server can do that; formatted with "" or "List"."""
STRATEGIC = "application/strategic-merge-patch+json"
JSON = "application/json"
NO_VERSION = "1"
"""A resourceVersion that no object has: etcd's first revision. With it an apply creates, or is a conflict."""

_NAMESPACE_FILE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
_CONNECT_SECONDS = 5.0
_REQUEST_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Access:
    """Which cluster, and as whom. Nothing given: KUBECONFIG, else ~/.kube/config, else the pod's ServiceAccount."""

    kubeconfig: Path | None = None
    context: str | None = None


class _Cause(msgspec.Struct):
    reason: str = ""


class _Details(msgspec.Struct):
    causes: list[_Cause] | None = None


class _Status(msgspec.Struct):
    reason: str = ""
    message: str = ""
    details: _Details | None = None


def path(api_version: str, plural: str, namespace: str = "", name: str = "", subresource: str = "") -> str:
    """The path of a kind, of its objects in a namespace, of an object or of its subresource."""
    root = f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"
    parts = [root, "namespaces", namespace, plural] if namespace else [root, plural]
    parts += [name] if name else []
    return "/".join([*parts, subresource] if subresource else parts)


class KubeClient:
    """One server, one identity. Every method raises a KubeError, and no other error, when a request is not done."""

    def __init__(self, api: "ApiClient", configuration: "Configuration", access: Access, namespace: str) -> None:
        self._api = api
        self._configuration = configuration
        self._access = access
        self.namespace = namespace
        """The pod's own, or the context's; "default" where neither says."""

    @property
    def server(self) -> str:
        """The server's URL."""
        return str(self._configuration.host)

    async def close(self) -> None:
        """Ends the connections."""
        await self._api.close()

    async def get(self, where: str, params: Mapping[str, str] | None = None, *, accept: str = JSON) -> bytes:
        """GET."""
        return await self.request("GET", where, params=params, accept=accept)

    async def get_object(self, where: str, params: Mapping[str, str] | None = None) -> dict[str, Any]:
        """GET, decoded."""
        found: dict[str, Any] = msgspec.json.decode(await self.get(where, params))
        return found

    async def create(self, where: str, value: Mapping[str, Any], params: Mapping[str, str] | None = None) -> bytes:
        """POST of an object to its collection."""
        return await self.request("POST", where, params=params, body=msgspec.json.encode(value))

    async def replace(self, where: str, value: Mapping[str, Any]) -> bytes:
        """PUT: with a resourceVersion in it, ConflictError when the object has changed since."""
        return await self.request("PUT", where, body=msgspec.json.encode(value))

    async def patch(
        self, where: str, value: Any, *, content_type: str = MERGE, params: Mapping[str, str] | None = None
    ) -> bytes:
        """PATCH."""
        return await self.request(
            "PATCH", where, params=params, body=msgspec.json.encode(value), content_type=content_type
        )

    async def apply(self, where: str, value: Mapping[str, Any], *, manager: str, force: bool = True) -> bytes:
        """Server-side apply as a field manager."""
        params = {"fieldManager": manager, "force": "true" if force else "false"}
        return await self.patch(where, value, content_type=APPLY, params=params)

    async def delete(self, where: str, options: Mapping[str, Any] | None = None) -> bytes:
        """DELETE, with DeleteOptions such as preconditions."""
        return await self.request("DELETE", where, body=msgspec.json.encode(options) if options else None)

    async def request(
        self,
        method: str,
        where: str,
        *,
        params: Mapping[str, str] | None = None,
        body: bytes | None = None,
        content_type: str = JSON,
        accept: str = JSON,
        seconds: float = _REQUEST_SECONDS,
    ) -> bytes:
        """One request; the body of its answer. Credentials that are refused are read anew, once."""
        timeout = aiohttp.ClientTimeout(total=seconds, connect=_CONNECT_SECONDS)
        for last in (False, True):
            try:
                async with self._opened(
                    method, where, timeout, params=params, body=body, content_type=content_type, accept=accept
                ) as answer:
                    return await answer.read()
            except ForbiddenError as error:
                if last or error.code != 401:
                    raise
                await self._renew_credentials()
        raise AssertionError("unreachable")

    @asynccontextmanager
    async def stream(
        self, where: str, params: Mapping[str, str], *, idle_seconds: float, accept: str = JSON
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        """GET of a watch or a log: its lines, each whole. UnreachableError after `idle_seconds` of silence."""
        timeout = aiohttp.ClientTimeout(total=None, connect=_CONNECT_SECONDS, sock_read=idle_seconds)
        async with self._opened("GET", where, timeout, params=params, accept=accept) as answer:
            yield _lines(answer)

    @asynccontextmanager
    async def websocket(
        self, where: str, params: Mapping[str, str], protocols: tuple[str, ...]
    ) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
        """Opens a WebSocket to the server: port-forward, exec. RefusedError where the server does not open it."""
        headers = {**await self._headers(), "Accept": "*/*"}
        with _translated(where):
            socket = await self._session.ws_connect(
                f"{self.server}{where}",
                params=params,
                headers=headers,
                protocols=protocols,
                server_hostname=self._configuration.tls_server_name,
                proxy=self._configuration.proxy,
                max_msg_size=0,
            )
        async with socket:
            yield socket

    @asynccontextmanager
    async def _opened(
        self,
        method: str,
        where: str,
        limit: aiohttp.ClientTimeout,
        *,
        params: Mapping[str, str] | None,
        body: bytes | None = None,
        content_type: str = JSON,
        accept: str = JSON,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        headers = {**await self._headers(), "Accept": accept}
        if body is not None:
            headers["Content-Type"] = content_type
        with _translated(where):
            async with self._session.request(
                method,
                f"{self.server}{where}",
                params=params,
                data=body,
                headers=headers,
                timeout=limit,
                server_hostname=self._configuration.tls_server_name,
                proxy=self._configuration.proxy,
                proxy_headers=self._configuration.proxy_headers,
            ) as answer:
                if answer.status >= 400:
                    raise await _error(answer)
                yield answer

    @property
    def _session(self) -> aiohttp.ClientSession:
        session: aiohttp.ClientSession = self._api.rest_client.pool_manager
        return session

    async def _headers(self) -> dict[str, str]:
        headers = {"Accept": JSON, "User-Agent": "xds-server"}
        await self._api.update_params_for_auth(headers, [], ["BearerToken"])
        return headers

    async def _renew_credentials(self) -> None:
        """Tokens of exec plugins and kubeconfigs expire; those of pods are read again by the library."""
        fresh, _ = await _load(self._access)
        self._configuration.api_key = fresh.api_key
        self._configuration.api_key_prefix = fresh.api_key_prefix


async def connect(access: Access | None = None) -> KubeClient:
    """A client for a cluster; NoAccessError when there are no usable credentials. Sends nothing yet."""
    from kubernetes_asyncio.client import ApiClient  # takes half a second and 60 MB

    access = access or Access()
    configuration, namespace = await _load(access)
    configuration.connection_pool_maxsize = 0  # each watch keeps a connection
    return KubeClient(ApiClient(configuration), configuration, access, namespace)


async def _load(access: Access) -> tuple["Configuration", str]:
    from kubernetes_asyncio import config
    from kubernetes_asyncio.client import Configuration

    configuration = Configuration()
    given = access.kubeconfig or access.context or os.environ.get("KUBECONFIG")
    try:
        if not given and _in_pod():
            config.load_incluster_config(client_configuration=configuration)  # type: ignore[no-untyped-call]
            namespace = await asyncio.to_thread(_NAMESPACE_FILE.read_text)
            return configuration, namespace.strip()
        file = _kubeconfig(access)
        await config.load_kube_config(
            config_file=file, context=access.context, client_configuration=configuration, persist_config=False
        )
        contexts, active = config.list_kube_config_contexts(config_file=file)
        chosen = next((one for one in contexts if one["name"] == access.context), active)
        return configuration, (chosen["context"].get("namespace") if chosen else None) or "default"
    except (config.ConfigException, yaml.YAMLError, OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise NoAccessError(f"no cluster: {_places(access)}: {' '.join(str(error).split())}") from error


def _in_pod() -> bool:
    return "KUBERNETES_SERVICE_HOST" in os.environ


def _places(access: Access) -> str:
    """The kubeconfig, or several as KUBECONFIG lists them."""
    return str(access.kubeconfig or os.environ.get("KUBECONFIG") or "~/.kube/config")


def _kubeconfig(access: Access) -> str:
    """The kubeconfigs of which at least one is there; the library tells of none only in a log."""
    places = _places(access)
    if not any(Path(one).expanduser().exists() for one in places.split(os.pathsep) if one):
        raise NoAccessError(f"no cluster: {places} is not there")
    return places


async def _lines(answer: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    """Lines of any length: aiohttp's own reader has a limit for them."""
    rest = bytearray()
    async for chunk in answer.content.iter_any():
        rest += chunk
        if b"\n" in chunk:
            *lines, tail = bytes(rest).split(b"\n")
            rest = bytearray(tail)
            for line in lines:
                if line:
                    yield line


async def _error(answer: aiohttp.ClientResponse) -> Exception:
    body = await answer.read()
    try:
        status = msgspec.json.decode(body, type=_Status)
    except msgspec.DecodeError:
        status = _Status(message=body[:300].decode(errors="replace").strip())
    wait = answer.headers.get("Retry-After", "")
    return refused(
        answer.status,
        status.reason,
        status.message,
        retry_after=float(wait) if wait.isdecimal() else None,
        causes=[one.reason for one in (status.details and status.details.causes) or ()],
    )


def _phrase(code: int) -> str:
    return HTTPStatus(code).phrase if code in HTTPStatus._value2member_map_ else ""


class _translated:  # noqa: N801 (reads as a statement)
    """Errors of the transport as UnreachableError."""

    def __init__(self, where: str) -> None:
        self._where = where

    def __enter__(self) -> None:
        pass

    def __exit__(self, _: Any, error: BaseException | None, __: Any) -> None:
        if isinstance(error, aiohttp.WSServerHandshakeError):
            told = f"{self._where}: {error.status} {_phrase(error.status)}".rstrip()
            raise refused(error.status, "", told) from error
        if isinstance(error, aiohttp.ClientError | TimeoutError | OSError | ssl.SSLError):
            raise UnreachableError(f"{self._where}: {_reason(error)}") from error


def _reason(error: BaseException) -> str:
    """In the system's own words where it has some: those of aiohttp and asyncio go round them."""
    system = getattr(error, "os_error", error)
    place = f"{error.host}:{error.port}: " if isinstance(error, aiohttp.ClientConnectorError) else ""
    if isinstance(system, OSError) and not isinstance(system, ssl.SSLError) and system.errno and system.errno > 0:
        return f"{place}{os.strerror(system.errno).lower()}"
    return str(error) or "no answer in time"
