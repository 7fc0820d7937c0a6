"""Kubernetes Events for what a person should notice, on the object that it is about.

In: notes. Out: Events, made by the leader alone, ever more slowly where there are many. The same note on the same
object is the same Event, which counts: its name follows from what it says, so replicas and restarts add up to one.
Source: Kubernetes API events.k8s.io/v1 Event; the API server forgets Events after an hour.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from time import monotonic
from typing import Any, Final, NamedTuple

import structlog

from xds_server.model.kinds import BY_KIND
from xds_server.model.meta import ObjectRef
from xds_server.semantics.checks.check import Check
from xds_server.shell.kube.client import KubeClient, path
from xds_server.shell.kube.errors import (
    ConflictError,
    EndingError,
    ForbiddenError,
    KubeError,
    RefusedError,
    UnreachableError,
)
from xds_server.shell.kube.note_queue import NoteQueue
from xds_server.shell.kube.pace import Bucket
from xds_server.shell.kube.status_queue import FIRST

log = structlog.get_logger()

API: Final = "events.k8s.io/v1"
_MOST_NOTE: Final = 1024
_MOST_WAITING: Final = 500
_MOST_TOLD: Final = 2000
"""Notes that are remembered: also a replica that never leads takes note."""
_BURST: Final = 25.0
_RATE: Final = 0.5
_REPEAT_SECONDS: Final = 60.0
"""How often one that repeats is counted in the API server."""
_FRESH_SECONDS: Final = 60.0
"""What is older when a replica begins to lead was told by the one that led before."""
_FORGET_SECONDS: Final = 3600.0
_VARYING: Final = ("EnvoyNotStarting",)
"""The reasons of what a cluster words anew from minute to minute, and may say of many Gateways at a time."""
_VARYING_SECONDS: Final = 600.0
"""For how long an object has one text of such a reason; what it is by now, the status says."""
_RETRY_SECONDS: Final = 5.0
_TRIES: Final = 3


_REASONS: Final = {
    "XDS0301": "InvalidParameters",
    "XDS0308": "InvalidParameters",
    "XDS0314": "InvalidParameters",
    "XDS0316": "EnvoyNotStarting",
    "XDS0317": "EnvoyNotStarting",
    "XDS0405": "PortUnavailable",
    "XDS0406": "EnvoyRejected",
    "XDS0410": "InvalidListenerFilterRef",
    "XDS0411": "RefNotPermitted",
    "XDS0501": "InvalidCertificateRef",
    "XDS0502": "InvalidCertificateRef",
    "XDS0503": "RefNotPermitted",
    "XDS0504": "InvalidCertificateRef",
    "XDS0505": "CertificateUnusable",
    "XDS0506": "CertificateUnusable",
    "XDS0507": "CertificateUnusable",
    "XDS0508": "CertificateUnusable",
    "XDS0509": "CertificateUnusable",
    "XDS0511": "InvalidClientCertificateRef",
    "XDS0513": "InvalidCACertificateRef",
    "XDS0514": "InvalidCACertificateKind",
    "XDS0515": "RefNotPermitted",
    "XDS0516": "CertificateUnusable",
    "XDS0590": "CertificateUnusable",
    "XDS0704": "RefNotPermitted",
    "XDS0891": "EnvoyRejected",
    "XDS0904": "InvalidCACertificateRef",
    "XDS0905": "InvalidCACertificateKind",
    "XDS0907": "InvalidClientCertificateRef",
    "XDS0908": "EnvoyRejected",
}
"""The checks that are worth an Event, with its reason: that of the condition, where one word of it says enough. They
tell of what keeps a Gateway from serving, and of references that no grant allows, or no longer. All others tell of
what somebody just wrote in a route, who reads the status. What keeps a Gateway from being deployed is told by whoever
deploys.
"""


def reason_of(code: str, message: str) -> str | None:
    """An Event's reason for a check that did not pass; None where it is worth none."""
    reason = _REASONS.get(code)
    if reason == "CertificateUnusable" and " expired on " in message:
        return "CertificateExpired"
    refused = reason == "InvalidClientCertificateRef" and "no ReferenceGrant in" in message
    return "RefNotPermitted" if refused else reason


def worth(checks: Iterable[Check], message: str) -> tuple[str, str] | None:
    """An Event's reason and the code, by the first of the problems in one message that is worth one; None for none."""
    found = ((reason, one.code) for one in checks if (reason := reason_of(one.code, message)) is not None)
    return next(found, None)


class Note(NamedTuple):
    """Something about an object, `uid` is the object's; `reason` is one word, such as EnvoyRejected."""

    about: ObjectRef
    uid: str
    reason: str
    text: str


@dataclass(slots=True)
class _Told:
    """A note that was told: how often, how often the API server knows of, and when it was told last."""

    count: int = 1
    known: int = 0
    at: float = 0.0


