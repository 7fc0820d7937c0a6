"""The writer of statuses: what the tables say of each object, brought into the API server wherever it differs.

In: what settles change, and objects as the API server has them. Out: writes of the status subresource, each for the
resourceVersion it was merged into. Runs while this replica leads; a new leader compares everything once. What is
written is what the tables say then, when the loop is at rest: a state on the way to another is never seen.
"""

import asyncio
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from time import monotonic
from typing import Any, Final

import msgspec
import structlog

from xds_server.control import Control, Round
from xds_server.model.document import Fault
from xds_server.model.kinds import BY_KIND
from xds_server.model.meta import Key
from xds_server.semantics.status_merge import LAYOUTS, Json, Merged, Told, is_written_by, manager, merged, released
from xds_server.semantics.unreadable import Ours, unreadable
from xds_server.shell.kube.client import KubeClient, path
from xds_server.shell.kube.contest import Contests
from xds_server.shell.kube.decode import head
from xds_server.shell.kube.errors import (
    BusyError,
    ConflictError,
    ForbiddenError,
    KubeError,
    NotFoundError,
    RefusedError,
    UnreachableError,
)
from xds_server.shell.kube.live import Live, LiveObjects
from xds_server.shell.kube.pace import Bucket, Rests, Trouble
from xds_server.shell.kube.status_queue import Id, StatusQueue

log = structlog.get_logger()

_WRITERS: Final = 16
_RATE: Final = 500.0
_BURST: Final = 1000.0
_REST_SECONDS: Final = 0.1
"""How long an object whose status was written waits for the next write."""
_SETTLING_SECONDS: Final = 3.0
"""How long what is about to be otherwise waits with the first word of a new generation: who reads that it is of this
generation takes the rest for the answer.
"""
_FORBIDDEN_SECONDS: Final = 30.0
_CONFLICTS: Final = 5
_FIRST_BUSY_SECONDS: Final = 0.5
_MOST_BUSY_SECONDS: Final = 30.0
"""How long one whose write was answered with 429 or 5xx rests: twice as long after each further one."""
_COMPARED_AT_ONCE: Final = 20
_REQUEST_SECONDS: Final = 10.0


