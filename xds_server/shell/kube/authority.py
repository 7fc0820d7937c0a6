"""The authority as it is kept in the cluster, the certificate that this replica shows, and what proxies trust.

The leader keeps the Secret and tells proxies by a ConfigMap in every namespace where they may be; every replica follows
the Secret and signs its own leaf, in memory. What is in memory serves on whatever becomes of the Secret: a leader makes
a lost one anew from it.
"""

import asyncio
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

import grpc
import msgspec
import structlog

from xds_server.infra import names
from xds_server.shell.kube.client import NO_VERSION, KubeClient, path
from xds_server.shell.kube.errors import ConflictError, EndingError, KubeError, NotFoundError
from xds_server.shell.kube.watcher import Changed, Listed, Removed, Watched, watch
from xds_server.shell.pki import (
    RENEW_BEFORE,
    Authority,
    Pair,
    UnusableAuthorityError,
    leaf,
    new_authority,
    read,
    turned,
)

log = structlog.get_logger()

ROTATE: Final = "xds-server.dev/rotate"
"""An annotation of the Secret, with any value: a successor is made soon, however young the authority is."""
_LOOK_SECONDS: Final = 60.0
_ENDING_SECONDS: Final = 45.0
"""What pods are given to end in: 30 seconds of grace, and what their nodes take."""
_RETRY_SECONDS: Final = 2.0
"""After the first trouble; twice that after each further one, up to _LOOK_SECONDS."""


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(slots=True)
class ServerIdentity:
    """What this replica shows to proxies, renewed in time. `names` are the hosts that proxies connect to."""

    client: KubeClient
    namespace: str
    installation: str
    hosts: tuple[str, ...]
    authority: Authority | None = None
    leaf: Pair | None = None
    known: asyncio.Event = field(default_factory=asyncio.Event)
    """Set once there is something to show."""
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the Secret is other than it was."""
    rotate: bool = False
    """The Secret asks for a successor."""

    @property
    def secret(self) -> str:
        """The Secret's name."""
        return f"{self.installation}-authority"

    def credentials(self) -> grpc.ServerCredentials:
        """For a port: new connections are shown the newest leaf, running ones stay. Call it once `known` is set."""
        return grpc.dynamic_ssl_server_credentials(self._configuration(), self._configuration)

    def _configuration(self) -> Any:
        assert self.leaf is not None, "it is known by now"
        return grpc.ssl_server_certificate_configuration([(self.leaf.key, self.leaf.certificate)])

    async def follow(self) -> None:
        """Follows the Secret and renews the leaf, until cancelled."""
        renewing = asyncio.create_task(self._renew(), name="leaf")
        try:
            watched = Watched("v1", "secrets", self.namespace, field_selector=f"metadata.name={self.secret}")
            async for event in watch(self.client, watched):
                match event:
                    case Listed(items):
                        self._take(items[0] if items else b"")
                    case Changed(item):
                        self._take(item)
                    case Removed():
                        self._take(b"")
        finally:
            renewing.cancel()

    def _take(self, raw: bytes) -> None:
        self.changed.set()
        if not raw:
            if self.authority is not None:
                log.warning("authority's secret is gone; what it held is served on", secret=self.secret)
            return
        document = msgspec.json.decode(raw)
        self.rotate = ROTATE in (document["metadata"].get("annotations") or {})
        try:
            self.adopt(read({key: b64decode(value) for key, value in (document.get("data") or {}).items()}))
        except (UnusableAuthorityError, ValueError) as error:
            log.error("authority's secret is unusable", secret=self.secret, reason=str(error), kept=self.known.is_set())

    def adopt(self, authority: Authority) -> None:
        """Signs by this authority from now on."""
        if authority == self.authority:
            return
        before, self.authority = self.authority, authority
        if before is None or before.current != authority.current:
            self._sign()
        self.known.set()

    def _sign(self) -> None:
        assert self.authority is not None, "it is known by now"
        self.leaf = leaf(self.authority, self.hosts, _now())
        log.info("certificate signed", hosts=self.hosts, until=self.leaf.not_after.isoformat())

    async def _renew(self) -> None:
        while True:
            if self.leaf is not None and _now() >= self.leaf.not_after - RENEW_BEFORE:
                try:
                    self._sign()
                except ValueError as error:
                    log.error("certificate not signed", reason=str(error))
            await asyncio.sleep(_LOOK_SECONDS)


