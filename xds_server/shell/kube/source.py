"""Every kind of KINDS, watched, as batches of changes for the loop.

Nothing is told before every kind has been listed, or is known to be absent. What does not decode is told and keeps its
last good state. A kind that is no longer served keeps its last objects: deleting a CRD deletes the objects first, which
is told apart from people deleting them by asking for the CRD: once for all that were deleted before the question was
sent, by a watch or by a new list. They went with their CRD where it is going, is gone, or is another than before.
"""

import asyncio
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from time import monotonic, perf_counter
from typing import Any, Final

import structlog

from xds_server.control import Changes
from xds_server.model.document import Fault, Object
from xds_server.model.kinds import KINDS, Kind
from xds_server.model.meta import Key, ObjectRef
from xds_server.shell.kube.client import KubeClient, path
from xds_server.shell.kube.decode import Decoder, head
from xds_server.shell.kube.discovery import newest_served
from xds_server.shell.kube.errors import ForbiddenError, KubeError, NotFoundError
from xds_server.shell.kube.live import LiveObjects
from xds_server.shell.kube.watcher import Absent, Changed, Event, Listed, Lost, Removed, Watched, watch

log = structlog.get_logger()

SELECTORS: Final = {
    "ConfigMap": ("app.kubernetes.io/managed-by!=xds-server", ""),
    "Secret": (
        "app.kubernetes.io/managed-by!=xds-server",
        "type!=helm.sh/release.v1,type!=kubernetes.io/service-account-token,type!=kubernetes.io/dockerconfigjson",
    ),
}
"""Label and field selectors: what can never be referred to is not read at all."""
_ABSENT_SECONDS: Final = 2.0
_RETURN_SECONDS: Final = 300.0
"""How long objects that a CRD took with it stay in service once the kind is served again without them."""