class StatusWriter:
    """One cluster, one controller name. `leading` is asked before every write."""

    def __init__(
        self,
        client: KubeClient,
        control: Control,
        live: LiveObjects,
        *,
        controller_name: str,
        leading: Callable[[], bool],
    ) -> None:
        self.queue = StatusQueue()
        self.wrote: Callable[[str, str, float], None] = lambda *_: None
        """Told what became of one of a kind (written, conflict, refused, failed), and how long after it changed."""
        self.notice: Callable[[Id, str, str, str], None] = lambda *_: None
        """Told what a person should know of an object: its uid, a reason in one word, a sentence."""
        self.fault: Callable[[str, Key], Fault | None] = lambda *_: None
        """What makes an object unreadable."""
        self.settles: Callable[[Id], bool] = lambda _: False
        """Asked whether what the tables say of an object is about to be otherwise, without anybody's doing."""
        self.contests: Contests[Id] = Contests()
        """Statuses that somebody else writes, too."""
        self._client = client
        self._control = control
        self._live = live
        self._controller_name = controller_name
        self._leading = leading
        self._writes = False
        self._bucket = Bucket(_RATE, _BURST)
        self._trouble = Trouble()
        self._fresh: dict[Id, Live] = {}
        """What writes were answered, where that has not yet been heard of otherwise."""
        self._in_vain: dict[Id, tuple[bytes, bytes]] = {}
        """What was wanted over which status that the API server refused, or keeps otherwise."""
        self._rests: Rests[Id] = Rests(_FIRST_BUSY_SECONDS, _MOST_BUSY_SECONDS)
        """Of those whose write was answered with 429 or 5xx."""
        self._others: dict[Id, str] = {}
        """The objects that are wholly another controller's, with their uids."""
        control.watch(self._settled)
        live.changed = self.look_at

    async def run(self) -> None:
        """Compares everything, then writes what differs, until cancelled."""
        self.queue.clear()
        for memory in (self._fresh, self._in_vain, self._rests, self.contests):
            memory.clear()
        self._writes = True
        try:
            for id_ in self._everything():
                self.queue.put(id_)
            async with asyncio.TaskGroup() as group:
                for number in range(_WRITERS):
                    group.create_task(self._work(), name=f"status-{number}")
        finally:
            self._writes = False
            self.queue.clear()

    def _everything(self) -> Iterator[Id]:
        """All that has a status of ours by the tables, or may have one in the API server."""
        statuses = self._control.pipeline.statuses
        yield from (("GatewayClass", key) for key in statuses.classes)
        yield from (("Gateway", key) for key in statuses.gateways)
        yield from (("ListenerSet", key) for key in statuses.listener_sets)
        yield from statuses.routes
        yield from statuses.policies
        name = self._controller_name.encode()
        for id_, live in self._live.items():
            if name in live.status if LAYOUTS[id_[0]].shared else b'"Accepted"' in live.status:
                yield id_

    def _settled(self, round_: Round) -> None:
        if not self._writes:
            return
        statuses, settled = self._control.pipeline.statuses, round_.settled
        for key in settled.keys(statuses.classes):
            self.queue.put(("GatewayClass", key))
        for key in settled.keys(statuses.gateways):
            self.queue.put(("Gateway", key))
        for key in settled.keys(statuses.listener_sets):
            self.queue.put(("ListenerSet", key))
        for id_ in (*settled.keys(statuses.routes), *settled.keys(statuses.policies)):
            self.queue.put(id_)

    def look_at(self, kind: str, key: Key) -> None:
        """Something of an object may be other than it was."""
        if self._writes:
            self.queue.put((kind, key))

    async def _work(self) -> None:
        compared = 0
        while True:
            id_, since = await self.queue.take()
            await self._trouble.wait()
            while not self._control.resting.is_set():
                await self._control.resting.wait()
            rest, again = await self._bring(id_, since)
            self.queue.done(id_, rest, again=since if again else None)
            compared += 1
            if compared % _COMPARED_AT_ONCE == 0:
                await asyncio.sleep(0)

    async def _bring(self, id_: Id, since: float) -> tuple[float, bool]:
        """Brings one status up to date. How long the object rests, and whether it must come again."""
        try:
            return await self._try(id_, since)
        except NotFoundError:
            self._forget(id_)
            return 0.0, False
        except ForbiddenError as error:
            self._note(error, id_)
            self.wrote(id_[0], "failed", monotonic() - since)
            return _FORBIDDEN_SECONDS, True
        except UnreachableError as error:
            self._note(error, id_)
            self.wrote(id_[0], "failed", monotonic() - since)
            return 0.0, True
        except BusyError as error:
            self._note(error, id_)
            self.wrote(id_[0], "failed", monotonic() - since)
            return max(self._rests.failed(id_), error.retry_after or 0.0), True
        except Exception:  # a status that cannot be written keeps no other from being written
            log.exception("writing a status failed", object=f"{id_[0]} {id_[1]}")
            return _FORBIDDEN_SECONDS, True

    async def _try(self, id_: Id, since: float) -> tuple[float, bool]:
        live = self._known(id_)
        for _ in range(_CONFLICTS):
            if live is None:
                self._forget(id_)
                return 0.0, False
            wanted = msgspec.json.encode(await self._desired(id_))
            found = await self._merged(id_, live, msgspec.json.decode(wanted))
            if found.status is None or self._in_vain.get(id_) == (wanted, live.status):
                return 0.0, False
            if (pause := max(self.contests.pause(id_, (live.uid, wanted)), self._unsettled(id_, live, since))) > 0:
                return pause, True
            await self._bucket.take()
            if not self._leading():
                return 0.0, False
            try:
                written = await self._write(id_, live, found.status)
            except ConflictError:
                self.wrote(id_[0], "conflict", monotonic() - since)
                live = await self._look(id_)
                continue
            except (NotFoundError, ForbiddenError, BusyError):
                raise
            except RefusedError as error:
                self._refuse(id_, live, wanted, error, since)
                return 0.0, False
            self._note_written(id_, written, wanted, found, since)
            return _REST_SECONDS, False
        return _REST_SECONDS, True

    async def _desired(self, id_: Id) -> Any:
        """What the tables say of an object, and that it cannot be read any more; None for nothing."""
        pipeline = self._control.pipeline
        row = pipeline.statuses.of(*id_)
        fault = self.fault(*id_)
        if fault is None:
            return row
        found = await self._client.get_object(self._where(id_))
        known = msgspec.json.decode(msgspec.json.encode(row)) if row is not None else None
        ours = Ours(self._controller_name, pipeline.statuses.classes, pipeline.gateways())
        return unreadable(LAYOUTS[id_[0]], found, f"{fault.field} {fault.reason}".strip(), known, ours)

    async def _merged(self, id_: Id, live: Live, desired: Json | None) -> Merged:
        kind, key = id_
        layout, status = LAYOUTS[kind], msgspec.json.decode(live.status) or {}
        told = Told(self._controller_name, key.namespace, datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"))
        if desired is not None or layout.shared:
            self._others.pop(id_, None)
            return merged(layout, status, desired, told)
        accepted = (one for one in status.get("conditions") or () if one["type"] == "Accepted")
        if self._others.get(id_) == live.uid or all(one["status"] == "Unknown" for one in accepted):
            return Merged(None)
        found = await self._client.get_object(self._where(id_))
        if not is_written_by(found["metadata"].get("managedFields") or (), manager(self._controller_name)):
            self._others[id_] = live.uid
            return Merged(None)
        return released(layout, status, live.generation, told)

    def _unsettled(self, id_: Id, live: Live, since: float) -> float:
        """How long to wait until what is to be said of a new generation has settled."""
        if not self.settles(id_) or monotonic() - since > _SETTLING_SECONDS:
            return 0.0
        told = (msgspec.json.decode(live.status) or {}).get("conditions") or ()
        before = any(one.get("observedGeneration", 0) < live.generation for one in told)
        return _REST_SECONDS if before else 0.0

    async def _write(self, id_: Id, live: Live, status: Json) -> Live:
        kind, key = id_
        version = self._live.served(kind)
        metadata = {"name": key.name, "uid": live.uid, "resourceVersion": live.resource_version}
        if key.namespace:
            metadata["namespace"] = key.namespace
        value = {"apiVersion": version, "kind": kind, "metadata": metadata, "status": status}
        answer = await self._client.request(
            "PUT",
            self._where(id_, "status"),
            params={"fieldManager": manager(self._controller_name)},
            body=msgspec.json.encode(value),
            seconds=_REQUEST_SECONDS,
        )
        return Live.of(head(answer))

    async def _look(self, id_: Id) -> Live:
        found = Live.of(head(await self._client.get(self._where(id_))))
        self._fresh[id_] = found
        return found

    def _known(self, id_: Id) -> Live | None:
        """The object as it is, as far as is known: what a write was answered may be newer than what was heard of."""
        heard, fresh = self._live.get(*id_), self._fresh.get(id_)
        if self._live.served(id_[0]) is None:
            return None
        if heard is not None and fresh is not None and fresh.is_newer(heard):
            return fresh
        self._fresh.pop(id_, None)
        return heard

    def _where(self, id_: Id, subresource: str = "") -> str:
        kind, key = id_
        return path(self._live.served(kind) or "", BY_KIND[kind].plural, key.namespace, key.name, subresource)

    def _note_written(self, id_: Id, written: Live, wanted: bytes, found: Merged, since: float) -> None:
        if self._trouble.over():
            log.info("statuses are written again")
        self._fresh[id_] = written
        kept = msgspec.json.decode(written.status)
        if kept != found.status:
            self._in_vain[id_] = (wanted, written.status)
        else:
            self._in_vain.pop(id_, None)
        self._rests.over(id_)
        if self.contests.wrote(id_, (written.uid, wanted)):
            log.warning("another writes over this status", object=f"{id_[0]} {id_[1]}")
            self.notice(id_, written.uid, "Contended", "somebody else writes over this status again and again")
        for one in found.left_out:
            log.warning("status is not whole", object=f"{id_[0]} {id_[1]}", left_out=one)
            self.notice(id_, written.uid, "StatusIncomplete", f"left out of the status: {one}")
        self.wrote(id_[0], "written", monotonic() - since)

    def _refuse(self, id_: Id, live: Live, wanted: bytes, error: RefusedError, since: float) -> None:
        """Told, and not tried again until something changes."""
        self._in_vain[id_] = (wanted, live.status)
        log.error("status refused", object=f"{id_[0]} {id_[1]}", reason=str(error))
        self.notice(id_, live.uid, "StatusRefused", str(error))
        self.wrote(id_[0], "refused", monotonic() - since)

    def _note(self, error: KubeError, id_: Id) -> None:
        least = error.retry_after if isinstance(error, RefusedError) else None
        if isinstance(error, ForbiddenError):
            log.error("status may not be written", object=f"{id_[0]} {id_[1]}", reason=str(error))
        elif self._trouble.note(str(error), least):
            log.warning("statuses wait for the API server", reason=str(error))

    def _forget(self, id_: Id) -> None:
        for memory in (self._fresh, self._in_vain, self._others):
            memory.pop(id_, None)
        self._rests.over(id_)
        self.contests.forget(id_)
