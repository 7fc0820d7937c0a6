"""Findings: verdicts, faults and remarks as what is wrong, each with its code, its field and its line."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from xds_server.app.offline import Offline
from xds_server.cli.verdicts import Row, verdicts
from xds_server.model.document import Document, Fault, Ignored, text_at
from xds_server.model.kinds import BY_GROUP_KIND, EXPERIMENTAL_GROUP, GATEWAY_GROUP
from xds_server.model.meta import Key
from xds_server.pipeline.remarks import remarks
from xds_server.semantics.checks.catalog import CHECKS, of_condition, of_fault, of_kind, of_message
from xds_server.semantics.checks.check import Check
from xds_server.shell.survey import Place, Survey, Written

MISSING = re.compile(r"\b([A-Z]\w+) (\S+) does not exist")
FOLLOWING = ("ListenersNotValid", "ParentNotProgrammed")
"""Reasons that only repeat what is told of listeners or of the parent."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong. `object` is empty where a text is no object; `part` is a listener or a parent of it;
    `field` is a path in it, empty where none is known; `condition` and `reason` are empty for remarks.
    """

    check: Check
    object: str
    part: str
    field: str
    condition: str
    reason: str
    message: str
    place: Place

    @property
    def subject(self) -> str:
        """What it is about: the object, else the place."""
        return self.object or str(self.place)


def findings(world: Offline, found: Survey, now: datetime) -> list[Finding]:
    """Everything that is wrong with what was read, by file and line."""
    several = [
        *(_of_fault(fault) for fault in found.faults),
        *_of_copies(found),
        *sifted(list(verdicts(world, found.faults)), found),
        *_of_remarks(world, found, now),
        *_of_documents(found),
    ]
    once = {(one.check, one.object, one.field, one.message, one.place): one for one in reversed(several)}
    return sorted(once.values(), key=lambda one: (one.place, one.check.code, one.object, one.field, one.message))


def _of_fault(fault: Fault, check: Check | None = None) -> Finding:
    name = f"{fault.namespace}/{fault.name}" if fault.namespace else fault.name
    return Finding(
        check=check or of_fault(fault),
        object=f"{fault.kind} {name}".strip() if fault.kind or fault.name else "",
        part="",
        field=fault.field,
        condition="" if check else "Read",
        reason="" if check else "Invalid",
        message=fault.reason,
        place=Place(fault.file, fault.line),
    )


def sifted(rows: Sequence[Row], found: Survey) -> Iterator[Finding]:
    """Findings of the bad verdicts, without what only follows from something else that is told. The addresses of a
    Gateway that cannot be deployed follow from that.
    """
    undeployed = {row.ref for row in rows if _undeployed(row)}
    bad = [row for row in rows if not row.good]
    bad = [row for row in bad if row.condition != "AddressesAssigned" or row.ref not in undeployed]
    faulty = {(row.ref, row.part) for row in bad if row.condition != "Programmed"}
    inside = {row.ref for row in bad if row.part.startswith("listener ")}
    unresolved = {(row.ref, row.part) for row in bad if row.condition == "ResolvedRefs"}
    accepted = {(row.ref, row.part, row.message) for row in bad if row.condition == "Accepted"}
    for row in bad:
        follows = row.condition == "Programmed" and {(row.ref, row.part), (row.ref, "")} & faulty
        repeats = row.condition == "Conflicted" and (row.ref, row.part, row.message) in accepted
        nobody = row.reason == "NoValidCACertificate" and (row.ref, row.part) in unresolved
        whole = not row.part and row.ref in inside and (row.reason in FOLLOWING or row.condition == "Programmed")
        if _undeployed(row) or not (follows or repeats or nobody or whole):
            yield from _of_row(row, found)


def _undeployed(row: Row) -> bool:
    """Does it say that what is to be made for a Gateway cannot be made, or does not come up?"""
    told = row.ref.kind == "Gateway" and not row.part and not row.good
    return told and of_condition("Gateway", row.condition, row.reason, row.message).code in ("XDS0315", "XDS0316")


def _of_row(row: Row, found: Survey) -> Iterator[Finding]:
    of = of_kind(row.ref.kind, row.part)
    for check, inner, text, reason in of_message(of, row.condition, row.reason, row.message):
        field = _field(of, row.at, inner or ("" if row.at and of != "Listener" else check.field))
        place = found.place(row.ref, field)
        text = _with_unread(text, found)
        yield Finding(check, str(row.ref), row.part.partition(" (")[0], field, row.condition, reason, text, place)


def _with_unread(text: str, found: Survey) -> str:
    """A message that an object does not exist, where it is among the files and cannot be read."""
    if (told := MISSING.search(text)) is None:
        return text
    kind, key = told[1], told[2]
    for fault in found.faults:
        if (fault.kind, f"{fault.namespace}/{fault.name}".lstrip("/")) == (kind, key):
            unread = f"{kind} {key} is there, but cannot be read: {Place(fault.file, fault.line)}"
            return text.replace(told[0], unread)
    return text


def _of_copies(found: Survey) -> Iterator[Finding]:
    """Objects that are given twice where one of the two cannot be read, so that reading does not tell of it."""
    faulty = {(fault.kind, fault.namespace, fault.name) for fault in found.faults}
    told = {(fault.file, fault.line) for fault in found.faults if of_fault(fault).code == "XDS0109"}
    for ref, written in found.several():
        first, *others = (one.place("") for one in written)
        if ref in faulty:
            for place in others:
                if place not in told:
                    message = f"is given in {first} too; one of the two cannot be read"
                    yield Finding(CHECKS["XDS0109"], str(ref), "", "", "Read", "Invalid", message, place)


def _field(of: str, at: str, inner: str) -> str:
    """The path in the object of a field that is told relative to a part of it."""
    if of == "Listener":
        return f"{at}.{inner}".strip(".")
    if inner:
        return inner if inner.startswith("spec.") else f"spec.{inner}"
    return at


def _of_remarks(world: Offline, found: Survey, now: datetime) -> Iterator[Finding]:
    for one in remarks(world.pipeline, now):
        place = found.place(one.object, one.field)
        yield Finding(CHECKS[one.code], str(one.object), "", one.field, "", "", one.message, place)


def _of_documents(found: Survey) -> Iterator[Finding]:
    """What is remarkable about documents as they are written."""
    for fault in found.unknown():
        yield _of_fault(fault, CHECKS["XDS1001"])
    for one in found.written:
        document = one.document
        group, _, version = text_at(document, "apiVersion").rpartition("/")
        kind, row = text_at(document, "kind"), BY_GROUP_KIND.get((group, text_at(document, "kind")))
        if group in (GATEWAY_GROUP, EXPERIMENTAL_GROUP) and _ignored(document) in found.ignored:
            yield _of_document(one, "XDS1003", f"{group} {kind} is not served here")
        elif row is not None and row.channel != "core" and (kind, group) != (row.kind, row.group):
            yield _of_document(one, "XDS1002", f"{group} {kind} is called {row.api_version} {row.kind} today")
        elif row is not None and row.channel != "core" and version in row.versions[1:]:
            yield _of_document(one, "XDS1002", f"version {version} is older than {row.versions[0]}")


def _ignored(document: Document) -> Ignored:
    name, namespace = (text_at(document, "metadata", field) for field in ("name", "namespace"))
    return Ignored(text_at(document, "apiVersion"), text_at(document, "kind"), namespace, name)


def _of_document(one: Written, code: str, message: str) -> Finding:
    name, namespace = (text_at(one.document, "metadata", field) for field in ("name", "namespace"))
    object_ = one.ref or f"{text_at(one.document, 'kind')} {Key(namespace, name)}"
    return Finding(CHECKS[code], str(object_), "", "apiVersion", "", "", message, one.place("apiVersion"))
