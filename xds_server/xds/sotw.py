"""SotwStream: the state-of-the-world variant of xDS on one ADS stream, without I/O.

In: DiscoveryRequests, Views, the time. Out: events and DiscoveryResponses. A request lists all names of its type. One
that bears another nonce than the latest of its type is stale: it asks for nothing and accepts nothing, but what it
leaves out is dropped, and what it rejects is rejected. One with the latest nonce and other names is a subscription.
Clusters and listeners are answered in full, and what an answer leaves out is removed; of the other types an answer
carries what is new, and leaving out means nothing.
Source: xDS protocol, "Basic Protocol Overview"; reading of Envoy 1.40's behaviour.
"""

from collections.abc import Collection

from xds_server.pb import discovery_pb2
from xds_server.xds.catalog import View, set_version
from xds_server.xds.encoding import sotw_response
from xds_server.xds.events import Event, Subscribed
from xds_server.xds.flight import Flight
from xds_server.xds.ledger import Ledger
from xds_server.xds.resource import ResourceType
from xds_server.xds.stream import Response, Stream

_IN_FULL = frozenset({ResourceType.CLUSTER, ResourceType.LISTENER})


class SotwStream(Stream):
    """One state-of-the-world ADS stream, from its first request to its end."""

    _whole = _IN_FULL

    def receive(self, request: discovery_pb2.DiscoveryRequest, now: float) -> list[Event]:
        """Take in a request. RemoteProtocolError when it breaks the protocol; the stream is of no use then."""
        self._heard(now, request.response_nonce)
        ledger = self._ledger(request.type_url)
        if ledger is None:
            return []
        self._check(len(request.resource_names))
        if request.response_nonce and ledger.last_nonce not in {"", request.response_nonce}:
            ledger.changed(ledger.subscription.narrowed(request.resource_names))
            events = self._overtaken(ledger, request)
            self._note_unbound(events, now)
            return events
        events = self._answered(ledger, request)
        self._note_unbound(events, now)
        change = ledger.subscription.complete(request.resource_names)
        if ledger.requested:
            ledger.changed(change)
        else:
            ledger.begin(change, {})
            self._returns = self._returns or bool(request.version_info)
        return [*events, Subscribed(ledger.type, change.news)] if change.news else events

    def _overtaken(self, ledger: Ledger, request: discovery_pb2.DiscoveryRequest) -> list[Event]:
        """A rejection of what a later response has followed already: the answer to that one does not speak for it."""
        nonces = list(ledger.flights)
        if request.response_nonce not in nonces or not request.HasField("error_detail"):
            return []
        flights = list(ledger.flights.values())[: nonces.index(request.response_nonce) + 1]
        return ledger.overtaken(flights, request.error_detail.message, doubt=ledger.type not in _IN_FULL)

    def _answered(self, ledger: Ledger, request: discovery_pb2.DiscoveryRequest) -> list[Event]:
        """Envoy keeps one request per type: while it may not send it, a rejection and a later acceptance merge.

        Then the request accepts the latest response, as its version says, and carries the error of one before.
        """
        earlier = list(ledger.flights.values())
        latest = earlier.pop() if earlier else None
        if latest is None or request.response_nonce != latest.nonce:
            return []
        detail = request.error_detail.message if request.HasField("error_detail") else None
        merged = bool(earlier) and detail is not None and request.version_info == latest.version
        events: list[Event] = []
        if merged and detail is not None:
            # What came later carried all of the type, or it is sent again to hear of it alone.
            events += ledger.overtaken(earlier, detail, doubt=ledger.type not in _IN_FULL)
            detail = None
        elif detail is None:
            for flight in earlier:
                events += ledger.answered(flight.nonce, None)
        return events + ledger.answered(latest.nonce, detail)

    def _compose(self, ledger: Ledger, view: View, names: Collection[str], now: float) -> Response | None:
        wanted = {name: ledger.target(view, name) for name in sorted({*names, *ledger.repair})}
        gone = tuple(name for name, resource in wanted.items() if resource is None)
        if ledger.type in _IN_FULL:
            carried = ledger.full_state(view, gone)
            whole = carried is view.resources(ledger.type)
            version = view.version(ledger.type) if whole else set_version(carried)
            changed = {name: carried[name] for name in wanted if name in carried}
        else:
            changed = {name: resource for name, resource in wanted.items() if resource is not None}
            # There is no way to say that these are missing.
            ledger.give_up(gone)
            carried, gone = changed, ()
            if not carried and not ledger.answer_due:
                return None
            version = set_version(carried)
        nonce = self._nonce()
        data = sotw_response(ledger.type, nonce, version, carried.values(), spelling=self._spelling)
        flight = Flight(nonce, now, view.serial, version, changed, gone)
        ledger.sent(flight, carried if ledger.type in _IN_FULL else None)
        return Response(ledger.type, nonce, version, carried, gone, data)
