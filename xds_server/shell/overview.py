"""What the debug endpoint shows of clients, tables, statuses and faults, as JSON values.

In: records, and rows copied from tables. Out: lists and dicts. All but `tables`, `status_rows`, `rows_of` and
`message_of`, which look at the graph and so belong into the event loop, may be called in a thread.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from xds_server.flow.failure import Failure
from xds_server.flow.graph import Graph
from xds_server.flow.table import Input, Table
from xds_server.model.document import Fault, Ignored
from xds_server.model.meta import Key, ObjectRef
from xds_server.pipeline.holds import Hold, HoldId
from xds_server.pipeline.program import Pipeline
from xds_server.routing.backend import Backend, EndpointsId
from xds_server.routing.secret import SecretId
from xds_server.semantics.checks.catalog import of_kind, of_message
from xds_server.shell.readable import key_text, plain_text, readable
from xds_server.shell.serve.clients import ClientRecord, TypeRecord
from xds_server.shell.trace import failure_json
from xds_server.shell.verdicts import causes, of_status
from xds_server.wire.part import leaves
from xds_server.wire.registry import PREFIX
from xds_server.xds.catalog import View
from xds_server.xds.node import GATEWAY
from xds_server.xds.resource import Resource, ResourceType

SYNCED: Final = "synced"
_SHOWN_FAILURES: Final = 20
_VIRTUAL_HOST: Final = f"{PREFIX}envoy.config.route.v3.VirtualHost"
_MESSAGES: Final = {
    "placed": _VIRTUAL_HOST,
    "users": _VIRTUAL_HOST,
    "entries": _VIRTUAL_HOST,
    "segments": _VIRTUAL_HOST,
    "virtual_hosts.headers": _VIRTUAL_HOST,
    "virtual_hosts": ResourceType.ROUTE.url,
    "chains.http": ResourceType.LISTENER.url,
    "chains.https": ResourceType.LISTENER.url,
    "chains.closed": ResourceType.LISTENER.url,
    "streams.connections": ResourceType.LISTENER.url,
    "streams.datagrams": ResourceType.ENDPOINT.url,
    "clusters": ResourceType.CLUSTER.url,
    "assignments": ResourceType.ENDPOINT.url,
    "secrets.parts": ResourceType.SECRET.url,
}
"""By table: of which message the parts in its rows are pieces."""


def clients(seen: Iterable[tuple[ClientRecord, View]], serial: int) -> dict[str, Any]:
    """Every stream, with what it sees now; `serial` is the catalog's. A client that has that one is in sync, and so is
    one for which nothing has changed since.
    """
    return {"catalog_serial": serial, "clients": [_client(record, view) for record, view in seen]}


def _client(record: ClientRecord, view: View) -> dict[str, Any]:
    node = record.node
    types = {type_.value: _type(one, view, type_, record.synced) for type_, one in list(record.types.items())}
    return {
        "node": node.id,
        "gateway" if node.kind == GATEWAY else "workload": f"{node.namespace}/{node.name}",
        **({"serves": [str(one) for one in node.serves], "draining": node.draining} if node.kind == GATEWAY else {}),
        "build": node.build,
        "peer": record.peer,
        "protocol": record.protocol,
        "stream": record.stream,
        "connected_at": record.connected_at.isoformat(),
        "synced_serial": record.synced,
        "in_sync": record.synced is not None and all(one["state"] == SYNCED for one in types.values()),
        "types": types,
    }


def _state(record: TypeRecord, view: View, type_: ResourceType, synced: int | None) -> str:
    """SYNCED, or what keeps it from that: an answer that is waited for, one that was no, something that is not sent."""
    if record.version_sent != record.version_accepted:
        return "rejected" if record.rejections else "sent"
    changed = view.changed(type_, synced) if synced is not None else None
    if changed is None:  # further back than anyone remembers
        return SYNCED if record.version_accepted == view.version(type_) else "stale"
    return "stale" if changed else SYNCED


def _type(record: TypeRecord, view: View, type_: ResourceType, synced: int | None) -> dict[str, Any]:
    rejected = None
    if record.last_rejected_at is not None:
        rejected = {
            "at": record.last_rejected_at.isoformat(),
            "resources": list(record.last_rejected),
            "detail": plain_text(record.last_rejection),
        }
    return {
        "subscribed": "*" if record.wildcard else f"{record.names_asked} names asked",
        "state": _state(record, view, type_, synced),
        "version_sent": record.version_sent,
        "version_acked": record.version_accepted,
        "responses": record.responses,
        "resources_sent": record.resources_sent,
        "bytes_sent": record.bytes_sent,
        "nacks": record.rejections,
        "last_nack": rejected,
    }


def makers(pipeline: Pipeline, view: View) -> dict[tuple[ResourceType, str], str]:
    """The object that a resource is of as a whole, where its parts name none: of clusters, endpoints, secrets."""
    row_of = pipeline.publisher.row_of
    rows = {
        (type_, name): row_of((resource.audience, type_, name))
        for type_ in ResourceType
        for name, resource in view.resources(type_).items()
    }
    return {id_: object_ for id_, row in rows.items() if row is not None and (object_ := _object(row[1]))}


def _object(key: Any) -> str:
    match key:
        case (_, Backend() as backend):
            return str(backend.object)
        case (_, EndpointsId(kind=kind, service=service)):
            return str(ObjectRef(kind, *service))
        case (_, SecretId(kind=kind, key=secret)):
            return str(ObjectRef(kind, *secret))
    return ""


def owners(view: View, whole: Mapping[tuple[ResourceType, str], str]) -> dict[str, Any]:
    """By type and name of every resource: its version, and the objects that answer for it. `whole` is of `makers`."""
    return {
        type_.value: {
            name: {"version": resource.version, "owners": _owners(resource, whole.get((type_, name), ""))}
            for name, resource in sorted(view.resources(type_).items())
            if resource.body
        }
        for type_ in ResourceType
    }


def _owners(resource: Resource, whole: str) -> list[str]:
    found = sorted({str(owner) for leaf in leaves(resource.part) for owner in leaf.owners})
    return found or ([whole] if whole else [])


def rows_of(table: Table[Any, Any]) -> dict[Any, Any]:
    """A copy of a table's rows, unordered: to order some thousand keys takes too long for the event loop."""
    return dict(table.store.rows)