@dataclass(slots=True)
class Events:
    """`reporter` is the controller's name, `identity` this replica's."""

    client: KubeClient
    reporter: str
    identity: str
    served: Callable[[str], str | None] = lambda kind: BY_KIND[kind].api_version
    """The apiVersion of a kind."""
    namespaces: Sequence[str] = ()
    """Where Events may be written; empty for everywhere. What belongs elsewhere is a line in the log."""
    _told: dict[Note, _Told] = field(default_factory=dict)
    _varied: dict[tuple[ObjectRef, str, str], tuple[str, float]] = field(default_factory=dict)
    """The text of each object and reason of _VARYING, and since when it has it."""
    _waiting: NoteQueue[Note] = field(default_factory=lambda: NoteQueue(2, _MOST_WAITING))

    def note(self, note: Note) -> None:
        """Says it soon, where this replica leads; soon after it begins to lead, where it does not yet."""
        note = note._replace(text=_cut(note.text))
        if note.reason in _VARYING and self._is_said_otherwise(note):
            return
        told = self._told.get(note)
        if told is None or monotonic() - told.at > _FORGET_SECONDS:
            self._told[note] = told = _Told(0)
            while len(self._told) > _MOST_TOLD:
                del self._told[next(iter(self._told))]
        told.count += 1
        if told.known and monotonic() - told.at < _REPEAT_SECONDS:
            return
        self._waiting.put(note, int(note.about.kind not in FIRST or note.reason in _VARYING))

    def _is_said_otherwise(self, note: Note) -> bool:
        subject = (note.about, note.uid, note.reason)
        text, since = self._varied.get(subject, ("", 0.0))
        if text and monotonic() - since < _VARYING_SECONDS:
            return text != note.text
        self._varied.pop(subject, None)  # the newest last
        self._varied[subject] = note.text, monotonic()
        while len(self._varied) > _MOST_TOLD:
            del self._varied[next(iter(self._varied))]
        return False

    async def run(self) -> None:
        """Tells what waits, until cancelled: a duty of the leader."""
        bucket = Bucket(_RATE, _BURST)
        self._waiting.drop_until(monotonic() - _FRESH_SECONDS)
        while True:
            note = await self._waiting.take()
            await bucket.take()
            await self._tell(note)

    async def _tell(self, note: Note) -> None:
        told = self._told.setdefault(note, _Told())
        if self.namespaces and _namespace(note) not in self.namespaces:
            told.known, told.at = told.count, monotonic()
            log.warning("event", about=str(note.about), reason=note.reason, note=note.text)
            self._forget()
            return
        for left in reversed(range(_TRIES)):
            try:
                await self._write(note, told)
            except UnreachableError as error:
                if not left:
                    log.warning("event not written", reason=str(error))
                await asyncio.sleep(_RETRY_SECONDS)
            except KubeError as error:
                rights = isinstance(error, ForbiddenError) and not isinstance(error, EndingError)
                refused = log.error if rights else log.info
                refused("event refused", about=str(note.about), reason=str(error))
                return
            else:
                break
        self._forget()

    async def _write(self, note: Note, told: _Told) -> None:
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        if not told.known:
            try:
                await self.client.create(path(API, "events", _namespace(note)), self._event(note, now))
            except ConflictError:
                told.count = max(told.count, 2)
        if told.count > 1:
            series = {"series": {"count": told.count, "lastObservedTime": now}}
            where = path(API, "events", _namespace(note), _name(note))
            try:
                await self.client.patch(where, series)
            except RefusedError as error:
                if error.code != 404:
                    raise
                told.count = 1
                await self.client.create(path(API, "events", _namespace(note)), self._event(note, now))
        told.known, told.at = told.count, monotonic()

    def _event(self, note: Note, now: str) -> dict[str, Any]:
        about = note.about
        regarding = {"apiVersion": self.served(about.kind), "kind": about.kind, "name": about.name, "uid": note.uid}
        if about.namespace:
            regarding["namespace"] = about.namespace
        return {
            "apiVersion": API,
            "kind": "Event",
            "metadata": {"name": _name(note), "namespace": _namespace(note)},
            "eventTime": now,
            "type": "Warning",
            "reason": note.reason,
            "action": "Serve",
            "note": note.text,
            "regarding": regarding,
            "reportingController": self.reporter,
            "reportingInstance": self.identity[:128],
        }

    def _forget(self) -> None:
        late = monotonic() - _FORGET_SECONDS
        for note, told in list(self._told.items()):
            if told.known and told.at < late:
                del self._told[note]


def _name(note: Note) -> str:
    digest = sha256("\0".join((note.about.kind, note.uid, note.reason, note.text)).encode()).hexdigest()[:16]
    return f"{note.about.name[:200].rstrip('.-')}.{digest}"


def _namespace(note: Note) -> str:
    """Of an object without a namespace the API server takes Events in `default` alone, and there kubectl looks."""
    return note.about.namespace or "default"


def _cut(text: str) -> str:
    encoded = text.encode()
    if len(encoded) <= _MOST_NOTE:
        return text
    return encoded[: _MOST_NOTE - 4].decode(errors="ignore") + " …"
