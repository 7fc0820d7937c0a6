"""What a real Envoy does when what it has shown is over, or what it is shown changes: TLS, tokens, and bytes counted."""

import asyncio
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

import aiohttp
import grpc

from tests.envoy.test_bootstrap import options
from tests.envoy.test_control_plane import NAME, Pod
from tests.ports import free_port
from tests.real_envoy import RealEnvoy
from tests.shell.serve import messages as make
from tests.shell.serve.peers import Recorder
from tests.shell.serve.test_real_envoy import backend, catalog_of, self_signed
from xds_server.envoy.bootstrap import bootstrap, to_json
from xds_server.envoy.control_plane import Security
from xds_server.model.meta import Key
from xds_server.shell.kube.authority import ServerIdentity
from xds_server.shell.kube.client import KubeClient
from xds_server.shell.pki import PUBLISHED, new_authority, turned
from xds_server.shell.serve.admission import Admitted, Denied, Metadata
from xds_server.shell.serve.options import ServeOptions
from xds_server.shell.serve.server import Serving
from xds_server.xds.node import Node

EMPTY_ANSWERS = 400
"""More bytes than what an Envoy that has everything is answered: two messages without anything."""


class Ends:
    """Takes tokens for some seconds, from when it sees them first."""

    def __init__(self, **seconds: float) -> None:
        self.seconds = seconds
        self.until: dict[str, float] = {}
        self.shown: list[str] = []

    async def admit(self, node: Node, metadata: Metadata, /) -> Admitted:
        token = str(dict(metadata)["authorization"]).removeprefix("Bearer ")
        self.shown.append(token)
        until = self.until.setdefault(token, time.time() + self.seconds[token])
        if until <= time.time():
            raise Denied(grpc.StatusCode.UNAUTHENTICATED, f"{token} is over")
        return Admitted((Key("default", "gateway"),), until=until)


def since_opened(seen: Recorder) -> list[str]:
    """What was told since the last stream was opened."""
    kinds = [str(one[0]) for one in seen.told]
    return kinds[len(kinds) - kinds[::-1].index("opened") :]


async def test_an_envoy_whose_token_is_over_comes_back_with_the_next_and_is_resent_nothing(tmp_path: Path) -> None:
    """Meanwhile the authority turns over too; requests are served throughout."""
    now = datetime.now(UTC)
    identity = ServerIdentity(cast("KubeClient", None), "xds-system", "xds-server", (NAME,))
    identity.adopt(turned(new_authority("xds-server", now), "xds-server", now, at_once=True))
    authority, first = identity.authority, identity.leaf
    assert authority is not None
    pod, port = Pod(tmp_path), free_port()
    pod.trust(authority.bundle)
    pod.prove("first")
    admission, seen = Ends(first=8, second=600), Recorder()
    async with backend("a") as upstream:
        catalog = catalog_of(
            *(make.cluster("a"), make.endpoints("a", upstream), make.listener("l", port, "r"), make.routes("r", "a")),
            *(make.listener("m", free_port(), "r", secret="cert"), make.secret("cert", *self_signed())),
        )
        serving = Serving(catalog, seen, ServeOptions(address="127.0.0.1:0", stop_seconds=0.1), admission=admission)
        await serving.start(identity.credentials())
        await serving.ready()
        security = Security(str(pod.trusted.folder), NAME)
        given = options(
            gateway=Key("default", "gateway"), ads_port=serving.port, admin_port=0, security=security, pod="pod-1"
        )
        try:
            async with RealEnvoy(to_json(bootstrap(given))) as envoy, aiohttp.ClientSession() as http:
                await envoy.wait_ready(20)
                await seen.until_synced(1)
                sent = len(seen.responses)
                assert sum(len(one.resources) for one in seen.responses) >= 6
                # A token that is over is shown again until the next is there, as kubelet may bring it late.
                identity.adopt(turned(authority, "xds-server", now + PUBLISHED))
                assert identity.leaf is not first
                failed = 0
                async with asyncio.timeout(60):
                    while "second" not in admission.shown:
                        async with http.get(f"http://127.0.0.1:{port}/") as answer:
                            failed += answer.status != 200
                        if "first" in admission.shown[1:]:
                            pod.prove("second")
                        await asyncio.sleep(0.02)
                    while "synced" not in since_opened(seen):
                        await asyncio.sleep(0.02)
                assert [one[0] for one in seen.told if one[0] in ("opened", "closed")] == ["opened", "closed", "opened"]
                await asyncio.sleep(1.5)
                later = seen.responses[sent:]
                assert [one.type for one in later if one.resources or one.removed] == []
                assert 0 < sum(len(one.data) for one in later) < EMPTY_ANSWERS
                assert failed == 0
        finally:
            await serving.stop()
