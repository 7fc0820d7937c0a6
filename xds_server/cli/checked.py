"""What `check` tells: findings and good verdicts of files, or of a cluster."""

import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from xds_server.app.offline import offline
from xds_server.cli import live_verdicts
from xds_server.cli.cluster import Where, note_refused
from xds_server.cli.findings import MISSING, Finding, findings, sifted
from xds_server.cli.verdicts import Row, verdicts
from xds_server.shell.kube.snapshot import Snapshot
from xds_server.shell.survey import Survey, survey

Checked = tuple[list[Finding], list[Row]]


def of_files(paths: Sequence[Path], external_names: bool) -> Checked:
    """Files and directories."""
    found = survey(paths)
    world = offline(found.objects, allow_external_names=external_names)
    rows = [row for row in verdicts(world, found.faults) if row.good]
    return findings(world, found, datetime.now(UTC)), rows


def of_cluster(where: Where, controller_name: str, external_names: bool) -> Checked:
    """A cluster; what is told is of objects in the namespace that is asked for, and of classes."""
    found, namespace = where.read()
    note_refused(found)
    wrong, good = of_snapshot(found, controller_name, datetime.now(UTC), external_names=external_names)
    unknown = [one for one in wrong if _is_unknown(one, found)]
    if unknown:
        print(f"note: {len(unknown)} findings are about what is not known, and left out", file=sys.stderr)
    known = (one for one in wrong if one not in unknown)
    return (
        [one for one in known if not namespace or _namespace(one.object) in ("", namespace)],
        [one for one in good if not namespace or one.ref.namespace in ("", namespace)],
    )


def of_snapshot(found: Snapshot, controller_name: str, now: datetime, *, external_names: bool = False) -> Checked:
    """What follows from the objects of a cluster, and what their statuses say beside."""
    world = offline(found.objects, allow_external_names=external_names, controller_name=controller_name)
    written = Survey(list(found.objects), list(found.faults), [])
    rows = list(verdicts(world, found.faults))
    more = list(live_verdicts.rows(world, found.live, rows, now))
    said = {(row.ref, row.part.partition(" (")[0], row.condition) for row in more}
    good = [row for row in rows if row.good and (row.ref, row.part.partition(" (")[0], row.condition) not in said]
    wrong = findings(world, written, now)
    return _once([*wrong, *sifted(more, written)]), good


def _once(several: Iterable[Finding]) -> list[Finding]:
    """Sorted, and what statuses only repeat in the same words left out."""
    once = {(one.object, one.part, one.message): one for one in reversed(list(several))}
    return sorted(once.values(), key=lambda one: (one.object, one.check.code, one.field, one.message))


def _is_unknown(one: Finding, found: Snapshot) -> bool:
    """Is it about an absent object of a kind that may not be read?"""
    told = MISSING.search(one.message)
    return told is not None and told[1] in found.refused


def _namespace(object_: str) -> str:
    """The namespace in an object's name, `KIND NAMESPACE/NAME`."""
    key = object_.partition(" ")[2]
    return key.partition("/")[0] if "/" in key else ""