def tables(graph: Graph) -> dict[str, Any]:
    """Every table, in the order in which they follow from each other."""
    return {"tables": [_table(table) for table in graph.tables.values()]}


def _table(table: Table[Any, Any]) -> dict[str, Any]:
    failures = table.failures
    shown = {
        "table": table.name,
        "input": isinstance(table, Input),
        "rows": len(table),
        "calls": table.calls,
        "failures": len(failures),
    }
    if failures:
        first = list(failures.items())[:_SHOWN_FAILURES]
        shown["failing"] = {key_text(key): plain_text(failure.error) for key, failure in first}
    return shown


def keys(table: str, rows: Iterable[Any], failures: Mapping[Any, Failure]) -> dict[str, Any]:
    """The keys of one table, and of its failures."""
    return {
        "table": table,
        "keys": sorted(map(key_text, rows)),
        "failing": {key_text(key): failure_json(failure) for key, failure in failures.items()},
    }


def row(
    table: str, key: Any, rows: Mapping[Any, Any], failures: Mapping[Any, Failure], message: str | None
) -> dict[str, Any]:
    """One row; `present` is false for a source key that failed and has none."""
    shown: dict[str, Any] = {"table": table, "key": key_text(key), "present": key in rows}
    if key in rows:
        shown["row"] = readable(rows[key], message)
    if key in failures:
        shown["failure"] = failure_json(failures[key])
    return shown


def message_of(pipeline: Pipeline, table: str) -> str | None:
    """The type URL of the message that parts in rows of this table are pieces of; None where there are none."""
    for output in pipeline.outputs:
        if output.table.name == table:
            return output.type.url
    return _MESSAGES.get(table)


def status_rows(pipeline: Pipeline) -> dict[str, dict[Key, Any]]:
    """A copy of the rows of statuses by kind; a kind without any status is left out."""
    statuses = pipeline.statuses
    tables: dict[str, Table[Key, Any]] = {
        "GatewayClass": statuses.classes,
        "Gateway": statuses.gateways,
        "ListenerSet": statuses.listener_sets,
    }
    found: dict[str, dict[Key, Any]] = {kind: rows_of(table) for kind, table in tables.items() if table.store.rows}
    for table in (statuses.routes, statuses.policies):
        for (kind, key), status in rows_of(table).items():
            found.setdefault(kind, {})[key] = status
    return found


def statuses(rows: Mapping[str, Mapping[Key, Any]], name: str | None) -> dict[str, Any]:
    """Statuses by kind and object; with `name`, only of objects called so."""
    return {
        kind: {str(key): readable(status) for key, status in sorted(of_kind.items()) if name in (None, str(key))}
        for kind, of_kind in rows.items()
    }


def wrong(
    faults: Sequence[Fault],
    ignored: Sequence[Ignored],
    rows: Mapping[str, Mapping[Key, Any]],
    holds: Mapping[HoldId, Hold],
    failures: Mapping[str, Mapping[Any, Failure]],
) -> dict[str, Any]:
    """Everything that is wrong: with documents, by statuses (`rows`), in the eyes of Envoys, in the program's
    functions.
    """
    return {
        "faults": [{"text": plain_text(str(fault)), **readable(fault)} for fault in faults],
        "ignored": [str(one) for one in ignored],
        "verdicts": [
            told for kind, of_kind in rows.items() for key in sorted(of_kind) for told in _bad(kind, key, of_kind[key])
        ],
        "rejected": [_held(id_, hold) for id_, hold in sorted(holds.items(), key=_by_text) if hold.rejected],
        "failures": [
            {"table": table, "key": key_text(key), **failure_json(failure)}
            for table, of_table in failures.items()
            for key, failure in of_table.items()
        ],
    }


def _bad(kind: str, key: Key, status: Any) -> Iterator[dict[str, Any]]:
    """What a status says is wrong, each problem of a message on its own, with the code that docs/checks explains."""
    for same in causes(of_status(key.namespace, status)):
        part, condition, reason, message = same[0]
        for one in of_message(of_kind(kind, part), condition, reason, message):
            yield {
                "code": one.check.code,
                "object": str(ObjectRef(kind, *key)),
                "part": part,
                "field": one.field,
                "conditions": list(dict.fromkeys(problem[1] for problem in same)),
                "reason": one.reason,
                "message": plain_text(one.text),
            }


def _by_text(item: tuple[HoldId, Hold]) -> str:
    return key_text(item[0])


def _held(id_: HoldId, hold: Hold) -> dict[str, Any]:
    return {
        "gateway": str(id_.gateway),
        "build": id_.build,
        "type": id_.type.value,
        "part": id_.leaf,
        "owners": [str(owner) for owner in hold.owners],
        "detail": plain_text(hold.detail),
    }
