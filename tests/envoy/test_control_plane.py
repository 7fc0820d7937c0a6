"""An Envoy and its control plane, with TLS and a token: real Envoy, real certificates, files as Kubernetes changes them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import grpc
from envoy_data_plane.envoy.service.discovery.v3 import DeltaDiscoveryRequest, DeltaDiscoveryResponse

from tests.envoy.test_bootstrap import OneMethod, options, running
from xds_server.envoy.bootstrap import bootstrap, to_json
from xds_server.envoy.control_plane import Security
from xds_server.envoy.file_secrets import documents
from xds_server.shell.pki import Authority, Pair, leaf, new_authority

NAME = "xds-server.xds-system.svc"


class Volume:
    """A folder that changes as the kubelet changes those of ConfigMaps: all files at once, by swapping a link."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()

    def write(self, files: dict[str, bytes]) -> None:
        version = self.folder / f"..{uuid4().hex}"
        version.mkdir()
        for name, content in files.items():
            (version / name).write_bytes(content)
            link = self.folder / name
            if not link.is_symlink():
                link.symlink_to(f"..data/{name}")
        swapped = self.folder / "..data_tmp"
        swapped.symlink_to(version.name)
        swapped.rename(self.folder / "..data")


class Server:
    """A control plane that has nothing to serve; what is presented to it is noted, what it shows can be changed."""

    def __init__(self) -> None:
        self.now = datetime.now(UTC)
        self.authority = new_authority("one", self.now)
        self.shown = self.sign(self.authority)
        self.tokens: asyncio.Queue[str] = asyncio.Queue()
        self.end = asyncio.Event()
        self.port = 0

    def sign(self, authority: Authority, *hosts: str) -> Pair:
        return leaf(authority, hosts or (NAME,), self.now)

    def _configuration(self) -> Any:
        return grpc.ssl_server_certificate_configuration([(self.shown.key, self.shown.certificate)])

    async def _stream(self, requests: AsyncIterator[bytes], context: Any) -> AsyncIterator[bytes]:
        self.tokens.put_nowait(dict(context.invocation_metadata()).get("authorization", ""))
        ended = asyncio.create_task(self.end.wait())
        while True:
            coming = asyncio.ensure_future(anext(requests, None))
            await asyncio.wait({coming, ended}, return_when=asyncio.FIRST_COMPLETED)
            if ended.done():
                coming.cancel()
                self.end.clear()
                await context.abort(grpc.StatusCode.UNAUTHENTICATED, "the token is over")
            if (request := coming.result()) is None:
                return
            message = DeltaDiscoveryRequest.parse(request)
            if not message.response_nonce:
                yield bytes(DeltaDiscoveryResponse(type_url=message.type_url, nonce=message.type_url))

    @asynccontextmanager
    async def listening(self, port: int = 0) -> AsyncIterator[None]:
        server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
        server.add_generic_rpc_handlers([OneMethod(grpc.stream_stream_rpc_method_handler(self._stream))])
        credentials = grpc.dynamic_ssl_server_credentials(self._configuration(), lambda: self._configuration())
        self.port = server.add_secure_port(f"127.0.0.1:{port}", credentials)
        await server.start()
        try:
            yield
        finally:
            await server.stop(0)

    async def token(self, seconds: float = 10.0) -> str:
        """What the next stream shows."""
        async with asyncio.timeout(seconds):
            return await self.tokens.get()


class Pod:
    """The files of a proxy's pod."""

    def __init__(self, folder: Path) -> None:
        self.trusted, self.token = Volume(folder / "authority"), Volume(folder / "token")
        self.documents = documents(str(self.trusted.folder), str(self.token.folder), "token")

    def trust(self, bundle: bytes) -> None:
        self.trusted.write({"ca.crt": bundle} | {name: text.encode() for name, text in self.documents.items()})

    def prove(self, token: str) -> None:
        self.token.write({"token": token.encode()})

    def bootstrap(self, port: int) -> dict[str, Any]:
        security = Security(str(self.trusted.folder), NAME)
        return to_json(bootstrap(options(ads_port=port, security=security)))


async def test_an_envoy_shows_its_token_to_the_server_that_it_trusts(tmp_path: Path) -> None:
    server, pod = Server(), Pod(tmp_path)
    pod.trust(server.authority.bundle)
    pod.prove("first")
    async with server.listening(), running(pod.bootstrap(server.port), tmp_path):
        assert await server.token() == "Bearer first"


async def test_a_server_of_another_authority_or_name_is_shown_nothing(tmp_path: Path) -> None:
    server, pod = Server(), Pod(tmp_path)
    pod.trust(server.authority.bundle)
    pod.prove("first")
    server.shown = server.sign(new_authority("other", server.now))
    async with server.listening(), running(pod.bootstrap(server.port), tmp_path):
        await asyncio.sleep(2)
        server.shown = server.sign(server.authority, "other.xds-system.svc")
        await asyncio.sleep(2)
        assert server.tokens.empty()
        server.shown = server.sign(server.authority)
        assert await server.token() == "Bearer first"


async def test_what_is_rotated_under_a_stream_is_used_by_the_next_one(tmp_path: Path) -> None:
    """Token, authority and leaf change while a stream is open, which stays; then each new stream has the new ones."""
    server, pod = Server(), Pod(tmp_path)
    pod.trust(server.authority.bundle)
    pod.prove("first")
    async with server.listening(), running(pod.bootstrap(server.port), tmp_path):
        assert await server.token() == "Bearer first"
        successor = new_authority("two", server.now)
        pod.trust(server.authority.bundle + successor.bundle)
        pod.prove("second")
        server.authority, server.shown = successor, server.sign(successor)
        await asyncio.sleep(1)
        assert server.tokens.empty()
        port = server.port
        # Ending the stream alone: Envoy comes back on the same connection, with the new token.
        server.end.set()
        assert await server.token() == "Bearer second"
    pod.prove("third")
    pod.trust(successor.bundle)
    async with running(pod.bootstrap(port), tmp_path):
        await asyncio.sleep(0.5)
        async with server.listening(port):
            assert await server.token() == "Bearer third"


async def test_an_envoy_without_a_token_yet_waits_for_it(tmp_path: Path) -> None:
    server, pod = Server(), Pod(tmp_path)
    pod.trust(server.authority.bundle)
    async with server.listening(), running(pod.bootstrap(server.port), tmp_path):
        await asyncio.sleep(1)
        while not server.tokens.empty():
            assert not server.tokens.get_nowait().removeprefix("Bearer ")
        pod.prove("late")
        async with asyncio.timeout(10):
            while await server.token() != "Bearer late":
                pass
