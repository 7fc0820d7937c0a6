"""Which replica leads: a Lease, taken, renewed and given back. What only one replica may do runs while it leads.

In: a Lease and duties. Out: duties that run, or are cancelled. Nobody's wall clock is believed: a lease has expired
when nothing has changed in it for its duration, as seen from here; who cannot renew stops well before that.
Why this is no library's: docs/decisions/0016-the-lease.md.
"""

import asyncio
import random
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from time import monotonic
from typing import Any, Final, Protocol

import msgspec
import structlog
from prometheus_client import CollectorRegistry, Gauge

from xds_server.shell.kube.client import KubeClient, path
from xds_server.shell.kube.errors import ConflictError, KubeError, NotFoundError
from xds_server.shell.metrics import PREFIX

log = structlog.get_logger()

API: Final = "coordination.k8s.io/v1"
LEADING: Final = "Whether this replica leads: the leader deploys, and writes statuses."

Duty = Callable[[], Coroutine[Any, Any, None]]
"""Runs until it is cancelled."""


@dataclass(frozen=True, slots=True)
class Times:
    """In seconds. A leader that could not renew for `deadline` stops; others take over after `duration`."""

    duration: int = 15
    deadline: float = 10.0
    renew: float = 2.0
    retry: float = 1.0
    request: float = 4.0
    release: float = 2.0


class Leadership(Protocol):
    """Whether this replica leads, and who does."""

    @property
    def leading(self) -> bool:
        """To be asked before whatever only a leader may do."""

    @property
    def holder(self) -> str:
        """The replica that leads, as far as is known here; empty for nobody."""

    async def run(self, duties: Mapping[str, Duty]) -> None:
        """Runs the duties whenever this replica leads, until cancelled. An error of a duty is raised."""


def measure(registry: CollectorRegistry, leadership: Leadership) -> None:
    """Adds the metric."""
    Gauge("leading", LEADING, namespace=PREFIX, registry=registry).set_function(lambda: float(leadership.leading))


class Alone:
    """The only replica there is."""

    leading = True

    def __init__(self, identity: str) -> None:
        self.holder = identity

    async def run(self, duties: Mapping[str, Duty]) -> None:
        """Runs the duties."""
        await _run(duties)