@dataclass(slots=True)
class _Place:
    """A kind in one namespace, or in all: what is known there."""

    row: Kind
    namespace: str = ""
    known: set[Key] = field(default_factory=set)
    listed: bool = False
    lost: str = ""
    absent: bool = False
    crd: str = ""
    """The uid of its CRD, as far as that may be read."""
    orphans_since: float | None = None
    """When the kind was served again after objects went with its CRD."""
    orphans: set[Key] = field(default_factory=set)
    deleted: set[Key] = field(default_factory=set)
    """Objects that went, of which it is not yet known why; they stay in `known`."""
    asked: set[Key] = field(default_factory=set)
    """Those that the question under way is about."""
    some: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when some were deleted, and after each list."""

    def back(self, keys: Collection[Key]) -> None:
        """These are there, whatever was heard of earlier ones of the name."""
        for gone in (self.orphans, self.deleted, self.asked):
            gone.difference_update(keys)


@dataclass(slots=True)
class KubeSource:
    """The cluster as a source of batches. `submit` is called in the event loop, never awaited."""

    client: KubeClient
    submit: Callable[[Changes], None]
    namespaces: Sequence[str] = ()
    live: LiveObjects = field(default_factory=LiveObjects)
    relisted: Callable[[str], None] = lambda _: None
    """Told of each list of a kind."""
    faulted: Callable[[ObjectRef, str, Fault | None], None] = lambda *_: None
    """Told of an object, with its uid, that does not decode; without a fault, that it does again."""
    heard: Callable[[str], None] = lambda _: None
    """Told of each event of a watch."""
    decoded: Callable[[float], object] = lambda _: None
    """Told how many seconds an object of a watch took to read."""
    _places: list[_Place] = field(default_factory=list)
    _faults: dict[tuple[str, Key], Fault] = field(default_factory=dict)
    _first: list[Changes] | None = field(default_factory=list)
    """Batches that wait until everything has been listed."""

    @property
    def faults(self) -> tuple[Fault, ...]:
        """Objects that do not decode, now."""
        return tuple(self._faults.values())

    def fault(self, kind: str, key: Key) -> Fault | None:
        """What makes an object unreadable; None for one that is read."""
        return self._faults.get((kind, key))

    def unready(self) -> str:
        """What is waited for before anything is told; empty once everything has been listed."""
        if self._first is None:
            return ""
        missing = [f"{place.row.plural}{f' ({place.lost})' if place.lost else ''}" for place in self._waiting()]
        return f"not listed yet: {', '.join(missing)}"

    def disturbed(self) -> dict[str, str]:
        """The kinds of which nothing is heard now, by plural, and why."""
        found = {place.row.plural: place.lost for place in self._places if place.lost}
        return found | {one.row.plural: "not served by the cluster" for one in self._places if one.absent}

    async def run(self) -> None:
        """Watches until cancelled."""
        self._places = [_Place(row, namespace) for row in KINDS for namespace in self._namespaces(row)]
        async with asyncio.TaskGroup() as group:
            for place in self._places:
                group.create_task(self._keep_following(place), name=f"watch-{place.row.plural}-{place.namespace}")
                if place.row.channel != "core":
                    group.create_task(self._keep_asking(place), name=f"crd-{place.row.plural}-{place.namespace}")

    def _namespaces(self, row: Kind) -> Sequence[str]:
        return (self.namespaces or ("",)) if row.namespaced else ("",)

    async def _keep_following(self, place: _Place) -> None:
        """A fault of ours is told and costs a new list of one kind, not the server."""
        while True:
            try:
                await self._follow(place)
            except Exception as error:  # whatever it is, the other kinds are watched on
                log.exception("watching failed", kind=place.row.kind, namespace=place.namespace or None)
                self._lose(place, repr(error))
            await asyncio.sleep(_ABSENT_SECONDS)

    async def _keep_asking(self, place: _Place) -> None:
        """Why objects went, of one kind in one place."""
        while True:
            await place.some.wait()
            place.some.clear()
            place.asked, place.deleted = place.asked | place.deleted, set()
            try:
                self._judge(place, await self._crd(place))
            except Exception:  # whatever it is, it is asked again
                log.exception("taking objects out of service failed", kind=place.row.kind)
                await asyncio.sleep(_ABSENT_SECONDS)
                place.some.set()

    async def _follow(self, place: _Place) -> None:
        """One kind in one place: finds its version, watches it, begins anew when it is served no more."""
        while True:
            api_version = await self._served(place)
            decoder = Decoder(place.row, api_version)
            self.live.serve(place.row.kind, api_version)
            labels, fields = SELECTORS.get(place.row.kind, ("", ""))
            watched = Watched(api_version, place.row.plural, place.namespace, labels, fields)
            async for event in watch(self.client, watched):
                self._take(place, decoder, event)
                if isinstance(event, Absent):
                    break

    async def _served(self, place: _Place) -> str:
        """Waits until the cluster serves the kind."""
        row = place.row
        while True:
            try:
                found = await newest_served(self.client, row.group, row.plural, row.versions)
            except KubeError as error:
                self._lose(place, str(error))
                found = None
            else:
                if found is None:
                    self._be_absent(place)
            if found is not None:
                if place.absent:
                    log.info("kind is served", kind=row.kind, api_version=found)
                place.absent = False
                return found
            await asyncio.sleep(_ABSENT_SECONDS)

    def _take(self, place: _Place, decoder: Decoder, event: Event) -> None:
        if isinstance(event, Lost):
            self._lose(place, event.reason)
            return
        if place.lost:
            log.info("watched again", kind=place.row.kind, namespace=place.namespace or None)
            place.lost = ""
        match event:
            case Listed(items):
                self.relisted(place.row.kind)
                self._relist(place, decoder, items)
            case Changed(item):
                self.heard(place.row.kind)
                began = perf_counter()
                self._send(place, *self._read(place, decoder, item))
                self.decoded(perf_counter() - began)
            case Removed(item):
                self.heard(place.row.kind)
                self._remove(place, item)
            case Absent():
                self._be_absent(place)

    def _relist(self, place: _Place, decoder: Decoder, items: Iterable[bytes]) -> None:
        upserts: list[tuple[str, Key, Object]] = []
        seen: set[Key] = set()
        for item in items:
            key, found = self._read(place, decoder, item)
            seen.add(key)
            if found is not None:
                upserts.append((place.row.kind, key, found))
        gone = place.known - seen
        place.back(seen)
        place.listed = True
        place.known |= seen
        if place.row.channel != "core":
            place.deleted |= gone - place.orphans - place.asked
            place.some.set()
            gone = set()
        place.known -= gone
        self._tell(Changes(tuple(upserts), tuple((place.row.kind, key) for key in sorted(gone))))
        for key in gone:
            self._forget(place, key)

    def _read(self, place: _Place, decoder: Decoder, item: bytes) -> tuple[Key, Object | None]:
        """An object, or None for one that is not readable, which is told."""
        meta = head(item)
        key = self.live.note(place.row.kind, meta)
        found = decoder.decode(item)
        id_ = (place.row.kind, key)
        about = ObjectRef(place.row.kind, *key)
        if isinstance(found, Fault):
            if self._faults.get(id_) != found:
                log.error("object not readable", problem=str(found), kept=key in place.known)
                self._faults[id_] = found
                self.faulted(about, meta.metadata.uid, found)
            return key, None
        if self._faults.pop(id_, None) is not None:
            log.info("object readable again", kind=place.row.kind, object=str(key))
            self.faulted(about, meta.metadata.uid, None)
        return key, found

    def _send(self, place: _Place, key: Key, found: Object | None) -> None:
        place.back((key,))
        place.known.add(key)
        if found is not None:
            self._tell(Changes(((place.row.kind, key, found),)))

    def _remove(self, place: _Place, item: bytes) -> None:
        key = head(item).metadata.key
        if place.row.channel == "core":
            self._drop(place, (key,))
        else:
            place.deleted.add(key)
            place.some.set()

    def _judge(self, place: _Place, crd: str | None) -> None:
        """It is known why those went that were asked about."""
        gone, place.asked = place.asked, set()
        is_another = crd is None or bool(crd and place.crd and crd != place.crd)
        if not is_another:
            self._drop(place, gone)
        elif gone:
            if not place.orphans:
                log.warning("objects kept: they went with their CRD", kind=place.row.kind)
            place.orphans |= gone
            place.orphans_since = None
        if crd is None:
            return
        place.crd = crd
        if place.orphans and place.orphans_since is None:
            place.orphans_since = monotonic()
            asyncio.get_running_loop().call_later(_RETURN_SECONDS, self._let_go, place, place.orphans_since)

    async def _crd(self, place: _Place) -> str | None:
        """The uid of a kind's CRD, empty where it may not be read; None for one that is being deleted, or gone."""
        where = path(
            "apiextensions.k8s.io/v1", "customresourcedefinitions", name=f"{place.row.plural}.{place.row.group}"
        )
        while True:
            try:
                crd = await self.client.get_object(where)
            except NotFoundError:
                return None
            except ForbiddenError:
                return ""
            except KubeError:  # to take an object out of service can wait until it is known why it went
                await asyncio.sleep(_ABSENT_SECONDS)
            else:
                metadata: dict[str, Any] = crd.get("metadata") or {}
                return None if "deletionTimestamp" in metadata else metadata.get("uid", "")

    def _let_go(self, place: _Place, since: float) -> None:
        """The kind has been served for a while, and these objects did not come back."""
        if place.absent or place.orphans_since != since:
            return
        for key in sorted(place.orphans):
            log.warning("object that went with its CRD is let go", kind=place.row.kind, object=str(key))
        self._drop(place, place.orphans)
        place.orphans.clear()
        place.orphans_since = None

    def _drop(self, place: _Place, keys: Collection[Key]) -> None:
        if not keys:
            return
        place.known.difference_update(keys)
        self._tell(Changes((), tuple((place.row.kind, key) for key in sorted(keys))))
        for key in keys:
            self._forget(place, key)

    def _forget(self, place: _Place, key: Key) -> None:
        self.live.forget(place.row.kind, key)
        self._faults.pop((place.row.kind, key), None)

    def _lose(self, place: _Place, reason: str) -> None:
        if not place.lost:
            log.warning("watch lost", kind=place.row.kind, namespace=place.namespace or None, reason=reason)
        place.lost = reason

    def _be_absent(self, place: _Place) -> None:
        place.lost = ""
        if place.absent:
            return
        place.absent = True
        kept = len(place.known)
        told = log.warning if kept else log.info
        told("kind is not served by the cluster", kind=place.row.kind, objects_kept=kept)
        place.deleted.clear()
        place.asked.clear()
        place.orphans = set(place.known)
        place.orphans_since = None
        if not place.listed:
            place.listed = True
            self._tell(Changes())

    def _waiting(self) -> list[_Place]:
        return [place for place in self._places if not place.listed]

    def _tell(self, changes: Changes) -> None:
        if self._first is None:
            self.submit(changes)
            return
        self._first.append(changes)
        if self._waiting():
            return
        first, self._first = self._first, None
        log.info("cluster listed", objects=sum(len(place.known) for place in self._places))
        self.submit(
            Changes(
                tuple(one for batch in first for one in batch.upserts),
                tuple(one for batch in first for one in batch.removals),
            )
        )
