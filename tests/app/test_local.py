"""The parts of the local mode that need no Envoy."""

from collections.abc import AsyncIterator
from typing import Any

from structlog.testing import capture_logs

from tests.pipeline import documents as doc
from xds_server.app.local import Source
from xds_server.control import Changes
from xds_server.model.batch import Batch
from xds_server.model.document import Fault, Ignored, Object
from xds_server.model.meta import Key
from xds_server.model.parse import parse


def objects(*documents: doc.Document) -> list[Object]:
    found = [parse(document) for document in documents]
    assert not [value for value in found if isinstance(value, Fault | Ignored)]
    return [value for value in found if not isinstance(value, Fault | Ignored)]


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