class Election:
    """A candidate for a Lease. `identity` is of this process: one that comes back under the same name is another."""

    def __init__(
        self, client: KubeClient, namespace: str, name: str, identity: str, *, times: Times | None = None
    ) -> None:
        self._client = client
        self._namespace = namespace
        self._name = name
        self._identity = identity
        self._times = times or Times()
        self._lease: dict[str, Any] = {}
        self._seen: float = 0.0
        """When the Lease was first seen as it is."""
        self._renewed: float | None = None
        """When the request was sent that was the last to renew; None for one who does not lead."""
        self._trouble = ""

    @property
    def leading(self) -> bool:
        """Whether the Lease is held, and surely no one else's yet."""
        return self._renewed is not None and self._left() > 0

    @property
    def holder(self) -> str:
        """The replica that leads."""
        return self._spec().get("holderIdentity") or ""

    async def run(self, duties: Mapping[str, Duty]) -> None:
        """Runs the duties whenever this replica leads, until cancelled."""
        told = ""
        while True:
            if await self._try():
                await self._lead(duties)
            if self.holder not in (told, self._identity, ""):
                told = self.holder
                log.info("another replica leads", leader=told)
            await asyncio.sleep(self._times.retry * random.uniform(0.8, 1.2))

    async def _lead(self, duties: Mapping[str, Duty]) -> None:
        log.info("leading", identity=self._identity, lease=f"{self._namespace}/{self._name}")
        running = asyncio.create_task(_run(duties), name="duties")
        renewing = asyncio.create_task(self._keep(), name="lease")
        try:
            await asyncio.wait((running, renewing), return_when=asyncio.FIRST_COMPLETED)
            if running.done():
                running.result()
            log.warning("not leading any more", leader=self.holder, reason=self._trouble or "another took the lease")
        finally:
            for task in (running, renewing):
                task.cancel()
            await asyncio.gather(running, renewing, return_exceptions=True)
            await self._release()

    async def _keep(self) -> None:
        """Renews; returns once the Lease is lost, or when it may be lost soon."""
        while self._renewed is not None:
            try:
                async with asyncio.timeout(self._left()):
                    await asyncio.sleep(self._times.renew)
                    if not await self._try() and self.holder != self._identity:
                        self._renewed = None
            except TimeoutError:
                return

    def _left(self) -> float:
        """How long this replica may go on without renewing."""
        return (self._renewed or 0.0) + self._times.deadline - monotonic()

    async def _try(self) -> bool:
        """Takes or renews the Lease if that may be; True when it is held."""
        sent = monotonic()
        try:
            async with asyncio.timeout(self._times.request):
                if self._renewed is None or not await self._renew():
                    await self._look()
                    if not self._may_take():
                        return False
                    await self._renew()
        except (KubeError, TimeoutError) as error:
            self._note(str(error) or "no answer in time")
            return False
        self._trouble = ""
        if self.holder != self._identity:
            return False
        self._renewed = sent
        return True

    async def _look(self) -> None:
        try:
            found = await self._client.get_object(self._where())
        except NotFoundError:
            found = {}
        self._take_note(found)

    def _may_take(self) -> bool:
        if self.holder in ("", self._identity):
            return True
        seconds = self._spec().get("leaseDurationSeconds") or self._times.duration
        return monotonic() >= self._seen + seconds

    async def _renew(self) -> bool:
        """Writes our name over the Lease as it was last seen; False when it is another one by now."""
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        before = self._spec()
        ours = before.get("holderIdentity") == self._identity
        spec = {
            "holderIdentity": self._identity,
            "leaseDurationSeconds": self._times.duration,
            "acquireTime": before.get("acquireTime") if ours else now,
            "renewTime": now,
            "leaseTransitions": (before.get("leaseTransitions") or 0) + (not ours),
        }
        try:
            self._take_note(await self._write(spec))
        except (ConflictError, NotFoundError):
            return False
        return True

    async def _write(self, spec: Mapping[str, Any]) -> dict[str, Any]:
        if not self._lease:
            lease = {"apiVersion": API, "kind": "Lease", "metadata": {"name": self._name}, "spec": spec}
            answer = await self._client.create(path(API, "leases", self._namespace), lease)
        else:
            answer = await self._client.replace(self._where(), {**self._lease, "spec": spec})
        written: dict[str, Any] = msgspec.json.decode(answer)
        return written

    async def _release(self) -> None:
        """Gives the Lease back, so that another takes over at once. The other may have it already."""
        held, self._renewed = self._renewed is not None, None
        if not held or self.holder != self._identity:
            return
        try:
            async with asyncio.timeout(self._times.release):
                self._take_note(await self._write({**self._spec(), "holderIdentity": "", "leaseDurationSeconds": 1}))
        except (KubeError, TimeoutError) as error:
            log.info("lease not given back", reason=str(error) or "no answer in time")

    def _take_note(self, lease: dict[str, Any]) -> None:
        if self._version(lease) != self._version(self._lease):
            self._seen = monotonic()
        self._lease = lease

    def _note(self, trouble: str) -> None:
        if not self._trouble:
            log.warning("lease not read or renewed", lease=f"{self._namespace}/{self._name}", reason=trouble)
        self._trouble = trouble

    def _where(self) -> str:
        return path(API, "leases", self._namespace, self._name)

    def _spec(self) -> dict[str, Any]:
        return self._lease.get("spec") or {}

    @staticmethod
    def _version(lease: Mapping[str, Any]) -> Any:
        return (lease.get("metadata") or {}).get("resourceVersion")


async def _run(duties: Mapping[str, Duty]) -> None:
    """All duties, until cancelled; the error of the first that fails is raised."""
    tasks = [asyncio.create_task(duty(), name=name) for name, duty in duties.items()]
    try:
        await asyncio.gather(*tasks, asyncio.Event().wait())
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
