"""Session: one ADS stream. It moves messages between gRPC and the protocol, and decides nothing.

Two tasks: the handler writes, and a child reads; so only one write is ever outstanding, and a client that does not
read can still be heard. The reader hands each request to the protocol and wakes the writer; the writer sends what the
protocol computes from the newest view and sleeps until it is woken or the protocol's deadline. A session ends by
returning or by aborting: cancelling a handler would leave the client waiting for ever. When the client vanishes gRPC
cancels the handler, which passes that on.
"""

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from time import time
from typing import Any, Protocol

import grpc
import structlog

from xds_server.envoy.draining import marked
from xds_server.model.meta import Key
from xds_server.routing.audience import Audience
from xds_server.shell.serve.admission import Admission, Denied, Metadata, OpenAdmission
from xds_server.shell.serve.clients import ClientRecord, Clients
from xds_server.shell.serve.observer import Observer
from xds_server.shell.serve.options import ServeOptions
from xds_server.shell.serve.refusals import RefusalLog
from xds_server.xds.catalog import Catalog
from xds_server.xds.delta import DeltaStream
from xds_server.xds.encoding import lacks_ipv6
from xds_server.xds.errors import RemoteProtocolError
from xds_server.xds.events import Event, Rejected
from xds_server.xds.node import Node, audiences, node_of, require_same
from xds_server.xds.sotw import SotwStream
from xds_server.xds.stream import Response

log = structlog.get_logger()

_SHOWN_NAMES = 5


class Call(Protocol):
    """What a session needs of grpc.aio's ServicerContext."""

    def peer(self) -> str:
        """The client's address, e.g. "ipv4:127.0.0.1:51234"."""

    def invocation_metadata(self) -> Metadata | None:
        """The headers of the call."""

    async def write(self, message: bytes, /) -> None:
        """Hand over one message; returns when gRPC has room for the next."""

    async def abort(self, code: grpc.StatusCode, details: str, /) -> None:
        """End the stream with a status; always raises."""


@dataclass(frozen=True, slots=True)
class World:
    """What all sessions share."""

    catalog: Catalog
    observer: Observer
    clients: Clients
    options: ServeOptions
    ready: asyncio.Event
    """Until it is set, clients are heard and not answered."""
    clock: Callable[[], float]
    """Monotonic seconds."""
    admission: Admission = field(default_factory=OpenAdmission)
    refusals: RefusalLog = field(default_factory=RefusalLog)


