"""TokenAdmission: a proxy proves by its ServiceAccount token which pod it is; its pod says which Gateways it serves.

The API server is asked what a token is worth (TokenReview), once per token. Who says to be another pod, or of another
Gateway, than the token proves is refused, whatever it knows.
Source: https://kubernetes.io/docs/reference/kubernetes-api/authentication-resources/token-review-v1/
"""

import asyncio
import time
from base64 import urlsafe_b64decode
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Final, Protocol

import grpc
import msgspec

from xds_server.model.meta import Key
from xds_server.shell.kube.client import KubeClient, path
from xds_server.shell.kube.errors import KubeError
from xds_server.shell.serve.admission import Admitted, Denied, Metadata
from xds_server.xds.node import GATEWAY, Node

_REVIEWS: Final = path("authentication.k8s.io/v1", "tokenreviews")
_PREFIX: Final = "system:serviceaccount:"
_POD_NAME: Final = "authentication.kubernetes.io/pod-name"
_MOST_KEPT: Final = 10_000
_REFUSED_SECONDS: Final = 10.0
"""How long a token that was refused is not asked about again."""
_WITHOUT_EXPIRY_SECONDS: Final = 600.0
_LEAST_SECONDS: Final = 60.0
"""How long a token that was found good is one at least: the API server's clock may be behind ours."""
_MOST_ASKED: Final = 16
"""Questions at once: whoever reaches the port may send tokens, and the API server has others to serve."""


class Member(Protocol):
    """What is known of a pod whose proxy may be served."""

    @property
    def gateways(self) -> tuple[Key, ...]:
        """The Gateways that it serves."""

    @property
    def services(self) -> tuple[Key, ...]:
        """The Services by whose names its node may go too, where it was deployed by hand."""

    @property
    def service_account(self) -> str:
        """Who it is to prove to be, in its namespace."""

    @property
    def terminating(self) -> bool:
        """The pod is about to end."""


@dataclass(frozen=True, slots=True)
class Proven:
    """What a token proves: the pod, its ServiceAccount in the same namespace, and until when (seconds since 1970)."""

    pod: Key
    service_account: str
    until: float


class TokenAdmission:
    """Admits proxies by their tokens. `member` looks a pod up; `denied` is told the status of each refusal."""

    def __init__(
        self,
        client: KubeClient,
        audience: str,
        member: Callable[[Key], Member | None],
        *,
        denied: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._reviews = Reviews(client, audience)
        self._member = member
        self._denied = denied

    async def admit(self, node: Node, metadata: Metadata, /) -> Admitted:
        """Raises Denied. The pod is looked up last: nothing is awaited after that."""
        try:
            return self._admitted(node, await self._reviews.proven(_token(metadata)))
        except Denied as denied:
            self._denied(denied.code.name)
            raise

    def _admitted(self, node: Node, proven: Proven) -> Admitted:
        pod = f"{proven.pod.name}.{proven.pod.namespace}"
        if node.kind != GATEWAY or node.pod != pod:
            raise Denied(grpc.StatusCode.PERMISSION_DENIED, f"the token is of pod {pod}, node.id says {node.id}")
        member = self._member(proven.pod)
        if member is None:
            raise Denied(grpc.StatusCode.UNAVAILABLE, f"pod {pod} is not known, or serves no Gateway")
        if proven.service_account != member.service_account:  # a pod of that name that was there before
            reason = f"pod {pod} has ServiceAccount {member.service_account}, the token is of {proven.service_account}"
            raise Denied(grpc.StatusCode.PERMISSION_DENIED, reason)
        named = Key(node.namespace, node.name)
        if named not in (*member.gateways, *member.services):
            gateways = ", ".join(map(str, member.gateways)) or "none"
            reason = f"pod {pod} does not serve {named}; its Gateways: {gateways}"
            raise Denied(grpc.StatusCode.PERMISSION_DENIED, reason)
        return Admitted(member.gateways, until=proven.until, draining=member.terminating)


@dataclass(slots=True)
class Reviews:
    """What the API server said of tokens, kept by their hash until they expire. At most one question per token."""

    client: KubeClient
    audience: str
    _known: "OrderedDict[bytes, tuple[float, Proven | Denied]]" = field(default_factory=OrderedDict)
    _asking: dict[bytes, asyncio.Task[Proven | Denied]] = field(default_factory=dict)
    _turn: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(_MOST_ASKED))

    async def proven(self, token: str) -> Proven:
        """What the token proves; raises Denied."""
        id_ = sha256(token.encode()).digest()
        until, found = self._known.get(id_, (0.0, None))
        if found is None or until <= time.time():
            task = self._asking.get(id_)
            if task is None:
                task = self._asking[id_] = asyncio.create_task(self._ask(token), name="token-review")
                task.add_done_callback(lambda _: self._asking.pop(id_, None))
            found = await asyncio.shield(task)
            self._keep(id_, found)
        if isinstance(found, Denied):
            raise Denied(found.code, found.reason)
        return found

    def _keep(self, id_: bytes, found: Proven | Denied) -> None:
        if isinstance(found, Denied):
            if found.code is grpc.StatusCode.UNAVAILABLE:
                return
            until = time.time() + _REFUSED_SECONDS
        else:
            until = found.until
        self._known[id_] = (until, found)
        self._known.move_to_end(id_)
        while len(self._known) > _MOST_KEPT:
            self._known.popitem(last=False)

    async def _ask(self, token: str) -> Proven | Denied:
        review = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenReview",
            "spec": {"token": token, "audiences": [self.audience]},
        }
        try:
            async with self._turn:
                answer = await self.client.create(_REVIEWS, review)
            status = msgspec.json.decode(answer).get("status") or {}
        except KubeError as error:
            return Denied(grpc.StatusCode.UNAVAILABLE, f"the token cannot be reviewed now: {error}")
        return self._judged(token, status)

    def _judged(self, token: str, status: dict[str, Any]) -> Proven | Denied:
        if not status.get("authenticated"):
            reason = status.get("error") or "it is not valid"
            return Denied(grpc.StatusCode.UNAUTHENTICATED, f"the token was refused: {reason}")
        if self.audience not in (status.get("audiences") or ()):
            return Denied(grpc.StatusCode.UNAUTHENTICATED, f"the token is not for {self.audience}")
        user = status.get("user") or {}
        namespace, _, account = str(user.get("username", "")).removeprefix(_PREFIX).partition(":")
        pods: list[str] = (user.get("extra") or {}).get(_POD_NAME) or []
        if not str(user.get("username", "")).startswith(_PREFIX) or not account or len(pods) != 1:
            return Denied(grpc.StatusCode.PERMISSION_DENIED, "the token is not that of a pod")
        return Proven(Key(namespace, pods[0]), account, max(_expiry(token), time.time() + _LEAST_SECONDS))


def _token(metadata: Metadata) -> str:
    for name, value in metadata:
        if name == "authorization" and isinstance(value, str) and value[:7].lower() == "bearer ":
            return value[7:].strip()
    raise Denied(grpc.StatusCode.UNAUTHENTICATED, "no token came: authorization: Bearer TOKEN is expected")


def _expiry(token: str) -> float:
    """When a token that was found good is over. It is not for us to check its signature again."""
    try:
        body = token.split(".")[1]
        claims = msgspec.json.decode(urlsafe_b64decode(body + "=" * (-len(body) % 4)))
        return float(claims["exp"])
    except (IndexError, KeyError, TypeError, ValueError):
        return time.time() + _WITHOUT_EXPIRY_SECONDS
