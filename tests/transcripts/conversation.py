"""Plays a written conversation against DeltaStream or SotwStream.

A transcript is Markdown: prose, and blocks fenced as `delta`, `sotw` or `both`. One line is one step:

    put clusters a=1 -> endpoints/e     the catalog now has it; `a=1` is a name and a made-up content
    put clusters a=1 for other          for another Gateway than the one called `gateway`
    drop clusters a                     also with `for other`
    serves gateway other                the Gateways that the client serves from now on; at first `gateway` alone
    drains / drains no longer           the client's pod is about to end; its listeners get another `!` every 3 s, but for `udp…`
    client clusters                     a request without names
    client endpoints +e -f              subscribes and unsubscribes; in SotW the runner keeps the full list
    client clusters have a=1 b=7        a first request of a returning client: delta's initial_resource_versions
    client clusters version a=1 b=7     the same in SotW: the version of the set that it accepted last
    client clusters ack                 answers the latest response of the type; may carry +name -name
    client clusters nack: words         rejects it, in these words
    client clusters ack 1               answers the response before the latest; 2 the one before that
    client clusters stale               bears a nonce that the server never gave
    server clusters a=1 -b              exactly one response: these resources, this removal
    server nothing
    wait 2.5                            seconds pass
    reconnect                           a new stream to the same server; what the client holds is said by `have`
    synced 3 / synced never             the catalog's serial up to which the client is in sync
    event acknowledged clusters a       the next event not yet told; `rejected` likewise. Subscriptions are left out

`(empty)` is the content of what stands in for a missing resource. Whatever the server says must be in the transcript.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from tests.xds.fills import EMPTY, Shelf, fill, read_delta, read_sotw
from xds_server.model.meta import Key
from xds_server.pb import discovery_pb2
from xds_server.routing.audience import ForGateway
from xds_server.xds.catalog import set_version
from xds_server.xds.delta import DeltaStream
from xds_server.xds.encoding import stand_in
from xds_server.xds.events import Acknowledged, Event, Rejected, Subscribed
from xds_server.xds.node import of_gateways
from xds_server.xds.resource import Resource, ResourceType
from xds_server.xds.sotw import SotwStream

_BLOCK = re.compile(r"^```(delta|sotw|both)\n(.*?)^```", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Transcript:
    """One block of a file, in one protocol."""

    title: str
    protocol: str
    lines: tuple[tuple[int, str], ...]
    """Line number in the file, and the step."""


def transcripts(path: Path) -> list[Transcript]:
    """All conversations of a file; a block fenced `both` is two."""
    text = path.read_text("utf-8")
    found = []
    for block in _BLOCK.finditer(text):
        first = text[: block.start(2)].count("\n") + 1
        numbered = enumerate(block[2].splitlines(), first)
        lines = tuple((number, line.split("#")[0].strip()) for number, line in numbered)
        headings = re.findall(r"^#+ (.*)$", text[: block.start()], re.MULTILINE)
        protocols = ("delta", "sotw") if block[1] == "both" else (block[1],)
        steps = tuple(line for line in lines if line[1])
        found += [Transcript(headings[-1], protocol, steps) for protocol in protocols]
    return found


def _audience(gateway: str) -> ForGateway:
    return ForGateway("default", gateway or "gateway")


def _marked(listener: bytes, number: int) -> bytes:
    return listener if listener.startswith(b"udp") else listener + b"!" * (number + 1)


def _ipv4(listener: bytes) -> bytes:
    return listener + b"(4)"


class Player:
    """Plays one transcript. AssertionError, with the line, at the first step that went otherwise."""

    def __init__(self, protocol: str) -> None:
        self.shelf = Shelf()
        self.now = 100.0
        self.delta = protocol == "delta"
        self._connect()

    def play(self, transcript: Transcript) -> None:
        for number, line in transcript.lines:
            try:
                self._step(line)
            except AssertionError as error:
                raise AssertionError(f"line {number}, `{line}`: {error}") from None
        assert not self.said, f"at the end the server also said {self.said}"

    def _connect(self) -> None:
        self.stream: DeltaStream | SotwStream = (DeltaStream if self.delta else SotwStream)(ipv4_only=_ipv4)
        self.said: list[str] = []
        self.events: list[Event] = []
        self.nonces: dict[ResourceType, list[str]] = {type_: [] for type_ in ResourceType}
        self.versions: dict[str, str] = {}
        self.accepted: dict[ResourceType, str] = {}
        self.names: dict[ResourceType, list[str]] = {type_: [] for type_ in ResourceType}

    def _step(self, line: str) -> None:
        word, _, rest = line.partition(" ")
        if word == "server":
            expected = "" if rest == "nothing" else " ".join(rest.split())
            actual = self.said.pop(0) if self.said else ""
            assert actual == expected, f"the server said `{actual or 'nothing'}`"
            return
        if word == "synced":
            assert str(self.stream.synced_serial() or "never") == rest, f"synced is {self.stream.synced_serial()}"
            return
        if word == "event":
            assert (actual := self._event()) == rest, f"the event is `{actual}`"
            return
        assert not self.said, f"before it the server also said {self.said}"
        if word == "put":
            self._put(rest)
        elif word == "drop":
            rest, _, gateway = rest.partition(" for ")
            type_, name = rest.split()
            self.shelf.put(gone=[fill(ResourceType(type_), name, "", audience=_audience(gateway))])
        elif word == "serves":
            gateways = [Key("default", name) for name in rest.split()]
            self.shelf.audiences = of_gateways(gateways, "1.40.0")
            self.stream.regroup()
        elif word == "drains":
            self.stream.drain(None if rest else _marked, self.now)
        elif word == "wait":
            self._wait(float(rest))
        elif word == "reconnect":
            self._connect()
        else:
            assert word == "client", "no such step"
            self._client(rest)
        self._listen()

    def _put(self, rest: str) -> None:
        rest, _, gateway = rest.partition(" for ")
        what, _, refers = rest.partition("->")
        type_, *resources = what.split()
        references = tuple((ResourceType(t), n) for t, _, n in (word.partition("/") for word in refers.split()))
        pairs = (word.partition("=") for word in resources)
        audience = _audience(gateway)
        self.shelf.put(
            *(fill(ResourceType(type_), name, content, *references, audience=audience) for name, _, content in pairs)
        )

    def _wait(self, seconds: float) -> None:
        """Time passes as a session sees it: it looks again only at the stream's deadlines."""
        end = self.now + seconds
        while (deadline := self.stream.deadline()) is not None and deadline <= end:
            assert deadline > self.now, "the deadline has passed already"
            self.now = deadline
            self._listen()
        self.now = end

    def _listen(self) -> None:
        for response in self.stream.responses(self.shelf.view(), self.now):
            if self.delta:
                type_, nonce, contents, removed = read_delta(response.data)
            else:
                (type_, nonce, version, contents), removed = read_sotw(response.data), ()
                self.versions[nonce] = version
            assert nonce not in [known for nonces in self.nonces.values() for known in nonces], "a nonce was used twice"
            self.nonces[type_].append(nonce)
            words = [f"{name}={content}" for name, content in sorted(contents.items())]
            self.said.append(" ".join([type_.value, *words, *(f"-{name}" for name in removed)]))

    def _client(self, rest: str) -> None:
        rest, _, detail = rest.partition(": ")
        word, *words = rest.split()
        type_ = ResourceType(word)
        added = [w[1:] for w in words if w.startswith("+")]
        removed = [w[1:] for w in words if w.startswith("-")]
        held = [tuple(w.split("=", 1)) for w in words if "=" in w]
        nonce = self._nonce(type_, words)
        if self.delta:
            versions = {name: self._resource(type_, name, content).version for name, content in held}
            request = discovery_pb2.DeltaDiscoveryRequest(
                type_url=type_.url,
                resource_names_subscribe=added,
                resource_names_unsubscribe=removed,
                initial_resource_versions=versions,
                response_nonce=nonce,
            )
        else:
            self.names[type_] = [name for name in self.names[type_] if name not in removed] + added
            if held:
                set_ = {name: self._resource(type_, name, content) for name, content in held}
                self.accepted[type_] = set_version(set_)
            elif "ack" in words:
                self.accepted[type_] = self.versions[nonce]
            request = discovery_pb2.DiscoveryRequest(
                type_url=type_.url,
                resource_names=self.names[type_],
                version_info=self.accepted.get(type_, ""),
                response_nonce=nonce,
            )
        if detail:
            request.error_detail.code = 13
            request.error_detail.message = detail.replace("\\n", "\n")
        self.events += [e for e in self.stream.receive(request, self.now) if not isinstance(e, Subscribed)]

    def _nonce(self, type_: ResourceType, words: list[str]) -> str:
        if "stale" in words:
            return "no-such-nonce"
        if not {"ack", "nack"} & set(words):
            # Envoy repeats the latest nonce in a SotW request, and none in a delta one.
            return "" if self.delta or not self.nonces[type_] else self.nonces[type_][-1]
        back = next((int(word) for word in words if word.isdigit()), 0)
        return self.nonces[type_][-1 - back]

    def _resource(self, type_: ResourceType, name: str, content: str) -> Resource:
        empty = stand_in(type_, name)
        return empty if content == EMPTY and empty is not None else fill(type_, name, content)

    def _event(self) -> str:
        if not self.events:
            return "none"
        event = self.events.pop(0)
        match event:
            case Acknowledged(type=type_, resources=resources, removed=removed):
                words = ["acknowledged", type_.value, *sorted(resources), *(f"-{name}" for name in removed)]
            case Rejected(type=type_, resources=resources):
                words = ["rejected", type_.value, *sorted(resources)]
            case _:
                words = [repr(event)]
        return " ".join(words)
