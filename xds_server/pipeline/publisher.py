"""From rows to changes of the catalog: what each settle publishes and takes back."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from xds_server.flow.graph import Settled
from xds_server.flow.table import Table
from xds_server.model.meta import Key
from xds_server.pipeline.holds import Variants
from xds_server.routing.audience import Audience, ForGateway
from xds_server.wire.part import Part
from xds_server.xds.resource import Resource, ResourceType

Change = tuple[Audience, ResourceType, str]
_MOST_MARKS = 64
"""How many rejected leaves the version of a resource tells of."""


@dataclass(frozen=True, slots=True)
class Output:
    """A table whose rows are resources of one type, and whose Gateway and references each row has."""

    type: ResourceType
    table: Table[Any, Variants]
    gateway: Callable[[Any], Key]
    references: Callable[[Any, Part], tuple[tuple[ResourceType, str], ...]]


class Publisher:
    """Turns settled changes into changes of the catalog; remembers which names each row has published."""

    def __init__(self, outputs: Sequence[Output]) -> None:
        self._outputs = outputs
        self._published: dict[tuple[ResourceType, Any], frozenset[tuple[Audience, str]]] = {}
        self._rows: dict[Change, tuple[str, Any]] = {}

    def changes(self, settled: Settled) -> Mapping[Change, Resource | None]:
        """What to publish after a settle; None removes."""
        changes: dict[Change, Resource | None] = {}
        for output in self._outputs:
            for key in settled.keys(output.table):
                self._row(output, key, changes)
        return changes

    def everything(self) -> Mapping[Change, Resource | None]:
        """What to publish where an earlier set of changes got lost: all there is, and what is gone."""
        changes: dict[Change, Resource | None] = {}
        for output in self._outputs:
            gone = {key for type_, key in self._published if type_ is output.type}
            for key in gone.union(output.table.keys()):
                self._row(output, key, changes)
        for change in self._rows.keys() - changes.keys():
            changes[change] = None
        return changes

    def row_of(self, change: Change) -> tuple[str, Any] | None:
        """The table and key that a published resource was made from."""
        return self._rows.get(change)

    def _row(self, output: Output, key: Any, changes: dict[Change, Resource | None]) -> None:
        row = output.table.get(key)
        resources = _resources(output, key, row) if row is not None else {}
        now = frozenset((audience, name) for audience, _, name in resources)
        for audience, name in self._published.get((output.type, key), frozenset()) - now:
            gone = (audience, output.type, name)
            if self._rows.get(gone) == (output.table.name, key):
                del self._rows[gone]
                changes.setdefault(gone, None)
        for change, resource in resources.items():
            changes[change] = resource
            self._rows[change] = (output.table.name, key)
        if now:
            self._published[output.type, key] = now
        else:
            self._published.pop((output.type, key), None)


def _resources(output: Output, key: Any, row: Variants) -> dict[Change, Resource]:
    gateway = output.gateway(key)
    everyone = ForGateway(gateway.namespace, gateway.name)
    name = row.base.id
    found: dict[Change, Resource] = {
        (everyone, output.type, name): Resource(output.type, name, everyone, row.base, output.references(key, row.base))
    }
    for build_, part, without, _ in row.builds:
        audience = everyone._replace(build=build_)
        hidden = Part(name, b"")
        marks = tuple(sorted(without))[:_MOST_MARKS]
        references = output.references(key, part) if part else ()
        found[audience, output.type, name] = Resource(output.type, name, audience, part or hidden, references, marks)
    return found
