"""Objects through the pipeline once, and the parts of the local mode that need no Envoy."""

import asyncio
import gc
from collections.abc import AsyncIterator, Coroutine, Iterator
from typing import Any

import pytest
from structlog.testing import capture_logs

from tests.pipeline import documents as doc
from xds_server.app import Source, _until, offline
from xds_server.control import Changes
from xds_server.model.batch import Batch
from xds_server.model.document import Fault, Ignored, Object
from xds_server.model.meta import Key
from xds_server.model.parse import parse
from xds_server.routing.audience import ForGateway
from xds_server.xds.resource import ResourceType

GW = Key("default", "gw")


@pytest.fixture(autouse=True)
def _collector() -> Iterator[None]:
    yield
    gc.enable()  # offline is for short-lived processes


def objects(*documents: doc.Document) -> list[Object]:
    found = [parse(document) for document in documents]
    assert not [value for value in found if isinstance(value, Fault | Ignored)]
    return [value for value in found if not isinstance(value, Fault | Ignored)]


WORLD = (
    doc.gateway("gw", doc.listener("web")),
    doc.route("cart", rules=[doc.rule("/cart", doc.backend("cart"))]),
    doc.service("cart"),
    doc.slice_("cart", "10.0.0.1"),
)


def test_offline_makes_the_resources_of_every_gateway() -> None:
    found = offline(objects(*WORLD, doc.gateway("idle", doc.listener("web", 81))))
    by_gateway: dict[Any, list[tuple[ResourceType, str]]] = {}
    for resource in found.resources:
        by_gateway.setdefault(resource.audience, []).append((resource.type, resource.name))
    assert set(by_gateway[ForGateway("default", "gw")]) == {
        (ResourceType.CLUSTER, "default/cart:80/auto"),
        (ResourceType.ENDPOINT, "default/cart:80"),
        (ResourceType.LISTENER, "tcp-80"),
        (ResourceType.ROUTE, "http-80"),
    }
    assert (ResourceType.LISTENER, "tcp-81") in by_gateway[ForGateway("default", "idle")]


def test_offline_does_not_depend_on_the_order_of_objects() -> None:
    one, other = offline(objects(*WORLD)), offline(objects(*reversed(WORLD)))
    assert set(one.resources) == set(other.resources)


def test_offline_gives_statuses_that_wait_for_an_envoy() -> None:
    status = offline(objects(*WORLD)).pipeline.statuses.gateways.get(GW)
    assert status is not None
    conditions = {condition.type: (condition.status, condition.reason) for condition in status.conditions}
    assert conditions["Accepted"] == ("True", "Accepted")
    assert conditions["Programmed"] == ("False", "Pending")


def test_offline_serves_any_class_until_one_is_given() -> None:
    """Only a class that names our controller is ours, then."""
    theirs = doc.document("GatewayClass", "any", {"controllerName": "example.com/other"}, namespace="")
    assert offline(objects(*WORLD)).pipeline.gateways() == [GW]
    found = offline(objects(*WORLD, theirs))
    assert (found.pipeline.gateways(), found.resources) == ([], ())


def test_offline_of_nothing_is_nothing() -> None:
    assert offline([]).resources == ()


class Files:
    """Batches as a test gives them."""

    def __init__(self, *batches: Batch) -> None:
        self._batches = batches

    async def batches(self) -> AsyncIterator[Batch]:
        for batch in self._batches:
            yield batch


class Loop:
    """What a source submits to."""

    def __init__(self) -> None:
        self.submitted: list[Changes] = []

    def submit(self, changes: Changes) -> None:
        self.submitted.append(changes)


async def test_a_source_submits_batches_and_tells_each_fault_once() -> None:
    first, second = (Fault(reason=reason, file="a.yaml", line=3) for reason in ("is bad", "is worse"))
    (cart,) = objects(doc.service("cart"))
    upserts = (("Service", Key("default", "cart"), cart),)
    batches = [
        Batch(upserts, (), (first,), ()),
        Batch((), (), (first, second), ()),
        Batch((), (("Service", Key("default", "cart")),), (second,), ()),
    ]
    loop: Any = Loop()
    files: Any = Files(*batches)
    source = Source(loop, files)
    with capture_logs() as logs:
        await source.run()
    assert [(one.upserts, one.removals) for one in loop.submitted] == [(one.upserts, one.removals) for one in batches]
    told = [(line["event"], line["problem"]) for line in logs if "problem" in line]
    assert told == [
        ("fault", "a.yaml:3: is bad"),
        ("fault", "a.yaml:3: is worse"),
        ("fault mended", "a.yaml:3: is bad"),
    ]
    assert [line["faults"] for line in logs if line["event"] == "files read"] == [1, 2, 1]
    assert source.batch is batches[-1]


class Parts:
    """Coroutines that are run together, and which of them were ended."""

    def __init__(self) -> None:
        self.stop = asyncio.Event()
        self.ended: list[str] = []

    async def forever(self) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            self.ended.append("forever")

    async def fails(self) -> None:
        await asyncio.sleep(0)
        raise ValueError("no")

    async def returns(self) -> None:
        await asyncio.sleep(0)

    async def run(self, **coroutines: Coroutine[Any, Any, None]) -> None:
        async with asyncio.timeout(10):
            await _until(self.stop, coroutines)


async def test_parts_end_when_told_to_stop() -> None:
    parts = Parts()
    asyncio.get_running_loop().call_later(0.01, parts.stop.set)
    await parts.run(one=parts.forever(), other=parts.forever())
    assert parts.ended == ["forever", "forever"]


async def test_the_error_of_one_part_ends_all_and_is_raised_as_it_is() -> None:
    parts = Parts()
    with pytest.raises(ValueError, match=r"^no$"):
        await parts.run(one=parts.forever(), other=parts.fails())
    assert parts.ended == ["forever"]


async def test_a_part_that_ends_by_itself_is_an_error_that_names_it() -> None:
    parts = Parts()
    with pytest.raises(RuntimeError, match=r"^task other ended by itself$"):
        await parts.run(one=parts.forever(), other=parts.returns())
    assert parts.ended == ["forever"]
