"""A small world for the tests of the debug endpoint: the examples and an HTTPS listener, through the real pipeline."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import aiohttp
from prometheus_client import CollectorRegistry

from tests.scenarios import certificates
from xds_server.model.document import Fault, Object
from xds_server.model.kinds import kind_of
from xds_server.model.parse import parse
from xds_server.model.yaml import load
from xds_server.pipeline.options import Options
from xds_server.pipeline.program import Pipeline, build
from xds_server.routing.audience import Audience
from xds_server.shell.debug import Debug, Sources
from xds_server.shell.files import read
from xds_server.shell.metrics import Metrics
from xds_server.shell.serve.clients import Clients
from xds_server.xds.catalog import Catalog

EXAMPLES = Path(__file__).parents[2] / "examples" / "istio-task"
NAMES = "shop.example.com"
GATEWAY = "istio-ingress/gateway"
HTTPS = """
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: secure, namespace: shop}
spec:
  gatewayClassName: any
  listeners:
  - name: https
    port: 443
    protocol: HTTPS
    hostname: shop.example.com
    tls: {certificateRefs: [{name: cert}]}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: shop, namespace: shop}
spec:
  parentRefs: [{name: secure}]
  rules:
  - backendRefs: [{name: nothing, port: 80}]
---
apiVersion: v1
kind: Secret
metadata:
  name: cert
  namespace: shop
  annotations: {kubectl.kubernetes.io/last-applied-configuration: ""}
type: kubernetes.io/tls
"""


def key_text() -> str:
    """The private key in use, as PEM."""
    return certificates.pem("key", NAMES)


def documents() -> list[Any]:
    """The HTTPS world as decoded YAML; the Secret has its key in an annotation too, as kubectl leaves it there."""
    *others, secret = load(HTTPS)
    secret["stringData"] = {"tls.crt": certificates.pem("cert", NAMES), "tls.key": key_text()}
    secret["metadata"]["annotations"] = {"kubectl.kubernetes.io/last-applied-configuration": key_text()}
    return [*others, secret]


def objects() -> list[Object]:
    """The examples and the HTTPS world."""
    found, faults = read([EXAMPLES])
    assert not faults
    parsed = [parse(document) for document in documents()]
    assert not any(isinstance(one, Fault) for one in parsed), parsed
    return [*found, *parsed]


class World:
    """A pipeline, what it published, and a debug endpoint over both. `get` asks the endpoint."""

    def __init__(self, given: Iterable[Object] | None = None, **options: Any) -> None:
        self.pipeline: Pipeline = build(Options(any_class=True, **options))
        self.catalog = Catalog()
        self.clients = Clients()
        self.registry = CollectorRegistry()
        self.faults: list[Fault] = []
        self.unready = ""
        self.metrics = Metrics(self.registry, self.pipeline, lambda: self.faults)
        self.put(objects() if given is None else given)
        self.debug: Debug
        self.url = ""
        self._http: aiohttp.ClientSession | None = None

    def put(self, given: Iterable[Object]) -> None:
        """Adds objects, settles and publishes."""
        for value in given:
            self.pipeline.inputs.put(kind_of(value).kind, value.metadata.key, value)
        self.settle()

    def settle(self) -> frozenset[Audience]:
        """Settles and publishes; for whom that changed something."""
        return self.catalog.publish(self.pipeline.publisher.changes(self.pipeline.settle())).audiences

    async def __aenter__(self) -> "World":
        self.debug = Debug(
            Sources(
                pipeline=self.pipeline,
                catalog=self.catalog,
                clients=self.clients,
                registry=self.registry,
                faults=lambda: self.faults,
                unready=lambda: self.unready,
            )
        )
        self.url = f"http://{await self.debug.start('127.0.0.1:0')}"
        self._http = aiohttp.ClientSession()
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._http is not None
        await self._http.close()
        await self.debug.stop()

    async def ask(self, path: str, **options: Any) -> tuple[int, str]:
        """Status and text; parameters are given as `params`."""
        assert self._http is not None
        async with self._http.request(options.pop("method", "GET"), self.url + path, **options) as response:
            return response.status, await response.text()

    async def get(self, path: str, **parameters: str) -> Any:
        """The JSON of a page that must be there."""
        status, text = await self.ask(path, params=parameters)
        assert status == 200, text
        return json.loads(text)

    async def refused(self, path: str, **parameters: str) -> tuple[int, str]:
        """Status and words of a page that must be refused, in one line of JSON."""
        status, text = await self.ask(path, params=parameters)
        assert text.endswith("}\n")
        assert text.count("\n") == 1
        (name, words), *rest = json.loads(text).items()
        assert (name, rest) == ("error", [])
        return status, words
