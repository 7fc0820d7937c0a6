from datetime import UTC, datetime

from tests.xds.fills import fill
from xds_server.shell.serve.clients import ClientRecord, Clients, TypeRecord
from xds_server.xds.events import Acknowledged, Rejected, Subscribed
from xds_server.xds.node import Node
from xds_server.xds.resource import ResourceType
from xds_server.xds.stream import Response

ROUTE = ResourceType.ROUTE
NOW = datetime(2026, 1, 2, tzinfo=UTC)
NODE = Node("gateway~a.b", "b/edge", "gateway", "a.b", "b", "edge")
ONE = fill(ROUTE, "r", "1")


def record(stream: int) -> ClientRecord:
    return ClientRecord(stream, NODE, "ipv4:127.0.0.1:1", "delta", NOW)


def test_what_a_client_was_sent_and_said() -> None:
    clients = Clients()
    clients.opened(record(1))
    clients.event(1, Subscribed(ROUTE, ("r", "s")), NOW)
    clients.sent(1, Response(ROUTE, "1", "v1", {"r": ONE}, (), b"12345"))
    clients.event(1, Acknowledged(ROUTE, {"r": ONE}, (), 1, "v1"), NOW)
    clients.sent(1, Response(ROUTE, "2", "v2", {"r": ONE}, ("s",), b"123"))
    clients.event(1, Rejected(ROUTE, {"r": ONE}, "no", "v2"), NOW)
    clients.synced(1, 7)
    [found] = clients
    assert found.synced == 7
    assert found.types == {
        ROUTE: TypeRecord(
            names_asked=2,
            version_sent="v2",
            version_accepted="v1",
            responses=2,
            resources_sent=2,
            bytes_sent=8,
            rejections=1,
            last_rejection="no",
            last_rejected=("r",),
            last_rejected_at=NOW,
        )
    }


def test_all_of_a_type() -> None:
    clients = Clients()
    clients.opened(record(1))
    clients.event(1, Subscribed(ROUTE, ("*", "r")), NOW)
    [found] = clients
    assert (found.of(ROUTE).wildcard, found.of(ROUTE).names_asked) == (True, 1)


def test_the_newest_stream_of_a_node() -> None:
    clients = Clients()
    clients.opened(record(1))
    clients.opened(record(2))
    newest = clients.of_node(NODE.id)
    assert newest is not None
    assert newest.stream == 2
    clients.closed(2)
    clients.closed(1)
    clients.closed(1)
    assert (len(clients), clients.of_node(NODE.id)) == (0, None)
