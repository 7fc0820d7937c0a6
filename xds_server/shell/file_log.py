"""What is read from files, as log lines: how much, what went, and what is wrong; each thing once.

In: batches. Out: log lines.
"""

from dataclasses import dataclass, field

import structlog

from xds_server.model.batch import Batch
from xds_server.model.meta import Key
from xds_server.model.wording import some

log = structlog.get_logger()

_MOST_NAMED = 5


@dataclass(slots=True)
class FileLog:
    """Remembers what has been said."""

    _last: Batch | None = None
    _gateways: set[Key] = field(default_factory=set)
    _told_none: bool = False

    def read(self, batch: Batch) -> None:
        """Called with each batch, in order."""
        first, last, self._last = self._last is None, self._last or Batch(), batch
        kept = {} if first or batch.upserts else {"kept": "the last good state stays in service"}
        known = frozenset(last.faults)
        for fault in batch.faults:
            if fault not in known:
                log.error("fault", problem=str(fault), **kept)
        still = frozenset(batch.faults)
        for fault in last.faults:
            if fault not in still:
                log.info("fault mended", problem=str(fault))
        noticed = frozenset(last.remarks)
        for remark in batch.remarks:
            if remark not in noticed:
                log.warning("unknown field", code="XDS1001", problem=str(remark))
        counts = {"changed": len(batch.upserts), "removed": len(batch.removals), "faults": len(batch.faults)}
        log.info("files read", **counts, **_gone(batch))
        self._tell_of_gateways(batch)

    def _tell_of_gateways(self, batch: Batch) -> None:
        self._gateways |= {key for kind, key, _ in batch.upserts if kind == "Gateway"}
        self._gateways -= {key for kind, key in batch.removals if kind == "Gateway"}
        if not self._gateways and not self._told_none:
            log.warning("nothing is served", reason="there is no Gateway among the files")
        self._told_none = not self._gateways


def _gone(batch: Batch) -> dict[str, str]:
    """The objects that went, the first of them by name."""
    names = [f"{kind} {key}" for kind, key in batch.removals]
    return {"gone": some(names, _MOST_NAMED)} if names else {}
