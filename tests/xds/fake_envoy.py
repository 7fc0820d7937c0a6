"""A simulated Envoy without I/O: the client's half of ADS as Envoy 1.40 was seen to speak it.

It keeps what it applied across streams. Bodies are read for what makes Envoy ask for more or refuse; see `Body`. Modelled
are warming, which holds back answers about clusters and, on a new stream, the request for them; asking for listeners only
once the first clusters are ready; rejection at decoding (nothing applied), one by one (clusters, listeners) or at the
first bad one (the rest); the rejected cluster that stays among those that warm; and SotW's merging of held answers.
Not modelled are timeouts: what would cost Envoy 15 s leaves this one waiting for ever, and a test finds it.
"""

from collections import deque
from dataclasses import dataclass
from typing import Any

from tests.xds.fills import EMPTY, read_delta, read_sotw
from xds_server.pb import discovery_pb2
from xds_server.wire.part import digest
from xds_server.xds.encoding import stand_in
from xds_server.xds.resource import BY_URL, ResourceType

CLUSTER, ENDPOINT, LISTENER, SECRET, ROUTE = ResourceType
WILDCARDS = (CLUSTER, LISTENER)
ORDER = (CLUSTER, ENDPOINT, LISTENER, SECRET, ROUTE)


@dataclass(frozen=True)
class Body:
    """A content such as `2 eds=e secret=s routes=r to=a,b bad=decode`: a version, and what it means to Envoy."""

    text: str

    def words(self, key: str) -> tuple[str, ...]:
        found = [word.partition("=")[2] for word in self.text.split() if word.startswith(f"{key}=")]
        return tuple(name for names in found for name in names.split(",") if name)

    @property
    def bad(self) -> str:
        """ "decode", "apply", "ghost" or "" for a good one."""
        return next(iter(self.words("bad")), "")


