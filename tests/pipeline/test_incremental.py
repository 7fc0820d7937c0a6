"""Whatever came and went in whatever order and batches: the outcome is that of what is there, built from scratch.

Compared are all published resources by version, what they refer to, and every status.
"""

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.pipeline.documents import BASE, DOCUMENTS, Document, put, remove
from tests.pipeline.gateway_documents import GATEWAY_DOCUMENTS
from xds_server.infra.local_addresses import place
from xds_server.model.gateway import GatewayAddress
from xds_server.model.meta import Key
from xds_server.pipeline import program
from xds_server.pipeline.holds import Hold, HoldId
from xds_server.pipeline.options import Options
from xds_server.pipeline.program import Pipeline
from xds_server.pipeline.publisher import Change
from xds_server.routing.listener import Bind
from xds_server.semantics.certificates import KeptSecret
from xds_server.wire.part import leaves
from xds_server.xds.resource import Resource

QUICK = settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
BUILD = "1.40.0"
EXPIRY = 78_857_280
"""The minute in which the certificates of tests expire, 2119-12-08."""


class Run:
    """A pipeline, and what it has published so far."""

    def __init__(self) -> None:
        self.pipeline: Pipeline = program.build(Options(any_class=True, strict=True, repeated_matches_limit=4))
        self.published: dict[Change, Resource] = {}

    def settle(self) -> None:
        for change, resource in self.pipeline.publisher.changes(self.pipeline.settle()).items():
            if resource is not None:
                self.published[change] = resource
            else:
                del self.published[change]

    def outcome(self) -> tuple[Any, ...]:
        statuses = self.pipeline.statuses
        resources = {change: (one.version, one.references) for change, one in self.published.items()}
        return (
            resources,
            *(
                dict(table.items())
                for table in (
                    statuses.classes,
                    statuses.gateways,
                    statuses.listener_sets,
                    statuses.routes,
                    statuses.policies,
                )
            ),
        )

    def hold(self, number: int) -> None:
        """Holds one of the leaves there are: rejected, suspected with a stand-in, or left out."""
        found = [
            (HoldId(output.gateway(key), BUILD, output.type, leaf.id), leaf)
            for output in self.pipeline.outputs
            for key, row in output.table.items()
            for leaf in leaves(row.base)
        ]
        if not found:
            return
        id_, leaf = found[number % len(found)]
        kinds = (
            Hold(rejected=frozenset((leaf.hash,)), detail="no", owners=leaf.owners),
            Hold(suspected=leaf.hash),
            Hold(suspected=leaf.hash, stand_in=found[-1][1]),
        )
        self.pipeline.inputs.holds.put(id_, kinds[number % 3])

    def anew(self) -> "Run":
        """The same inputs, put into a new pipeline at once."""
        run = Run()
        inputs = self.pipeline.inputs
        for kind, table in inputs.kinds.items():
            for key, row in table.items():
                if isinstance(row, KeptSecret):
                    for state in (row.good, row.current):
                        if state is not None:
                            run.pipeline.inputs.put(kind, key, state)
                else:
                    run.pipeline.inputs.put(kind, key, row)
        for id_, hold in inputs.holds.items():
            run.pipeline.inputs.holds.put(id_, hold)
        for key, bind in inputs.binds.items():
            run.pipeline.inputs.binds.put(key, bind)
        for key, placement in inputs.placements.items():
            run.pipeline.inputs.placements.put(key, placement)
        for unit, number in inputs.clock.items():
            run.pipeline.inputs.clock.put(unit, number)
        run.settle()
        return run


steps = st.one_of(
    DOCUMENTS,
    DOCUMENTS,
    DOCUMENTS,
    DOCUMENTS,
    GATEWAY_DOCUMENTS,
    GATEWAY_DOCUMENTS,
    st.just("settle"),
    st.sampled_from([("time", EXPIRY + minutes) for minutes in (-3_000_000, -1, 0, 1, 2, 1_440, 50_000)]),
    st.sampled_from([(GatewayAddress(value="127.0.0.1"),), ()]).map(lambda asked: ("place", asked)),
    st.integers(0, 30).map(lambda number: ("remove", number)),
    st.integers(0, 1000).map(lambda number: ("hold", number)),
    st.integers(0, 1).map(lambda number: ("release", number)),
    st.sampled_from([Bind(), Bind("127.0.0.1", ((80, 8080),)), Bind(ports=((80, 81), (81, 80)))]),
)


@QUICK
@given(st.lists(steps, min_size=4, max_size=30))
def test_incremental_is_from_scratch(found: list[Any]) -> None:
    run = Run()
    put(run.pipeline, *BASE)
    run.settle()
    known = {_identity(one): None for one in BASE}
    for step in found:
        match step:
            case "settle":
                run.settle()
            case ("remove", number) if known:
                kind, name, namespace = list(known)[number % len(known)]
                remove(run.pipeline, kind, name, namespace)
            case ("hold", number):
                run.hold(number)
            case ("release", number):
                for id_ in list(run.pipeline.inputs.holds.keys())[number:]:
                    run.pipeline.inputs.holds.remove(id_)
            case ("time", minute):
                run.pipeline.inputs.tell_time(minute)
            case ("place", asked):
                run.pipeline.inputs.placements.put(Key("default", "g1"), place(asked, "127.0.0.1"))
            case Bind():
                run.pipeline.inputs.binds.put(Key("default", "g1"), step)
            case dict():
                put(run.pipeline, step)
                known[_identity(step)] = None
    run.settle()
    assert run.outcome() == run.anew().outcome()


def _identity(document: Document) -> tuple[str, str, str]:
    metadata = document["metadata"]
    cluster_scoped = document["kind"] in ("Namespace", "GatewayClass")
    return document["kind"], metadata["name"], "" if cluster_scoped else metadata["namespace"]


@QUICK
@given(st.lists(DOCUMENTS, max_size=8), st.randoms(use_true_random=False))
def test_order_of_arrival_does_not_matter(documents: list[Document], random: Any) -> None:
    one, other = Run(), Run()
    documents = list({_identity(document): document for document in (*BASE, *documents)}.values())
    put(one.pipeline, *documents)
    one.settle()
    shuffled = list(documents)
    random.shuffle(shuffled)
    for document in shuffled:
        put(other.pipeline, document)
        other.settle()
    assert one.outcome() == other.outcome()