@dataclass(slots=True)
class AuthorityKeeper:
    """The leader's part: the Secret and the ConfigMaps. `namespaces` says where proxies may be, now; `documents` what
    they need beside the certificates.
    """

    identity: ServerIdentity
    controller_name: str
    namespaces: Callable[[], Iterable[str]]
    documents: Mapping[str, str]
    watched: Sequence[str] = ()
    """The namespaces in which the server may read; empty for all."""
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    """To be set when `namespaces` may have changed."""
    _there: dict[str, dict[str, Any]] = field(default_factory=dict)
    """The ConfigMaps of that name, by namespace."""
    _since: dict[str, float] = field(default_factory=dict)
    """When namespaces were seen to have no Gateway any more, by the event loop's clock."""
    refused: set[str] = field(default_factory=set)
    """The namespaces whose ConfigMap of that name is somebody else's: proxies there cannot connect."""

    async def run(self) -> None:
        """Keeps them as they are to be, until cancelled."""
        places = {*self.watched, self.identity.namespace} if self.watched else {""}
        watching = [asyncio.create_task(self._watch(one), name=f"authority-config-maps-{one}") for one in places]
        pause = _RETRY_SECONDS
        try:
            while True:
                self.wake.clear()
                self.identity.changed.clear()
                done = await self._tried()
                await self._woken(_LOOK_SECONDS if done else pause)
                pause = _RETRY_SECONDS if done else min(2 * pause, _LOOK_SECONDS)
        finally:
            for task in watching:
                task.cancel()
            await asyncio.gather(*watching, return_exceptions=True)

    async def _woken(self, seconds: float) -> None:
        waits = [asyncio.create_task(one.wait()) for one in (self.wake, self.identity.changed)]
        try:
            await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in waits:
                one.cancel()

    async def _tried(self) -> bool:
        try:
            authority = await self._keep_secret()
        except KubeError as error:
            log.warning("authority not kept", reason=str(error))
            return False
        self.refused.intersection_update(self._wanted())
        done = [await self._published(namespace, authority) for namespace in sorted(self._wanted())]
        for namespace in self._left():
            await self._withdraw(namespace)
        return all(done)

    def _left(self) -> list[str]:
        """The namespaces that have had no Gateway for so long that no proxy is left: one that ends still mounts it."""
        now = asyncio.get_running_loop().time()
        unwanted = self._there.keys() - self._wanted()
        self._since = {one: self._since.get(one, now) for one in unwanted}
        return sorted(one for one, since in self._since.items() if now >= since + _ENDING_SECONDS)

    async def _published(self, namespace: str, authority: Authority) -> bool:
        """One namespace's trouble is none of another's."""
        try:
            return await self._publish(namespace, authority)
        except KubeError as error:
            log.warning("authority not published", namespace=namespace, reason=str(error))
            return False

    def _wanted(self) -> set[str]:
        return {self.identity.namespace, *self.namespaces()}

    async def _keep_secret(self) -> Authority:
        """The authority as it is to be now, written where it differs."""
        identity, now = self.identity, _now()
        where = path("v1", "secrets", identity.namespace, identity.secret)
        try:
            live = await identity.client.get_object(where)
        except NotFoundError:
            authority = identity.authority or new_authority(identity.installation, now)
            await identity.client.create(path("v1", "secrets", identity.namespace), self._secret(authority, {}))
            log.info("authority made", secret=identity.secret, anew=identity.authority is None)
            identity.adopt(authority)
            return authority
        try:
            kept = read({key: b64decode(value) for key, value in (live.get("data") or {}).items()})
        except (UnusableAuthorityError, ValueError) as error:
            kept = identity.authority or new_authority(identity.installation, now)
            log.error("authority's secret is unusable and written anew", secret=identity.secret, reason=str(error))
        asked = ROTATE in (live["metadata"].get("annotations") or {})
        authority = turned(kept, identity.installation, now, at_once=asked)
        if asked or authority.data() != {key: b64decode(value) for key, value in (live.get("data") or {}).items()}:
            await identity.client.replace(where, self._secret(authority, live["metadata"]))
            log.info("authority written", secret=identity.secret, turning=authority.successor is not None)
        identity.adopt(authority)
        return authority

    def _secret(self, authority: Authority, metadata: Mapping[str, Any]) -> dict[str, Any]:
        annotations = {key: value for key, value in (metadata.get("annotations") or {}).items() if key != ROTATE}
        return {
            "apiVersion": "v1",
            "kind": "Secret",
            "type": "Opaque",
            "metadata": {
                **metadata,
                "name": self.identity.secret,
                "labels": {**(metadata.get("labels") or {}), **self._labels()},
                "annotations": annotations,
            },
            "data": {key: b64encode(value).decode() for key, value in authority.data().items()},
        }

    async def _publish(self, namespace: str, authority: Authority) -> bool:
        """The ConfigMap of a namespace, as it is to be; False where its name is taken."""
        name = names.authority_config_map(self.identity.installation)
        data = {"ca.crt": authority.bundle.decode(), **self.documents}
        live = self._there.get(namespace)
        if live is not None:
            if not self._is_ours(live):
                self._refuse(namespace, live)
                return False
            if live.get("data") == data and names.home(live["metadata"]):
                self.refused.discard(namespace)
                return True
        body: dict[str, Any] = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {
                "name": name,
                "namespace": namespace,
                "labels": self._labels(),
                "annotations": {names.HOME_ANNOTATION: self.identity.namespace},
                # What somebody made, or took, meanwhile is theirs; by its managers it may look like ours.
                "resourceVersion": live["metadata"]["resourceVersion"] if live else NO_VERSION,
            },
            "data": data,
        }
        client, manager = self.identity.client, self.identity.installation
        where = path("v1", "configmaps", namespace, name)
        try:
            written = await client.apply(where, body, manager=manager)
        except NotFoundError:
            self._there.pop(namespace, None)  # the namespace is gone
            return False
        except EndingError:
            return True  # it is about to be
        except ConflictError:
            self._there[namespace] = await client.get_object(where)
            return await self._publish(namespace, authority) if live is None else False
        self._there[namespace] = msgspec.json.decode(written)
        self.refused.discard(namespace)
        return True

    def _refuse(self, namespace: str, live: Mapping[str, Any]) -> None:
        """Told once."""
        if namespace in self.refused:
            return
        self.refused.add(namespace)
        home = names.home(live["metadata"])
        log.error(
            "config map is not ours: proxies here cannot connect",
            namespace=namespace,
            name=live["metadata"]["name"],
            kept_by=f"a server of this name in namespace {home}" if home else "somebody else",
        )

    async def _withdraw(self, namespace: str) -> None:
        """No proxy of ours is there any more."""
        live = self._there.pop(namespace)
        if not self._is_ours(live):
            return
        name = names.authority_config_map(self.identity.installation)
        try:
            # By its version: somebody may have taken it since, which no watch has told yet.
            known = {key: live["metadata"][key] for key in ("uid", "resourceVersion")}
            await self.identity.client.delete(path("v1", "configmaps", namespace, name), {"preconditions": known})
        except (NotFoundError, ConflictError):
            log.debug("config map was gone, or is another's", namespace=namespace, name=name)
        except KubeError as error:
            self._there[namespace] = live
            log.warning("config map not removed", namespace=namespace, name=name, reason=str(error))

    def _is_ours(self, live: Mapping[str, Any]) -> bool:
        labelled = self._labels().items() <= (live["metadata"].get("labels") or {}).items()
        return labelled and names.home(live["metadata"]) in ("", self.identity.namespace)

    def _labels(self) -> dict[str, str]:
        return {
            names.MANAGED_LABEL: names.MANAGED,
            names.CONTROLLER_LABEL: names.controller(self.controller_name),
            "app.kubernetes.io/instance": self.identity.installation,
        }

    async def _watch(self, place: str) -> None:
        """The ConfigMaps of that name in a namespace, or in all."""
        name = names.authority_config_map(self.identity.installation)
        watched = Watched("v1", "configmaps", place, field_selector=f"metadata.name={name}")
        async for event in watch(self.identity.client, watched):
            match event:
                case Listed(items):
                    found = [msgspec.json.decode(item) for item in items]
                    kept = {key: one for key, one in self._there.items() if place and key != place}
                    self._there = kept | {one["metadata"]["namespace"]: one for one in found}
                case Changed(item):
                    one = msgspec.json.decode(item)
                    self._there[one["metadata"]["namespace"]] = one
                case Removed(item):
                    self._there.pop(msgspec.json.decode(item)["metadata"]["namespace"], None)
                case _:
                    continue
            self.wake.set()