class FakeEnvoy:
    """`requests` is what it wants to send; `receive` takes a response. `connect` begins a new stream."""

    def __init__(self, *, delta: bool) -> None:
        self.delta = delta
        self.held: dict[ResourceType, dict[str, Body]] = {type_: {} for type_ in ORDER}
        self.warming: dict[str, set[tuple[ResourceType, str]]] = {}
        """Clusters and listeners, and what each still waits for; a name is prefixed by its type."""
        self.active: set[str] = set()
        """Clusters that traffic can be sent to."""
        self.ghosts: set[str] = set()
        self.started = False
        """It has asked for listeners."""
        self.recorded: dict[ResourceType, dict[str, str]] = {type_: {} for type_ in ORDER}
        """Delta: versions by name; SotW: under "" the last accepted version."""
        self.wanted: dict[ResourceType, dict[str, None]] = {type_: {} for type_ in ORDER}
        self.connect()

    def connect(self) -> None:
        """Begin a stream: ask for all that it uses, but for clusters while one is warming."""
        self.requests: deque[Any] = deque()
        self.asked: dict[ResourceType, tuple[str, ...]] = {}
        self.nonces: dict[ResourceType, str] = {}
        self.withheld: list[Any] = []
        for type_ in ORDER:
            self._ask(type_)

    def receive(self, data: bytes) -> None:
        """Read a response: apply it, ask for what it names, and answer."""
        if self.delta:
            type_, nonce, contents, removed = read_delta(data)
            version = ""
        else:
            type_, nonce, version, contents = read_sotw(data)
            removed = tuple(self.held[type_].keys() - contents.keys()) if type_ in WILDCARDS else ()
        if type_ not in WILDCARDS and not self.wanted[type_]:
            if not self.delta and type_ in self.asked:
                self.nonces[type_] = nonce
                self.requests.append(self._full_request(type_))
            return
        self.nonces[type_] = nonce
        bodies = {n: Body(c) for n, c in contents.items() if type_ in WILDCARDS or n in self.wanted[type_]}
        detail = self._apply(type_, bodies, removed)
        if not detail and self.delta:
            versions = _versions(data)
            self.recorded[type_].update({name: versions[name] for name in bodies})
            for name in removed:
                self.recorded[type_].pop(name, None)
        elif not detail:
            self.recorded[type_][""] = version
        for other in ORDER:
            if other is not type_:
                self._ask(other)
        self._answer(type_, nonce, detail)
        self._flush()

    # What it does with resources

    def _apply(self, type_: ResourceType, bodies: dict[str, Body], removed: tuple[str, ...]) -> str:
        if any(body.bad == "decode" for body in bodies.values()):
            return "Proto constraint validation failed"
        if type_ in WILDCARDS:
            for name in removed:
                self._remove(type_, name)
            if type_ is CLUSTER and not self.delta:
                self.ghosts &= bodies.keys()
            reasons = [f"{name}: refused" for name, body in bodies.items() if not self._accept(type_, name, body)]
            kind = "cluster(s)" if type_ is CLUSTER else "listener(s)"
            return f"Error adding/updating {kind} {', '.join(reasons)}" if reasons else ""
        assert type_ is SECRET or not removed, f"{type_.value} were removed: Envoy hangs"
        for name in sorted(bodies, reverse=True):
            self._heard(type_, name)
            if bodies[name].bad:
                return "refused"
            self.held[type_][name] = bodies[name]
        for name in removed:
            self._heard(type_, name)
        return ""

    def _accept(self, type_: ResourceType, name: str, body: Body) -> bool:
        if body.bad:
            if body.bad == "ghost" and type_ is CLUSTER:
                self.ghosts.add(name)
            return False
        if type_ is CLUSTER:
            self.ghosts.discard(name)
        if self.held[type_].get(name) == body:
            return True
        self.held[type_][name] = body
        # A changed cluster needs its endpoints anew; secrets and routes that are known serve a changed listener too.
        waits = {(ENDPOINT, eds) for eds in body.words("eds")}
        waits |= {(SECRET, one) for one in body.words("secret") if one not in self.held[SECRET]}
        waits |= {(ROUTE, one) for one in body.words("routes") if one not in self.held[ROUTE]}
        self.warming[type_.value + name] = waits
        self._want()
        self._settle()
        return True

    def _remove(self, type_: ResourceType, name: str) -> None:
        self.held[type_].pop(name, None)
        self.warming.pop(type_.value + name, None)
        if type_ is CLUSTER:
            self.active.discard(name)
            self.ghosts.discard(name)
        self._want()

    def _heard(self, type_: ResourceType, name: str) -> None:
        for waits in self.warming.values():
            waits.discard((type_, name))
        self._settle()

    def _settle(self) -> None:
        for key in [key for key, waits in self.warming.items() if not waits]:
            del self.warming[key]
            if key.startswith(CLUSTER.value):
                self.active.add(key.removeprefix(CLUSTER.value))

    def _want(self) -> None:
        """What its clusters and listeners name, in the order in which it came to need it."""
        named: dict[ResourceType, dict[str, None]] = {type_: {} for type_ in ORDER}
        for type_ in WILDCARDS:
            for body in self.held[type_].values():
                named[ENDPOINT].update(dict.fromkeys(body.words("eds")))
                named[SECRET].update(dict.fromkeys(body.words("secret")))
                named[ROUTE].update(dict.fromkeys(body.words("routes")))
        for type_ in (ENDPOINT, SECRET, ROUTE):
            for gone in self.wanted[type_].keys() - named[type_].keys():
                self.held[type_].pop(gone, None)
                self.recorded[type_].pop(gone, None)
        self.wanted = named

    # What it says

    @property
    def _holds_back(self) -> bool:
        """Whether it says nothing about clusters now."""
        warms = any(key.startswith(CLUSTER.value) for key in self.warming)
        return self.started and (warms or bool(self.ghosts))

    def _ask(self, type_: ResourceType) -> None:
        """Send a request if the names changed, or for the first time on this stream."""
        if type_ is LISTENER and not self._may_start():
            return
        if type_ is CLUSTER and self._holds_back and CLUSTER not in self.asked:
            return
        names = tuple(self.wanted[type_])
        first = type_ not in self.asked
        if (first and not names and type_ not in WILDCARDS) or self.asked.get(type_) == names:
            return
        before = self.asked.get(type_, ())
        self.asked[type_] = names
        if self.delta:
            request = discovery_pb2.DeltaDiscoveryRequest(
                type_url=type_.url,
                resource_names_subscribe=[name for name in names if name not in before],
                resource_names_unsubscribe=[name for name in before if name not in names],
                initial_resource_versions=self.recorded[type_] if first else {},
            )
        else:
            request = self._full_request(type_)
        self.requests.append(request)

    def _may_start(self) -> bool:
        """It asks for listeners when its first clusters are ready."""
        has_clusters = self.nonces.get(CLUSTER) is not None or self.started
        self.started = self.started or (has_clusters and not self.warming)
        return self.started

    def _full_request(self, type_: ResourceType) -> Any:
        return discovery_pb2.DiscoveryRequest(
            type_url=type_.url,
            resource_names=self.asked.get(type_, ()),
            version_info=self.recorded[type_].get("", ""),
            response_nonce=self.nonces.get(type_, ""),
        )

    def _answer(self, type_: ResourceType, nonce: str, detail: str) -> None:
        if self.delta:
            request = discovery_pb2.DeltaDiscoveryRequest(type_url=type_.url, response_nonce=nonce)
        else:
            request = self._full_request(type_)
        if detail:
            request.error_detail.code = 13
            request.error_detail.message = detail
        if type_ is CLUSTER and not self.delta:
            # One request at a time: what is withheld already lends its error to this one.
            if self.withheld and not detail and self.withheld[0].HasField("error_detail"):
                request.error_detail.CopyFrom(self.withheld[0].error_detail)
            self.withheld.clear()
        if type_ is CLUSTER:
            self.withheld.append(request)
        else:
            self.requests.append(request)

    def _flush(self) -> None:
        if self._holds_back:
            return
        if self.withheld and CLUSTER not in self.asked and self.delta:
            # Its first request of this stream is an answer, and says what it has by now.
            self.asked[CLUSTER] = ()
            self.withheld[0].initial_resource_versions.update(self.recorded[CLUSTER])
        self.asked.setdefault(CLUSTER, ())
        self.requests.extend(self.withheld)
        self.withheld.clear()
        self._ask(LISTENER)

    # What a test asks

    def stuck(self) -> list[str]:
        """What it would wait for until a timeout."""
        waiting = [f"{key} waits for {sorted(n for _, n in waits)}" for key, waits in self.warming.items()]
        return waiting + [f"ghost {name}" for name in self.ghosts]

    def left_behind(self) -> set[str]:
        """What a rejected response left that a new stream will not say: ghosts, and in delta what it did not record."""
        if not self.delta:
            return self.ghosts
        held = {(type_, name, _version(type_, name, b)) for type_ in ORDER for name, b in self.held[type_].items()}
        recorded = {(type_, *pair) for type_ in ORDER for pair in self.recorded[type_].items()}
        return self.ghosts | {name for _, name, _ in held - recorded}

    def broken_routes(self) -> set[str]:
        """Clusters that routes in use name and that cannot be sent to: each request there is a 503."""
        used = {route for body in self.held[LISTENER].values() for route in body.words("routes")}
        targets = {name for route in used & self.held[ROUTE].keys() for name in self.held[ROUTE][route].words("to")}
        return targets - self.active


def _version(type_: ResourceType, name: str, body: Body) -> str:
    empty = stand_in(type_, name) if body.text == EMPTY else None
    return empty.version if empty else digest(f"{name}={body.text}".encode())


def _versions(data: bytes) -> dict[str, str]:
    message = discovery_pb2.DeltaDiscoveryResponse.FromString(data)
    return {one.name: one.version for one in message.resources}


__all__ = ["BY_URL", "EMPTY", "Body", "FakeEnvoy"]
