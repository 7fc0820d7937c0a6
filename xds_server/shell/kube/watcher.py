"""The objects of one kind, listed and then watched, as a stream of what is true and what changes.

Lists come in chunks; a watch goes on from where the last one ended; a past that the server has forgotten (410) is a
new list, which replaces everything. Nothing ends it but cancelling: a server that is away, refuses or is overloaded is
asked again, ever less often, and what was known stays.
Source: https://kubernetes.io/docs/reference/using-api/api-concepts/#efficient-detection-of-changes
"""

import asyncio
import random
from collections.abc import AsyncIterator
from dataclasses import dataclass
from time import monotonic
from typing import Final

import msgspec

from xds_server.shell.kube.client import JSON, METADATA, KubeClient, path
from xds_server.shell.kube.errors import GoneError, KubeError, NotFoundError, RefusedError, refused

_CHUNK: Final = "500"
_WATCH_SECONDS: Final = 290
"""After which the server ends a watch; it is begun again without a list."""
_IDLE_SECONDS: Final = 90.0
"""Servers send a bookmark each minute: one that says nothing for longer is gone."""
_ABSENT_SECONDS: Final = 2.0
"""How often a kind that is not served is asked for."""
_SHORT_SECONDS: Final = 1.0
"""A watch that ends sooner is not begun again at once."""
_MOST_REFUSALS: Final = 3
"""How often in a row a watch may be refused before it begins with a new list: a server that was put back to an earlier
state, or cannot tell of one change, refuses the same version for ever.
"""
_FIRST_PAUSE: Final = 0.1
_LONGEST_PAUSE: Final = 5.0


@dataclass(frozen=True, slots=True)
class Watched:
    """What is watched. Selectors are written as in the API."""

    api_version: str
    plural: str
    namespace: str = ""
    label_selector: str = ""
    field_selector: str = ""
    metadata_only: bool = False
    """Objects come without spec and status."""

    def accept(self, suffix: str = "") -> str:
        """The media type to ask for."""
        return METADATA.format(suffix) if self.metadata_only else JSON


@dataclass(frozen=True, slots=True)
class Listed:
    """All objects that there are; whatever else was known is gone."""

    items: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Changed:
    """An object that is new or different."""

    item: bytes


@dataclass(frozen=True, slots=True)
class Removed:
    """An object that is gone, as it was last."""

    item: bytes


@dataclass(frozen=True, slots=True)
class Absent:
    """The cluster does not serve the kind (any more)."""


@dataclass(frozen=True, slots=True)
class Lost:
    """Nothing is heard now; what was known stays."""

    reason: str


Event = Listed | Changed | Removed | Absent | Lost


class _ListMeta(msgspec.Struct, rename="camel"):
    resource_version: str = ""
    continue_: str = msgspec.field(default="", name="continue")


class _List(msgspec.Struct):
    metadata: _ListMeta
    items: list[msgspec.Raw] | None = None


class _Meta(msgspec.Struct, rename="camel"):
    resource_version: str = ""


class _Bookmark(msgspec.Struct):
    metadata: _Meta = msgspec.field(default_factory=_Meta)


class _Line(msgspec.Struct):
    type: str
    object: msgspec.Raw


class _Error(msgspec.Struct):
    code: int = 500
    reason: str = ""
    message: str = ""


_LINE: Final = msgspec.json.Decoder(_Line)
_MARK: Final = msgspec.json.Decoder(_Bookmark)


class _Backoff:
    """Pauses that grow until something succeeds, none of them like another's."""

    def __init__(self) -> None:
        self._pause = _FIRST_PAUSE

    def reset(self) -> None:
        self._pause = _FIRST_PAUSE

    async def wait(self, least: float | None = None) -> None:
        await asyncio.sleep(max(self._pause * random.uniform(0.5, 1.5), least or 0.0))
        self._pause = min(self._pause * 2, _LONGEST_PAUSE)


async def watch(client: KubeClient, watched: Watched) -> AsyncIterator[Event]:
    """Everything, then every change, for ever."""
    backoff = _Backoff()
    since = ""
    refusals = 0
    while True:
        if refusals >= _MOST_REFUSALS:
            since, refusals = "", 0
        try:
            if not since:
                items, since = await list_all(client, watched)
                yield Listed(items)
            began = monotonic()
            async for event, version in _changes(client, watched, since):
                backoff.reset()
                refusals = 0
                since = version
                if event is not None:
                    yield event
            if monotonic() - began < _SHORT_SECONDS:
                await backoff.wait()
        except GoneError:
            since = ""
            await backoff.wait()
        except NotFoundError:
            since = ""
            yield Absent()
            await asyncio.sleep(_ABSENT_SECONDS)
        except msgspec.DecodeError as error:
            refusals += 1
            yield Lost(f"an answer that is no JSON of Kubernetes: {error}")
            await backoff.wait()
        except KubeError as error:
            refusals += isinstance(error, RefusedError)
            yield Lost(str(error))
            await backoff.wait(error.retry_after if isinstance(error, RefusedError) else None)


async def list_all(client: KubeClient, watched: Watched) -> tuple[tuple[bytes, ...], str]:
    """All objects, and the version of the collection that they are. Raises KubeError."""
    where = path(watched.api_version, watched.plural, watched.namespace)
    items: list[bytes] = []
    params = {**_selectors(watched), "limit": _CHUNK}
    while True:
        page = msgspec.json.decode(await client.get(where, params, accept=watched.accept("List")), type=_List)
        items += (bytes(item) for item in page.items or ())
        if not page.metadata.continue_:
            return tuple(items), page.metadata.resource_version
        params["continue"] = page.metadata.continue_


async def _changes(client: KubeClient, watched: Watched, since: str) -> AsyncIterator[tuple[Event | None, str]]:
    """What changes from a version on, each with its version, until the server ends the watch."""
    where = path(watched.api_version, watched.plural, watched.namespace)
    seconds = _WATCH_SECONDS + random.randrange(60)
    params = {
        **_selectors(watched),
        "watch": "true",
        "allowWatchBookmarks": "true",
        "resourceVersion": since,
        "timeoutSeconds": str(seconds),
    }
    async with client.stream(where, params, idle_seconds=_IDLE_SECONDS, accept=watched.accept()) as lines:
        async for line in lines:
            entry = _LINE.decode(line)
            if entry.type == "ERROR":
                error = msgspec.json.decode(entry.object, type=_Error)
                raise refused(error.code, error.reason, error.message)
            item = bytes(entry.object)
            version = _MARK.decode(item).metadata.resource_version
            if entry.type == "BOOKMARK":
                yield None, version
            elif entry.type == "DELETED":
                yield Removed(item), version
            else:
                yield Changed(item), version


def _selectors(watched: Watched) -> dict[str, str]:
    selectors = {"labelSelector": watched.label_selector, "fieldSelector": watched.field_selector}
    return {name: value for name, value in selectors.items() if value}
