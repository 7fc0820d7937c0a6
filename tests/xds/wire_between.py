"""A stream and a simulated Envoy with a line of messages between them, and a clock: what a session does, without I/O."""

from collections import deque

from tests.xds.fake_envoy import FakeEnvoy
from tests.xds.fills import Shelf
from xds_server.routing.audience import Audience
from xds_server.xds.delta import DeltaStream
from xds_server.xds.events import Event
from xds_server.xds.sotw import SotwStream
from xds_server.xds.stream import Response


class Line:
    """Messages are delivered one by one, when a test says so. `now` is seconds."""

    def __init__(self, shelf: Shelf, *, delta: bool) -> None:
        self.shelf = shelf
        self.envoy = FakeEnvoy(delta=delta)
        self.now = 1000.0
        self.events: list[Event] = []
        self.sent: list[Response] = []
        self._open()

    def _open(self) -> None:
        self.stream: DeltaStream | SotwStream = DeltaStream() if self.envoy.delta else SotwStream()
        self.to_envoy: deque[Response] = deque()

    def reconnect(self) -> None:
        """The stream breaks; what was on its way is lost."""
        self._open()
        self.envoy.connect()

    def regroup(self, audiences: tuple[Audience, ...]) -> None:
        """The client sees what is for these, from now on."""
        self.shelf.audiences = audiences
        self.stream.regroup()
        self.turn()

    def turn(self) -> None:
        """The server sends what there is to send."""
        for response in self.stream.responses(self.shelf.view(), self.now):
            self.sent.append(response)
            self.to_envoy.append(response)

    def deliver_request(self) -> bool:
        """One request reaches the server; False when there is none."""
        if not self.envoy.requests:
            return False
        self.events += self.stream.receive(self.envoy.requests.popleft(), self.now)
        self.turn()
        return True

    def deliver_response(self) -> bool:
        """One response reaches Envoy; False when there is none."""
        if not self.to_envoy:
            return False
        self.envoy.receive(self.to_envoy.popleft().data)
        return True

    def wait(self, seconds: float) -> None:
        """Time passes, as a session sees it."""
        end = self.now + seconds
        while (deadline := self.stream.deadline()) is not None and deadline <= end:
            assert deadline > self.now, "a deadline in the past would be a busy loop"
            self.now = deadline
            self.turn()
        self.now = end

    def settle(self) -> None:
        """Until nothing is on its way and nothing is waited for. More than 500 messages are a loop."""
        before = len(self.sent)
        self.turn()
        while True:
            while self.deliver_response() or self.deliver_request():
                assert len(self.sent) - before < 500, "messages go round in circles"
            deadline = self.stream.deadline()
            if deadline is None:
                return
            self.wait(deadline - self.now)
