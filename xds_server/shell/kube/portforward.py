"""HTTP to a port of a pod, loopback included, by way of the API server's port-forward.

A WebSocket carries one connection: each message begins with the number of its channel, data on 0 and what is wrong
on 1; the first message of either is the port. Servers since 1.5 understand that (v4.channel.k8s.io, looked at up to
1.34), so that SPDY is not needed. No port is opened on this machine: a pair of sockets leads to the HTTP client.
Source: k8s.io/kubelet/pkg/cri/streaming/portforward/websocket.go.
"""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from typing import Final

import aiohttp

from xds_server.model.meta import Key
from xds_server.shell.kube.client import KubeClient, path
from xds_server.shell.kube.errors import ForbiddenError, NotFoundError, RefusedError, UnreachableError, refused

_PROTOCOL: Final = "v4.channel.k8s.io"
_DATA: Final = 0
_CHUNK: Final = 64 * 1024
_SECONDS: Final = 20.0
_REFUSED: Final = "connection refused"


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back of a GET."""

    status: int
    body: bytes


async def get(client: KubeClient, pod: Key, port: int, where: str, *, seconds: float = _SECONDS) -> Answer:
    """GET of a path from a port of a pod. Raises a KubeError when there is no answer within `seconds`."""
    what = f"pod {pod} port {port}"
    try:
        async with asyncio.timeout(seconds), _connected(client, pod, port) as near:
            return await asyncio.to_thread(_get, near, where, seconds)
    except RefusedError as error:
        raise refused(error.code, error.reason, f"{what}: {_why(error)}") from error
    except TimeoutError as error:
        raise UnreachableError(f"{what}: no answer within {seconds:g} s") from error
    except (HTTPException, OSError) as error:
        raise UnreachableError(f"{what}: {error or type(error).__name__}") from error


def _why(error: RefusedError) -> str:
    """What a status means, of which the client tells no more than the number."""
    if isinstance(error, NotFoundError):
        return "there is no such pod"
    if isinstance(error, ForbiddenError):
        return "not allowed; get and create of pods/portforward are needed"
    return f"not forwarded, perhaps since it does not run: {error}"


def _get(near: socket.socket, where: str, seconds: float) -> Answer:
    with near:
        near.settimeout(seconds)
        connection = HTTPConnection("localhost")
        connection.sock = near
        connection.request("GET", where, headers={"Connection": "close"})
        response = connection.getresponse()
        return Answer(response.status, response.read())


@asynccontextmanager
async def _connected(client: KubeClient, pod: Key, port: int) -> AsyncIterator[socket.socket]:
    """A socket that leads to the port, for use in a thread, which closes it. What the other side says is wrong is
    raised instead of whatever that led to.
    """
    async with client.websocket(
        path("v1", "pods", *pod, "portforward"), {"ports": str(port)}, (_PROTOCOL,)
    ) as web_socket:
        near, far = socket.socketpair()
        reader, writer = await asyncio.open_connection(sock=far)
        problems: list[str] = []
        tasks = [
            asyncio.create_task(_send(reader, web_socket)),
            asyncio.create_task(_receive(web_socket, writer, problems)),
        ]
        try:
            yield near
        except (HTTPException, OSError) as error:
            if not problems:
                raise
            raise UnreachableError(f"pod {pod} port {port}: {_shortened(problems[0])}") from error
        finally:
            with suppress(OSError):
                near.shutdown(socket.SHUT_RDWR)  # wakes a thread that still reads
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            writer.close()


async def _send(reader: asyncio.StreamReader, web_socket: aiohttp.ClientWebSocketResponse) -> None:
    with suppress(aiohttp.ClientError, OSError):
        while data := await reader.read(_CHUNK):
            await web_socket.send_bytes(bytes([_DATA]) + data)


async def _receive(
    web_socket: aiohttp.ClientWebSocketResponse, writer: asyncio.StreamWriter, problems: list[str]
) -> None:
    begun: set[int] = set()
    try:
        async for message in web_socket:
            if message.type is not aiohttp.WSMsgType.BINARY or not message.data:
                continue
            channel, data = message.data[0], message.data[1:]
            if channel not in begun:
                begun.add(channel)
            elif channel == _DATA:
                writer.write(data)
                await writer.drain()
            else:
                problems.append(data.decode(errors="replace").strip())
                break
    except (aiohttp.ClientError, OSError) as error:
        problems.append(str(error))
    finally:
        writer.close()


def _shortened(problem: str) -> str:
    """Kubelets tell of network namespaces and of both families before they come to the point."""
    return f"nothing listens there ({_REFUSED})" if _REFUSED in problem else problem
