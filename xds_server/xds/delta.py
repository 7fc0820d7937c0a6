"""DeltaStream: the incremental variant of xDS on one ADS stream, without I/O.

In: DeltaDiscoveryRequests, Views, the time. Out: events and DeltaDiscoveryResponses. Subscriptions are
honoured in every request, whatever its nonce; an answer counts for the response whose nonce it bears;
`error_detail` alone makes it a rejection. What a returning client says it holds (initial_resource_versions)
is not sent again, and what of that no longer exists is removed; only endpoints are sent again to a client
that asks for them before it asks for clusters, since it has a cluster that waits for them. Source: xDS
protocol, "Incremental xDS"; reading of Envoy 1.40's behaviour.
"""

from collections.abc import Collection
from itertools import chain

from xds_server.pb import discovery_pb2
from xds_server.wire.part import digest
from xds_server.xds.catalog import View
from xds_server.xds.encoding import delta_response
from xds_server.xds.events import Event, Returned, Subscribed
from xds_server.xds.flight import Flight
from xds_server.xds.ledger import Ledger
from xds_server.xds.resource import Resource, ResourceType, made_without
from xds_server.xds.stream import Response, Stream


class DeltaStream(Stream):
    """One delta ADS stream, from its first request to its end."""

    _secrets_at_once = 8

    def receive(self, request: discovery_pb2.DeltaDiscoveryRequest, now: float) -> list[Event]:
        """Take in a request. RemoteProtocolError when it breaks the protocol; the stream is of no use then."""
        self._heard(now, request.response_nonce)
        ledger = self._ledger(request.type_url)
        if ledger is None:
            return []
        events: list[Event] = []
        if request.response_nonce:
            detail = request.error_detail.message if request.HasField("error_detail") else None
            events += ledger.answered(request.response_nonce, detail)
            self._note_unbound(events, now)
        subscribe, unsubscribe = request.resource_names_subscribe, request.resource_names_unsubscribe
        if ledger.requested and not subscribe and not unsubscribe:
            return events
        self._check(len(subscribe) + len(ledger.subscription.names))
        self._check(len(request.initial_resource_versions))
        change = ledger.subscription.incremental(subscribe, unsubscribe)
        if ledger.requested:
            ledger.changed(change)
        else:
            waits_for_endpoints = ledger.type is ResourceType.ENDPOINT and not self._clusters_open()
            claims = {} if waits_for_endpoints else dict(request.initial_resource_versions)
            ledger.begin(change, claims)
            if without := frozenset(chain.from_iterable(map(made_without, claims.values()))):
                events.append(Returned(ledger.type, without))
            self._returns = self._returns or bool(request.initial_resource_versions)
        return [*events, Subscribed(ledger.type, change.news)] if change.news else events

    def _compose(self, ledger: Ledger, view: View, names: Collection[str], now: float) -> Response:
        resources: dict[str, Resource] = {}
        removed: list[str] = []
        content = {name: ledger.target(view, name) for name in sorted(names)}
        for name, resource in {**ledger.repair, **content}.items():
            if resource is None:
                removed.append(name)
            else:
                resources[name] = resource
        # Shown by Envoy as the version of what it got; never compared.
        version = digest("\n".join([*(r.version for r in resources.values()), *removed]).encode())
        if len(resources) == 1 and not removed:
            version = next(iter(resources.values())).version
        nonce = self._nonce()
        data = delta_response(ledger.type, nonce, version, resources.values(), removed, spelling=self._spelling)
        ledger.sent(Flight(nonce, now, view.serial, version, resources, tuple(removed)))
        return Response(ledger.type, nonce, version, resources, tuple(removed), data)
