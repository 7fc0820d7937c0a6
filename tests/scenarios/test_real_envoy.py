"""A real Envoy accepts what every scenario publishes: all of it, over ADS, one scenario after the other.

One Envoy and one server for all of them. Each Gateway of each scenario in turn becomes what the one connected proxy is
to have; it must acknowledge every resource by name and version, and reject nothing.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import re2

from tests.ports import free_port
from tests.real_envoy import RealEnvoy, ads_bootstrap
from tests.scenarios.scenario import Scenario, load_all
from xds_server.model.meta import Key
from xds_server.routing.audience import ForGateway
from xds_server.routing.listener import Bind
from xds_server.semantics.patterns import MAX_PROGRAM_SIZE, problem
from xds_server.shell.serve.options import ServeOptions
from xds_server.shell.serve.server import Serving
from xds_server.xds.catalog import Catalog, Change
from xds_server.xds.events import Acknowledged, Event, Rejected
from xds_server.xds.limits import Limits
from xds_server.xds.node import Node
from xds_server.xds.resource import Resource, ResourceType

PROXY = ForGateway("scenario", "all")
SECONDS = 12.0
"""Sooner than an Envoy goes on by itself that is not told what it waits for: after 15 s."""
PORTS = (53, 54, 55, 80, 81, 82, 83, 443, 444, 445, 446, 447, 448, 1111, 5300, 5301, 5432, 5433, 5434, 5435, 8080, 8443)
Name = tuple[ResourceType, str]


class Answers:
    """An Observer that keeps what the proxy has accepted, and what it said of the rest."""

    def __init__(self) -> None:
        self.accepted: dict[Name, str] = {}
        self.rejected: list[str] = []
        self.news = asyncio.Event()

    def opened(self, stream: int, node: Node) -> None: ...

    def closed(self, stream: int, node: Node) -> None: ...

    def regrouped(self, stream: int, before: Node, node: Node) -> None: ...

    def sent(self, stream: int, node: Node, response: object) -> None: ...

    def synced(self, stream: int, node: Node, serial: int) -> None: ...

    def event(self, stream: int, node: Node, event: Event) -> None:
        if isinstance(event, Acknowledged):
            self.accepted |= {(event.type, name): one.version for name, one in event.resources.items()}
            for name in event.removed:
                self.accepted.pop((event.type, name), None)
        elif isinstance(event, Rejected):
            self.rejected.append(f"{event.type.value} {sorted(event.resources)}: {event.detail}")
        self.news.set()


class Proxy:
    """The connected Envoy, and what it is to have."""

    def __init__(self, serving: Serving, catalog: Catalog, answers: Answers) -> None:
        self._serving = serving
        self._catalog = catalog
        self._answers = answers
        self._has: dict[Name, Resource] = {}

    async def given(self, wanted: dict[Name, Resource]) -> list[str]:
        """Publishes exactly this; returns what is wrong with it."""
        gone = self._has.keys() - wanted.keys()
        self._answers.rejected.clear()
        changes: dict[Change, Resource | None] = {(PROXY, *name): None for name in gone}
        changes |= {(PROXY, *name): resource for name, resource in wanted.items()}
        self._serving.wake(self._catalog.publish(changes).audiences)
        self._has = wanted
        try:
            async with asyncio.timeout(SECONDS):
                while self._missing() and not self._answers.rejected:
                    self._answers.news.clear()
                    await self._answers.news.wait()
        except TimeoutError:
            return [f"{type_.value} {name}: not acknowledged" for type_, name in self._missing()]
        return list(self._answers.rejected)

    def _missing(self) -> list[Name]:
        """What it has not accepted; endpoints and secrets that nothing names it does not ask for."""
        named = {reference for one in self._has.values() for reference in one.references}
        by_name = (ResourceType.ENDPOINT, ResourceType.SECRET)
        asked = {name: one for name, one in self._has.items() if name[0] not in by_name or name in named}
        return [name for name, one in asked.items() if self._answers.accepted.get(name) != one.version]


@asynccontextmanager
async def proxy() -> AsyncIterator[Proxy]:
    catalog, answers = Catalog(), Answers()
    limits = Limits(removal_seconds=0.3, settle_seconds=0.3)
    serving = Serving(catalog, answers, ServeOptions(address="127.0.0.1:0", limits=limits))
    await serving.start()
    await serving.ready()
    try:
        bootstrap = ads_bootstrap(serving.port, node="gateway~pod.scenario", cluster="scenario/all")
        layers = [{"name": "static", "static_layer": {"re2.max_program_size.error_level": MAX_PROGRAM_SIZE}}]
        async with RealEnvoy(bootstrap | {"layered_runtime": {"layers": layers}}):
            yield Proxy(serving, catalog, answers)
    finally:
        await serving.stop()


def gateways(scenario: Scenario, bind: Bind) -> list[tuple[Key, dict[Name, Resource]]]:
    outcome = scenario.run(bind)
    return [
        (gateway, {(t, name): one for t in ResourceType for name, one in _of_proxy(outcome.of(gateway, t)).items()})
        for gateway in outcome.pipeline.gateways()
    ]


def _of_proxy(resources: dict[str, Resource]) -> dict[str, Resource]:
    return {name: replace(one, audience=PROXY) for name, one in resources.items()}


EXPRESSION = """# An expression

```yaml options
checks: false
```

```yaml given
kind: Gateway
metadata: {name: gw}
spec:
  gatewayClassName: any
  listeners: [{name: http, port: 80, protocol: HTTP}]
---
kind: HTTPRoute
metadata: {name: shop}
spec:
  parentRefs: [{name: gw}]
  rules: [{matches: [{path: {type: RegularExpression, value: "PATTERN"}}]}]
```
"""


def of_size(size: int) -> str:
    """An expression whose program has so many instructions."""
    base = "/" + "a{1000}" * (size // 1000 - 1)
    return base + "a" * (size - re2.compile(base).programsize)


async def test_what_envoy_refuses_is_noticed_and_what_the_checks_let_pass_is_accepted(tmp_path: Path) -> None:
    """Also: Envoy's RE2 counts as ours does, so that the largest allowed expression is one for both."""
    bind = Bind(address="127.0.0.1", ports=((80, free_port()),))
    path = tmp_path / "expression.md"
    answers = {}
    async with proxy() as envoy:
        for pattern in ("/(", of_size(MAX_PROGRAM_SIZE), of_size(MAX_PROGRAM_SIZE + 1)):
            path.write_text(EXPRESSION.replace("PATTERN", pattern))
            ((_, wanted),) = gateways(Scenario(path), bind)
            answers[pattern] = await envoy.given(wanted)
            assert bool(answers[pattern]) == (problem(pattern) is not None)
    assert answers["/("][0].startswith("routes ['http-80']: missing ): /(")


async def test_every_scenario_is_accepted() -> None:
    ports = tuple((port, free_port()) for port in PORTS)
    bind = Bind(address="127.0.0.1", ports=ports, udp_ports=ports)
    problems: dict[str, list[str]] = {}
    async with proxy() as envoy:
        for scenario in load_all():
            for gateway, wanted in gateways(scenario, bind):
                if found := await envoy.given(wanted):
                    problems[f"{scenario.name} {gateway}"] = found
                    await envoy.given({})
    assert not problems