class Session:
    """One stream, from the call of its handler to its end. `number` is unique in the process."""

    def __init__(self, number: int, stream: DeltaStream | SotwStream, call: Call, world: World) -> None:
        self.number = number
        self._stream = stream
        self._call = call
        self._world = world
        self._opened_at = world.clock()
        self._node: Node | None = None
        self._audiences: tuple[Audience, ...] = ()
        self._wake = asyncio.Event()
        self._over = False
        self._until: float | None = None
        """When what the client has shown is over."""
        self._fault: tuple[grpc.StatusCode, str] | None = None
        self._denied: Node | None = None
        """Who it says to be that admission refused."""
        self._seen = -1
        """The catalog's serial that was last looked at for the client."""
        self._synced: int | None = None
        self._asleep = False
        self._next: Response | None = None
        """What the protocol has computed and counts as sent, and the writer has not yet written."""
        self._alarm: asyncio.TimerHandle | None = None
        self._alarm_at = float("inf")

    async def run(self, requests: AsyncIterator[Any]) -> None:
        """Serve the stream until the client leaves, breaks the protocol or stalls, or `end` is called."""
        reader = asyncio.create_task(self._read(requests), name=f"ads-{self.number}-reader")
        try:
            while not self._over:
                self._wake.clear()
                await self._flush()
                if not self._over:
                    await self._sleep()
        finally:
            reader.cancel()
            # Before anything is awaited: gRPC may cancel the handler a second time.
            self._close()
            await asyncio.wait([reader])
        if not reader.cancelled() and (error := reader.exception()) is not None:
            raise error
        if self._fault is not None:
            await self._call.abort(*self._fault)

    def wake(self) -> None:
        """Look at everything anew: the catalog, readiness."""
        self._wake.set()

    def end(self, code: grpc.StatusCode, reason: str) -> None:
        """Close the stream soon, with this status."""
        self._fault = self._fault or (code, reason)
        self._over = True
        self._wake.set()

    def catalog_changed(self, changed: frozenset[Audience]) -> None:
        """The catalog changed for these audiences. A client in sync that sees none of them stays in sync."""
        if not changed.isdisjoint(self._audiences):
            self._wake.set()
        elif self._synced == self._seen != self._world.catalog.serial and not self._wake.is_set():
            self._seen = self._world.catalog.serial
            self._report_synced(self._seen)

    @property
    def node(self) -> Node | None:
        """Who the client is, once it is admitted."""
        return self._node

    def regroup(self, gateways: tuple[Key, ...], *, draining: bool) -> None:
        """The client serves these Gateways from now on, and drains or not: it is sent what that changes."""
        assert self._node is not None
        before, node = self._node, replace(self._node, gateways=gateways, draining=draining)
        if (before.serves, before.draining) == (node.serves, node.draining):
            return
        self._node, self._audiences = node, audiences(node)
        self._stream.regroup()
        if draining != before.draining:
            self._stream.drain(marked if draining else None, self._world.clock())
        self._seen, self._synced = -1, None
        self._world.clients.regrouped(self.number, node)
        self._world.observer.regrouped(self.number, before, node)
        log.info("envoy serves", **_fields(node), gateways=[str(one) for one in gateways], draining=draining)
        self._wake.set()

    # Reading

    async def _read(self, requests: AsyncIterator[Any]) -> None:
        claimed: Node | None = None
        try:
            async for request in requests:
                if self._node is None:
                    claimed = node_of(request.node)
                    await self._admit(claimed)
                if self._over:
                    return
                self._receive(request)
                # Most requests are answers that ask for nothing: the writer need not wake to find that out.
                if not self._asleep or self._look():
                    self._wake.set()
        except RemoteProtocolError as error:
            self._fault = self._fault or (grpc.StatusCode.INVALID_ARGUMENT, str(error))
        except Denied as denied:
            self._fault = self._fault or (denied.code, denied.reason)
            self._denied = claimed
        finally:
            self._over = True
            self._wake.set()

    def _receive(self, request: Any) -> None:
        assert self._node is not None
        if request.HasField("node"):
            require_same(self._node, request.node)
        for event in self._stream.receive(request, self._world.clock()):
            self._report(event)

    # Writing

    async def _flush(self) -> None:
        """Send what there is to send, from the newest view, until nothing is left."""
        while not self._over and self._node is not None and self._look():
            response, self._next = self._next, None
            assert response is not None
            # Said first: its answer may arrive before the write returns.
            self._world.clients.sent(self.number, response)
            self._world.observer.sent(self.number, self._node, response)
            if not await self._write(response.data) or not self._stream.restless():
                return

    def _look(self) -> bool:
        """Whether there is something to send, which is then `_next`; if not, note what that means."""
        if self._next is not None:
            return True
        if self._node is None or not self._world.ready.is_set():
            return False
        view = self._world.catalog.view(self._audiences)
        self._seen = view.serial
        self._next = next(self._stream.responses(view, self._world.clock()), None)
        if self._next is not None:
            return True
        for event in self._stream.confirmed():
            self._report(event)
        if (synced := self._stream.synced_serial()) is not None and synced != self._synced:
            self._report_synced(synced)
        self._arm()
        return False

    async def _write(self, data: bytes) -> bool:
        seconds = self._world.options.write_seconds
        try:
            async with asyncio.timeout(seconds):
                await self._call.write(data)
        except TimeoutError:
            self.end(grpc.StatusCode.DEADLINE_EXCEEDED, f"nothing was read for {seconds:g} s")
            return False
        return True

    async def _sleep(self) -> None:
        """Until woken, or until the protocol, or the wait for a first request, has a deadline."""
        if self._node is None and self._world.clock() >= self._opened_at + self._world.options.first_request_seconds:
            self.end(grpc.StatusCode.DEADLINE_EXCEEDED, "no request came")
        if self._until is not None and self._world.clock() >= self._until:
            self.end(grpc.StatusCode.UNAUTHENTICATED, "what proved who you are is over: connect again with what is new")
        self._arm()
        self._asleep = True
        try:
            await self._wake.wait()
        finally:
            self._asleep = False

    def _arm(self) -> None:
        """Wake the writer at the deadline. An alarm that turns out to be early is left alone: a new one costs more."""
        until = self._stream.deadline()
        if self._node is None:
            until = self._opened_at + self._world.options.first_request_seconds
        elif self._until is not None:
            until = min(self._until, until or self._until)
        if until is None or until >= self._alarm_at:
            return
        if self._alarm is not None:
            self._alarm.cancel()
        loop = asyncio.get_running_loop()
        self._alarm = loop.call_later(max(0.0, until - self._world.clock()), self._ring)
        self._alarm_at = until

    def _ring(self) -> None:
        self._alarm_at = float("inf")
        self._wake.set()

    # Reporting

    async def _admit(self, node: Node) -> None:
        admitted = await self._world.admission.admit(node, self._call.invocation_metadata() or ())
        if self._over:
            return
        if admitted.until is not None:
            self._until = self._world.clock() + admitted.until - time()
        if admitted.draining:
            self._stream.drain(marked, self._world.clock())
        self._open(replace(node, gateways=admitted.gateways, draining=admitted.draining))

    def _open(self, node: Node) -> None:
        self._node = node
        self._audiences = audiences(node)
        record = ClientRecord(
            stream=self.number,
            node=node,
            peer=self._call.peer(),
            protocol="delta" if isinstance(self._stream, DeltaStream) else "sotw",
            connected_at=datetime.now(UTC),
        )
        self._world.clients.opened(record)
        self._world.observer.opened(self.number, node)
        log.info("envoy connected", **_fields(node), peer=record.peer, protocol=record.protocol, build=node.build)

    def _report(self, event: Event) -> None:
        assert self._node is not None
        if isinstance(event, Rejected):
            names = tuple(event.resources)
            # What else is wrong with them it says again of those that it gets instead.
            say, what = (log.info, "envoy has no IPv6") if lacks_ipv6(event.detail) else (log.warning, "envoy rejected")
            say(
                what,
                **_fields(self._node),
                type=event.type.value,
                names=names[:_SHOWN_NAMES],
                count=len(names),
                detail=event.detail,
            )
        self._world.clients.event(self.number, event, datetime.now(UTC))
        self._world.observer.event(self.number, self._node, event)

    def _report_synced(self, serial: int) -> None:
        assert self._node is not None
        self._synced = serial
        self._world.clients.synced(self.number, serial)
        self._world.observer.synced(self.number, self._node, serial)

    def _close(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
        if self._node is None:
            self._tell_refused()
            return
        error = sys.exception()
        failed = error is not None and not isinstance(error, asyncio.CancelledError)
        reason = f"failed: {error!r}" if failed else self._fault[1] if self._fault else "closed by the client"
        log.info("envoy disconnected", **_fields(self._node), reason=reason)
        self._world.clients.closed(self.number)
        self._world.observer.closed(self.number, self._node)

    def _tell_refused(self) -> None:
        if self._fault is None:
            return
        code, reason = self._fault
        if (node := self._denied) is None:
            self._world.refusals.tell("client refused", self._call.peer(), reason=reason)
            return
        about = {"node": node.id, "cluster": node.cluster, "code": code.name}
        self._world.refusals.tell("envoy refused", self._call.peer(), **about, reason=reason)


def _fields(node: Node) -> dict[str, str]:
    return {"node": node.id, node.kind: f"{node.namespace}/{node.name}"}
