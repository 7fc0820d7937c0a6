"""What a test has for itself where parts of a server run in its own process: a controller, a connection that is cut."""

import asyncio
import time
from collections.abc import Callable
from typing import Any
from uuid import uuid4

from xds_server.model.kinds import GATEWAY_GROUP
from xds_server.shell.kube.client import KubeClient, path
from xds_server.shell.kube.errors import UnreachableError

V1 = f"{GATEWAY_GROUP}/v1"


async def until(what: Callable[[], object], seconds: float = 60.0) -> float:
    """Waits until it is true; the seconds it took."""
    began = time.monotonic()
    while not what():
        assert time.monotonic() < began + seconds, f"not within {seconds} s"
        await asyncio.sleep(0.01)
    return time.monotonic() - began


class Alone:
    """A namespace, a class and a controller that nobody else has."""

    def __init__(self, client: KubeClient, prefix: str) -> None:
        unique = uuid4().hex[:8]
        self.client = client
        self.namespace = f"{prefix}-{unique}"
        self.class_ = f"{prefix}-{unique}"
        self.controller_name = f"{prefix}.test/{unique}"

    async def create(self) -> None:
        """Makes the namespace and the class."""
        await self.client.create(path("v1", "namespaces"), {"metadata": {"name": self.namespace}})
        spec = {"controllerName": self.controller_name}
        value = {"apiVersion": V1, "kind": "GatewayClass", "metadata": {"name": self.class_}, "spec": spec}
        await self.client.create(path(V1, "gatewayclasses"), value)

    async def delete(self) -> None:
        """Takes them away, and what is in the namespace."""
        await self.client.delete(path("v1", "namespaces", name=self.namespace))
        await self.client.delete(path(V1, "gatewayclasses", name=self.class_))


class Cut:
    """A client whose connection can be cut, but for requests whose path has one of the words of `spared`."""

    def __init__(self, client: KubeClient, *spared: str) -> None:
        self._client = client
        self._spared = spared
        self.cut = False

    def __getattr__(self, name: str) -> Any:
        async def call(*args: Any, **more: Any) -> Any:
            if self.cut and not any(word in args[-1] or word in args[0] for word in self._spared):
                raise UnreachableError("cut")
            return await getattr(self._client, name)(*args, **more)

        return call
