"""The provisioner: what the table `desired` says of each Gateway, brought into the cluster wherever it differs.

In: rows of `desired`, and what was made, as the API server has it. Out: server-side applies and deletions; what kept
them from being done, as rows of `provisions`, and pods from being made, as rows of `rollouts`. Runs while this replica
leads. Never touches what is not ours: what has the name of something new is looked at first; an apply that is to create
carries a resourceVersion that nothing existing has, one that is to change carries the uid of what it changes. What
another changes back again and again is applied ever less often: see contest.py.
"""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec
import structlog

from xds_server.control import Changes, Control, Round
from xds_server.infra import names
from xds_server.infra.desired import Desired, Provision
from xds_server.infra.service import without_cluster_ip
from xds_server.model.meta import Key
from xds_server.semantics.statuses import Trouble
from xds_server.shell.kube.client import NO_VERSION, KubeClient, path
from xds_server.shell.kube.contest import Contests, told_contenders
from xds_server.shell.kube.errors import (
    BusyError,
    ConflictError,
    EndingError,
    InvalidError,
    NotFoundError,
    RefusedError,
    UnreachableError,
)
from xds_server.shell.kube.pace import Rests
from xds_server.shell.kube.provisioned import MADE, Found, Json, Made, ObjectId, Provisioned, applied, digest, found
from xds_server.shell.kube.watcher import Absent, Changed, Event, Listed, Lost, Removed, Watched, watch
from xds_server.shell.kube.work_queue import WorkQueue

log = structlog.get_logger()

_WORKERS: Final = 8
_FIRST_PAUSE: Final = 0.5
_LONGEST_PAUSE: Final = 60.0
_GATEWAY_API: Final = "gateway.networking.k8s.io/v1"


class _LaterError(Exception):
    """Something is on its way out, or was changed by somebody else at this moment."""


@dataclass(frozen=True, slots=True)
class _Applied:
    """What was applied to an object, and what came of it."""

    wanted: bytes
    fingerprint: bytes


