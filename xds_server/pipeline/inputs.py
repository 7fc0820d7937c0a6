"""The tables that are filled from outside: one per kind that is read, and what the shell knows besides.

In: objects, binds, addresses, the time, what Envoys acknowledged, what they rejected. Out: tables, with the indexes
that rules ask.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any

from xds_server.flow.graph import Graph
from xds_server.flow.table import Index, Input
from xds_server.infra.desired import Provision
from xds_server.model.core import EndpointSlice, Pod, ReferenceGrant, Secret
from xds_server.model.document import Object
from xds_server.model.kinds import KINDS
from xds_server.model.meta import Key
from xds_server.pipeline.holds import Hold, HoldId
from xds_server.routing.listener import Bind
from xds_server.semantics import clock
from xds_server.semantics.addresses import Placement
from xds_server.semantics.certificates import KeptSecret, keep
from xds_server.semantics.features import Crd
from xds_server.semantics.statuses import Served, Trouble

SERVICE_NAME_LABEL = "kubernetes.io/service-name"


@dataclass(frozen=True, slots=True)
class Inputs:
    """All inputs. `kinds` has one table per row of KINDS, by kind."""

    kinds: dict[str, Input[Key, Any]]
    binds: Input[Key, Bind]
    placements: Input[Key, Placement]
    provisions: Input[Key, Provision]
    rollouts: Input[Key, Trouble]
    """What Deployments of Gateways say of pods that are not made."""
    served: Input[Key, Served]
    clock: Input[int, int]
    holds: Input[HoldId, Hold]
    reported: Input[HoldId, Hold]
    """What Envoys of other replicas rejected; for statuses alone."""
    crds: Input[str, Crd]
    """By kind; empty where nobody tells."""
    slices_by_service: Index[Key, Key, EndpointSlice]
    grants_by_namespace: Index[str, Key, ReferenceGrant]

    def put(self, kind: str, key: Key, value: Object) -> None:
        """Adds or replaces an object."""
        row: Any = value
        if isinstance(value, Secret):
            row = KeptSecret(value, None)
        elif isinstance(value, Pod):
            row = value.kept()
        self.kinds[kind].put(key, row)

    def tell_time(self, minute: int) -> None:
        """What time it is, in minutes since 1970."""
        for unit, number in clock.rows(minute).items():
            self.clock.put(unit, number)

    def remove(self, kind: str, key: Key) -> None:
        """Removes an object, if it is there."""
        self.kinds[kind].remove(key)


def build(graph: Graph, *, checks: bool = True) -> Inputs:
    """Creates the inputs in the graph."""
    keep_good = partial(keep, checks=checks)
    kinds: dict[str, Input[Key, Any]] = {
        row.kind: graph.input(row.plural, carry=keep_good if row.kind == "Secret" else None) for row in KINDS
    }
    return Inputs(
        kinds=kinds,
        binds=graph.input("binds"),
        placements=graph.input("placements"),
        provisions=graph.input("provisions"),
        rollouts=graph.input("rollouts"),
        served=graph.input("served"),
        clock=graph.input("clock"),
        holds=graph.input("holds"),
        reported=graph.input("reported"),
        crds=graph.input("crds"),
        slices_by_service=kinds["EndpointSlice"].by("service", _service_of),
        grants_by_namespace=kinds["ReferenceGrant"].by("namespace", lambda key, _: (key.namespace,)),
    )


def _service_of(key: Key, slice_: EndpointSlice) -> Iterable[Key]:
    name = slice_.metadata.labels.get(SERVICE_NAME_LABEL)
    return (Key(key.namespace, name),) if name else ()