class Provisioner:
    """One cluster, one controller name. `manager` is the field manager of what it applies."""

    def __init__(
        self,
        client: KubeClient,
        control: Control,
        *,
        manager: str,
        controller_name: str,
        namespaces: Sequence[str] = (),
    ) -> None:
        self.queue: WorkQueue[Key] = WorkQueue()
        self.wrote: Callable[[str, str], None] = lambda *_: None
        """Told what became of a write of a kind: applied, unchanged, deleted or refused."""
        self.notice: Callable[[Key, str, str, str], None] = lambda *_: None
        """Told what a person should know of a Gateway: its uid, a reason in one word, a sentence."""
        self.served: Callable[[], str | None] = lambda: None
        """The apiVersion under which the cluster serves Gateways."""
        self.contests: Contests[ObjectId] = Contests()
        """Objects that somebody else changes back."""
        self.caught_up = asyncio.Event()
        """Set once every Gateway has been looked after since this replica leads: problems of theirs are known."""
        self._client = client
        self._control = control
        self._manager = manager
        self._selector = names.selector(controller_name)
        self._namespaces = tuple(namespaces) or ("",)
        self._known = Provisioned()
        self._applied: dict[Key, dict[ObjectId, _Applied]] = {}
        """By Gateway."""
        self._unlisted: set[tuple[str, str]] = set()
        self._listed = asyncio.Event()
        self._rests: Rests[Key] = Rests(_FIRST_PAUSE, _LONGEST_PAUSE)
        self._told: dict[Key, Provision] = {}
        self._rollouts: dict[Key, Trouble] = {}
        self._active = False
        control.watch(self._settled)

    @property
    def problems(self) -> Mapping[Key, Provision]:
        """What keeps Gateways from being as they are to be, now."""
        return self._told

    async def run(self) -> None:
        """Brings everything about that differs, until cancelled."""
        self._known, self._active = Provisioned(), True
        for memory in (self._applied, self.contests, self._rests, self._listed, self.caught_up):
            memory.clear()
        self._unlisted = {(kind, namespace) for kind in MADE for namespace in self._namespaces}
        try:
            for gateway in (*self._desired(), *self._told, *self._rollouts):
                self.queue.put(gateway)
            async with asyncio.TaskGroup() as group:
                for kind, namespace in sorted(self._unlisted):
                    group.create_task(self._follow(MADE[kind], namespace), name=f"made-{kind}-{namespace}")
                for number in range(_WORKERS):
                    group.create_task(self._work(), name=f"provision-{number}")
        finally:
            self._active = False
            self.queue.clear()

    def _settled(self, round_: Round) -> None:
        if self._active and (deployments := self._control.pipeline.deployments) is not None:
            for gateway in round_.settled.keys(deployments.desired):
                self.queue.put(gateway)

    def _desired(self) -> Mapping[Key, Desired]:
        deployments = self._control.pipeline.deployments
        return dict(deployments.desired.items()) if deployments is not None else {}

    # What there is.

    async def _follow(self, made: Made, namespace: str) -> None:
        watched = Watched(made.api_version, made.plural, namespace, self._selector)
        lost = ""
        async for event in watch(self._client, watched):
            if isinstance(event, Lost):
                if not lost:
                    log.warning("watch lost", kind=made.kind, namespace=namespace or None, reason=event.reason)
                lost = event.reason
                continue
            lost = ""
            for gateway in self._heard(made.kind, namespace, event):
                self.queue.put(gateway)
            self._unlisted.discard((made.kind, namespace))
            if not self._unlisted:
                self._listed.set()

    def _heard(self, kind: str, namespace: str, event: Event) -> set[Key]:
        """The Gateways that have to be looked after for it."""
        match event:
            case Listed(items):
                return self._known.replace(kind, namespace, [self._read(kind, item) for item in items])
            case Absent():
                return self._known.replace(kind, namespace, [])
            case Removed(item):
                before = self._known.forget(self._read(kind, item).id)
                return {before.gateway} if before is not None and before.gateway is not None else set()
            case Changed(item):
                one = self._read(kind, item)
                before = self._known.get(one.id)
                self._known.note(one)
                touched = {one.gateway, before.gateway if before else None} if one != before else set()
                return {key for key in touched if key is not None}
        return set()

    def _read(self, kind: str, item: bytes) -> Found:
        return found(kind, msgspec.json.decode(item), self._manager)

    # What is to be there.

    async def _work(self) -> None:
        await self._listed.wait()
        while True:
            if not len(self.queue):
                self.caught_up.set()
            gateway = await self.queue.take()
            try:
                await self._look_after(gateway)
            finally:
                self.queue.done(gateway)

    async def _look_after(self, gateway: Key) -> None:
        """One Gateway. What goes wrong is told, and tried again ever less often."""
        again = True
        try:
            problems = await self._bring(gateway)
        except _LaterError as error:
            log.info("deployment waits", gateway=str(gateway), reason=str(error))
        except (UnreachableError, BusyError) as error:
            log.warning("deployment not brought about", gateway=str(gateway), reason=str(error))
        except RefusedError as error:
            self._tell(gateway, [Provision("NoResources", f"The API server refuses: {error}")])
        except Exception:  # whatever it is, other Gateways are deployed
            log.exception("deploying failed", gateway=str(gateway))
        else:
            self._tell(gateway, problems)
            again = bool(problems)
        before, trouble = self._rollouts.pop(gateway, None), self._known.trouble(gateway)
        self._rollouts |= {gateway: trouble} if trouble else {}
        if trouble != before:
            self._control.submit(Changes(rollouts={gateway: trouble}))
        if not again:
            self._rests.over(gateway)
            return
        self.queue.put_later(gateway, self._rests.failed(gateway))

    async def _bring(self, gateway: Key) -> list[Provision]:
        """Makes what is missing or differs, removes what is left over. What kept it from being done."""
        deployments = self._control.pipeline.deployments
        row = deployments.desired.get(gateway) if deployments is not None else None
        if row is None:
            self._forget(gateway, ())
            there = self._control.pipeline.inputs.kinds["Gateway"].get(gateway)
            if there is not None:  # it is another controller's now; what a deleted one owns goes with it
                await self._prune(gateway, there.metadata.uid, set())
            return []
        if row.objects is None:
            return []
        problems = []
        wanted = {(one["kind"], Key(gateway.namespace, one["metadata"]["name"])): one for one in row.objects}
        if any(self._known.get(id_) is None for id_ in wanted) and not await self._lives(gateway, row.uid):
            return []
        taken = [id_ for id_ in wanted if not await self._free(id_, gateway, row.uid)]
        for kind, key in taken:
            message = f"{kind} {key} is there already and was not made for this Gateway"
            problems.append(Provision("NoResources", message))
        if not taken or any(one.owner == row.uid for one in self._known.of(gateway)):
            for id_, value in wanted.items():
                if id_ not in taken:
                    problems += await self._apply(gateway, id_, value, wanted)
        await self._prune(gateway, row.uid, wanted.keys())
        self._forget(gateway, wanted.keys())
        return problems

    def _forget(self, gateway: Key, wanted: Collection[ObjectId]) -> None:
        """What was applied that is wanted no more."""
        applied_ = self._applied.get(gateway, {})
        for id_ in applied_.keys() - wanted:
            del applied_[id_]
            self.contests.forget(id_)
        if not applied_:
            self._applied.pop(gateway, None)

    async def _lives(self, gateway: Key, uid: str) -> bool:
        """Is the Gateway still there? What it owns may be gone since it is gone, before that is heard of here."""
        try:
            value = await self._client.get_object(path(self.served() or _GATEWAY_API, "gateways", *gateway))
        except NotFoundError:
            return False
        return value["metadata"]["uid"] == uid and "deletionTimestamp" not in value["metadata"]

    async def _free(self, id_: ObjectId, gateway: Key, uid: str) -> bool:
        """Is the name free, or the object of that name ours?"""
        known = self._known.get(id_)
        if known is None or known.owner != uid or known.leaving:
            try:
                value = await self._client.get_object(self._known.where(id_))
            except NotFoundError:
                self._known.forget(id_)
                return True
            known = found(id_[0], value, self._manager)
            if known.leaving or (known.managed and known.gateway == gateway and known.owner != uid):
                raise _LaterError(f"{id_[0]} {id_[1]} is being deleted, or is of an earlier Gateway of that name")
            if known.owner == uid and known.managed:
                self._known.note(known)
        return known.owner == uid and known.managed

    async def _apply(
        self, gateway: Key, id_: ObjectId, value: Json, wanted: Mapping[ObjectId, Json]
    ) -> list[Provision]:
        sent = digest(value)
        if self._stands(gateway, id_, sent):
            return []
        if (pause := self.contests.pause(id_, sent)) > 0:
            self.queue.put_later(gateway, pause)
            return []
        return [] if await self._stands_now(gateway, id_, sent) else await self._send(gateway, id_, value, wanted)

    async def _send(self, gateway: Key, id_: ObjectId, value: Json, wanted: Mapping[ObjectId, Json]) -> list[Provision]:
        known, sent = self._known.get(id_), digest(value)
        other = await self._other(id_, value) if self.contests.is_news(id_, sent) else ""
        precondition = {"uid": known.uid} if known is not None else {"resourceVersion": NO_VERSION}
        if known is not None:
            await self._leave_replicas(id_, known, wanted)
        try:
            answer = await self._client.apply(
                self._known.where(id_), self._owned(value, precondition), manager=self._manager
            )
        except ConflictError as error:
            self._known.forget(id_)
            raise _LaterError(str(error)) from error
        except EndingError as error:
            raise _LaterError(str(error)) from error
        except BusyError:
            raise
        except InvalidError as error:
            without = without_cluster_ip(value)
            if without is not None:
                return await self._apply(gateway, id_, without, wanted)
            return self._refused(gateway, id_, error)
        except RefusedError as error:
            return self._refused(gateway, id_, error)
        one = self._read(id_[0], answer)
        self._known.note(one)
        self._applied.setdefault(gateway, {})[id_] = _Applied(sent, one.fingerprint)
        changed = known is None or known.fingerprint != one.fingerprint
        self.wrote(id_[0], "applied" if changed else "unchanged")
        if changed:
            log.info("applied", object=f"{id_[0]} {id_[1]}", new=known is None)
            if self.contests.wrote(id_, sent):
                self._tell_contest(gateway, id_, other)
        return []

    def _stands(self, gateway: Key, id_: ObjectId, sent: bytes) -> bool:
        known = self._known.get(id_)
        return known is not None and self._applied.get(gateway, {}).get(id_) == _Applied(sent, known.fingerprint)

    async def _stands_now(self, gateway: Key, id_: ObjectId, sent: bytes) -> bool:
        """Asked of the API server before the same is applied again: what was heard may be older than that."""
        known, before = self._known.get(id_), self._applied.get(gateway, {}).get(id_)
        if known is None or before is None or before.wanted != sent:
            return False
        try:
            now = found(id_[0], await self._client.get_object(self._known.where(id_)), self._manager)
        except NotFoundError:
            return False
        if now.uid == known.uid:
            self._known.note(now)
        return self._stands(gateway, id_, sent)

    async def _other(self, id_: ObjectId, value: Json) -> str:
        """Who changed an object that is about to be applied once more."""
        try:
            live = await self._client.get_object(self._known.where(id_))
        except NotFoundError:
            live = None
        return told_contenders(live, value, self._manager)

    def _tell_contest(self, gateway: Key, id_: ObjectId, other: str) -> None:
        log.warning("another changes what is applied", object=f"{id_[0]} {id_[1]}", gateway=str(gateway), reason=other)
        row = self._desired().get(gateway)
        text = f"{id_[0]} {id_[1]} is changed back again and again, and put right ever less often: {other}"
        self.notice(gateway, row.uid if row else "", "Contended", text)

    def _refused(self, gateway: Key, id_: ObjectId, error: RefusedError) -> list[Provision]:
        self.wrote(id_[0], "refused")
        self._applied.get(gateway, {}).pop(id_, None)
        reason = "Invalid" if isinstance(error, InvalidError) else "NoResources"
        return [Provision(reason, f"The API server refuses {id_[0]} {id_[1]}: {error}")]

    def _owned(self, value: Json, precondition: Mapping[str, str]) -> dict[str, Any]:
        """The object with what it may be applied to, and with its owner by the version that there is."""
        version = self.served() or _GATEWAY_API
        owners = [{**one, "apiVersion": version} for one in value["metadata"]["ownerReferences"]]
        return {**value, "metadata": {**value["metadata"], **precondition, "ownerReferences": owners}}

    async def _leave_replicas(self, id_: ObjectId, known: Found, wanted: Collection[ObjectId]) -> None:
        """Leaves a Deployment's number of replicas as it is to an autoscaler: given up only, it would be one again.

        https://kubernetes.io/docs/reference/using-api/server-side-apply/#transferring-ownership
        """
        if id_[0] != "Deployment" or all(kind != "HorizontalPodAutoscaler" for kind, _ in wanted):
            return
        value = await self._client.get_object(self._known.where(id_))
        spec = (applied(value, self._manager) or {}).get("f:spec") or {}
        if "f:replicas" in spec and value["metadata"]["uid"] == known.uid:
            head = {"apiVersion": value["apiVersion"], "kind": value["kind"]}
            metadata = {"name": id_[1].name, "namespace": id_[1].namespace, "uid": known.uid}
            left = {**head, "metadata": metadata, "spec": {"replicas": value["spec"]["replicas"]}}
            await self._client.apply(self._known.where(id_), left, manager=f"{self._manager}-replicas")

    async def _prune(self, gateway: Key, uid: str, wanted: Any) -> None:
        for one in self._known.of(gateway):
            if one.owner != uid or one.id in wanted or one.leaving or not one.managed:
                continue
            options = {"preconditions": {"uid": one.uid}, "propagationPolicy": "Background"}
            try:
                await self._client.delete(self._known.where(one.id), options)
            except (NotFoundError, ConflictError):
                continue
            self.wrote(one.id[0], "deleted")
            log.info("deleted", object=f"{one.id[0]} {one.id[1]}", gateway=str(gateway))

    def _tell(self, gateway: Key, problems: Sequence[Provision]) -> None:
        """Into the table, for the Gateway's status; in the log once."""
        problem = Provision(problems[0].reason, "; ".join(one.message for one in problems)) if problems else None
        if self._told.get(gateway) == problem:
            return
        if problem is None:
            del self._told[gateway]
            log.info("deployment problem is over", gateway=str(gateway))
        else:
            self._told[gateway] = problem
            log.error("not deployed as wanted", gateway=str(gateway), reason=problem.message)
            row = self._desired().get(gateway)
            self.notice(gateway, row.uid if row else "", "NotDeployed", problem.message)
        self._control.submit(Changes(provisions={gateway: problem}))
