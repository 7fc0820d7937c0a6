"""The order of pushes on one stream, whichever protocol it speaks: what is sent now, and what has to wait.

In: the ledgers that a protocol fills from requests, a View, the time. Out: responses, one at a time, each
computed from what is true at that moment; when to ask again; how far the client is in sync. No I/O, no
clock, no queue: a slow client is simply asked less often.

Make before break (xDS protocol, "Eventual consistency considerations"; measured with Envoy 1.40): clusters,
their endpoints, secrets that are asked for already, listeners, the secrets that these name, routes; then what is
gone: listeners, clusters, the rest. Listeners and routes wait until the clusters and endpoints that they may
name are sent. Endpoints and secrets wait for nothing, since a warming cluster waits for them. A cluster that changes
waits for its secrets, but where clusters are always sent all together. Removals wait until everything else is accepted.
Every wait has a bound in Limits, but for what the client rejects: that waits, and so does a cluster that names it.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from xds_server.routing.audience import ForGateway
from xds_server.xds.catalog import View
from xds_server.xds.draining import Draining, Mark
from xds_server.xds.encoding import Spelling, as_it_is, lacks_ipv6, listeners_by, unbound_in
from xds_server.xds.errors import RemoteProtocolError
from xds_server.xds.events import Event, Rejected
from xds_server.xds.flight import underway
from xds_server.xds.ledger import Ledger
from xds_server.xds.limits import Limits
from xds_server.xds.resource import BY_URL, Resource, ResourceType

_SENT = (
    ResourceType.CLUSTER,
    ResourceType.ENDPOINT,
    # Envoy keeps a certificate that it rejected, and rejects every listener that names it until it has another one.
    ResourceType.SECRET,
    ResourceType.LISTENER,
    ResourceType.ROUTE,
)
_NAMES_CLUSTERS = frozenset({ResourceType.LISTENER, ResourceType.ROUTE})
_NAMED_BY_THEM = frozenset({ResourceType.CLUSTER, ResourceType.ENDPOINT})
_REMOVED_FIRST = (ResourceType.LISTENER, ResourceType.CLUSTER)
_REMOVED_LAST = (ResourceType.ENDPOINT, ResourceType.SECRET, ResourceType.ROUTE)


@dataclass(frozen=True, slots=True)
class Response:
    """One response: `data` is what goes out; the rest says what is in it."""

    type: ResourceType
    nonce: str
    version: str
    resources: Mapping[str, Resource]
    removed: tuple[str, ...]
    data: bytes


class Stream(ABC):
    """What DeltaStream and SotwStream share. `responses` is called whenever anything happened, or its deadline came."""

    _secrets_at_once = 1
    """How many responses with a secret may await their answer."""
    _whole: Collection[ResourceType] = ()
    """The types of which every response carries all there is."""

    def __init__(self, limits: Limits | None = None, ipv4_only: Callable[[bytes], bytes] | None = None) -> None:
        """`ipv4_only` rewrites a listener's body for a client that turns out to have no IPv6."""
        self._limits = limits or Limits()
        self._ipv4_only = ipv4_only
        self._spelling: Spelling = as_it_is
        self._ledgers = {type_: Ledger(type_, self._limits) for type_ in ResourceType}
        self._stirred: set[ResourceType] = set()
        """The types about which anything happened or is waited for; a push to many clients touches no others."""
        self._lacking: set[ResourceType] = set()
        """The types of which the view has what the client has not asked for."""
        self._serial = -1
        """Of the view that was last looked at."""
        self._confirmed: list[Event] = []
        self._nonces = 0
        self._read_up_to = 0
        """The highest nonce answered, of whatever type: the client has read all responses before that one too."""
        self._unbound: dict[str, float] = {}
        """Listeners that the client could not bind, and when to send them again."""
        self._began: float | None = None
        self._returns = False
        """The client said of some type what it has from an earlier stream."""
        self._moved = 0.0
        self._now = 0.0
        self._settles: float | None = None
        self._draining: Draining | None = None
        self._synced: int | None = None

    def regroup(self) -> None:
        """The client is to see another view from now on, of other audiences: all of it is compared, once."""
        self._serial = -1
        self._synced = None

    def drain(self, mark: Mark | None, now: float) -> None:
        """The client is to let go of its connections: its listeners are marked, and removed some seconds later. None:
        it is not.
        """
        self._draining = Draining(mark, self._limits, now) if mark else None
        self.regroup()

    def responses(self, view: View, now: float) -> Iterator[Response]:
        """What to send now, in order. Each is computed when it is asked for, and counts as sent from then on."""
        self._now = now
        if self._draining is not None:
            if self._draining.turns(now):
                self.regroup()
            view = self._draining.view(view)
        self._push_clusters_if_late(now)
        self._take_back_ghosts(now)
        self._bind_again(now)
        for ledger in self._busy_ledgers():
            ledger.forget_unheard(now)
        while (response := self._next(view, now)) is not None:
            self._moved = now
            yield response
        self._note_sync(view, now)

    def confirmed(self) -> list[Event]:
        """What `responses` found a returning client to hold already, each told once."""
        events, self._confirmed = self._confirmed, []
        return events

    def deadline(self) -> float | None:
        """When `responses` is to be called though nothing happened; None for never."""
        return min((time for time in self._times() if time > self._now), default=None)

    def restless(self) -> bool:
        """Whether `responses` may have more to say at the moment of the last one; if not, it need not be asked."""
        return any(ledger.restless for ledger in self._busy_ledgers())

    def synced_serial(self) -> int | None:
        """The serial up to which the client has accepted all it sees, in all types; None if it never has."""
        return self._synced

    @abstractmethod
    def _compose(self, ledger: Ledger, view: View, names: Collection[str], now: float) -> Response | None:
        """A response that carries `names` (and what else the protocol demands), entered into the ledger."""

    # For the protocols

    def _heard(self, now: float, nonce: str) -> None:
        """A request came; `nonce` is that of the response it answers, if any."""
        if self._began is None:
            self._began = now
        self._moved = now
        if nonce.isdecimal():
            self._read_up_to = max(self._read_up_to, int(nonce))

    def _ledger(self, type_url: str) -> Ledger | None:
        """The ledger of a request's type; None for a type that is not served, which is never answered."""
        if not type_url:
            raise RemoteProtocolError("type_url is empty; on an ADS stream every request names its type")
        type_ = BY_URL.get(type_url)
        return self._stir(type_) if type_ else None

    def _nonce(self) -> str:
        """A nonce that no other response of this stream has, of whatever type."""
        self._nonces += 1
        return str(self._nonces)

    def _check(self, count: int) -> None:
        """Refuse a client that asks for more names than anyone needs."""
        if count > self._limits.names:
            raise RemoteProtocolError(f"{count} resource names; at most {self._limits.names} are served")

    def _note_unbound(self, events: Iterable[Event], now: float) -> None:
        """The client answered."""
        for event in events:
            if isinstance(event, Rejected) and event.type is ResourceType.LISTENER:
                again = now + self._limits.bind_seconds
                if lacks_ipv6(event.detail) and self._ipv4_only and self._spelling is as_it_is:
                    self._spelling, again = listeners_by(self._ipv4_only), now
                self._unbound.update(dict.fromkeys(unbound_in(event.detail, event.resources.keys()), again))

    def _bind_again(self, now: float) -> None:
        """What the client could not bind is sent again now and then: nobody tells when a port becomes free."""
        due = [name for name, time in self._unbound.items() if now >= time]
        for name in due:
            del self._unbound[name]
        listeners = self._stir(ResourceType.LISTENER)
        rejected = {name for rejection in listeners.rejections for name in rejection.versions}
        listeners.refresh(rejected.intersection(due), volunteer=False)

    # Order

    def _stir(self, type_: ResourceType) -> Ledger:
        """A ledger that something is told."""
        self._stirred.add(type_)
        return self._ledgers[type_]

    def _busy_ledgers(self) -> list[Ledger]:
        """The stirred ones in push order."""
        return [self._ledgers[type_] for type_ in _SENT if type_ in self._stirred]

    def _observe(self, view: View) -> None:
        """Tell the ledgers whose type changed in the view."""
        if view.serial == self._serial:
            return
        changed = view.types_changed(self._serial) if self._serial >= 0 else None
        for type_ in ResourceType if changed is None else changed:
            self._stir(type_).see(None if changed is None else view.changed(type_, self._serial))
        self._serial = view.serial

    def _take(self, view: View, now: float) -> list[Ledger]:
        """Have all stirred ledgers look; those that are not at rest after that."""
        for ledger in self._busy_ledgers():
            ledger.take(view, now)
            (self._lacking.add if ledger.missing(view) else self._lacking.discard)(ledger.type)
            if ledger.confirmed:
                self._confirmed += ledger.confirmed
                ledger.confirmed = []
            if ledger.quiet:
                self._stirred.discard(ledger.type)
        return self._busy_ledgers()

    def _next(self, view: View, now: float) -> Response | None:
        self._observe(view)
        ledgers = self._take(view, now)
        # A client that comes back has routes; the clusters of new ones are not sent before it asks, or is late.
        held_back = self._awaits_clusters()
        for ledger in ledgers:
            if held_back and ledger.type in _NAMES_CLUSTERS:
                continue
            while ledger.has_news:
                if self._waits(ledger, now):
                    held_back = held_back or ledger.type in _NAMED_BY_THEM
                    break
                names = self._portion(ledger, view, now)
                if not names and not ledger.answer_due and not ledger.repair:
                    break
                if response := self._send(ledger, view, names, now):
                    return response
        if any(ledger.removals for ledger in ledgers):
            return self._next_removal(view, now)
        return None

    def _waits(self, ledger: Ledger, now: float) -> bool:
        """Is an answer awaited first?"""
        some_more = ledger.type is ResourceType.SECRET and len(ledger.flights) < self._secrets_at_once
        return ledger.busy(now) and not some_more

    def _portion(self, ledger: Ledger, view: View, now: float) -> Collection[str]:
        """What goes into one response: everything, but each secret alone. Of several Envoy does not say which one it
        rejects; and it accepts a rejected one that comes again unchanged, without using it (measured with 1.40).

        Nor does one Gateway's stand beside another's, since a rejection would be told to both.
        """
        adds = self._without_waiting(ledger, view, now) if ledger.type is ResourceType.CLUSTER else ledger.adds
        if len(adds) > 1 and ledger.type is ResourceType.SECRET:
            return [min(adds)]
        if len(adds) > 1 and view.shared and ledger.type not in self._whole:
            gateways = {name: _gateway_of(ledger.target(view, name)) for name in adds}
            first = min(gateways.values())
            return [name for name, gateway in gateways.items() if gateway == first]
        return adds

    def _without_waiting(self, clusters: Ledger, view: View, now: float) -> Collection[str]:
        """The clusters to send, but for those that the client has and whose secrets it has not accepted yet.

        Before it has the secret it would connect under the earlier one; and it would reject a cluster that names a
        secret which it rejected. Of a client that comes back it is not known which secrets it has until it asks.
        """
        secrets, unknown = self._ledgers[ResourceType.SECRET], self._awaits_secrets() and now < self._push_time()
        if ResourceType.CLUSTER in self._whole or (secrets.quiet and not unknown):
            return clusters.adds
        overdue = {flight.nonce for flight in secrets.overdue(now)}
        awaited = (flight.resources for nonce, flight in secrets.flights.items() if nonce not in overdue)
        pending = secrets.adds.union(*awaited, *(rejection.versions for rejection in secrets.rejections))

        def waits(name: str) -> bool:
            target = clusters.target(view, name) if name in clusters.held else None
            named = target.references if target else ()
            return any(type_ is ResourceType.SECRET and (unknown or one in pending) for type_, one in named)

        return {name for name in clusters.adds if not waits(name)}

    def _next_removal(self, view: View, now: float) -> Response | None:
        quiet = self._all_accepted()
        for type_ in (ResourceType.LISTENER,) if view.keeps else _REMOVED_FIRST:
            ledger = self._ledgers[type_]
            names = list(ledger.removals) if quiet else ledger.ripe_removals(now)
            if names and not ledger.busy(now) and (response := self._send(ledger, view, names, now)):
                return response
        # By now the client has no more use for these. If it still asks for them, the grace is over.
        if view.keeps or any(self._ledgers[type_].busy(now) for type_ in _REMOVED_FIRST):
            return None
        for type_ in _REMOVED_LAST:
            ledger = self._ledgers[type_]
            names = ledger.ripe_removals(now)
            if names and not ledger.busy(now) and (response := self._send(ledger, view, names, now)):
                return response
        return None

    def _all_accepted(self) -> bool:
        """Nothing is on its way or to be sent, and no listener or routes are rejected: old ones may be in use."""
        return not any(
            ledger.has_news or ledger.flights or (ledger.rejections and ledger.type in _NAMES_CLUSTERS)
            for ledger in self._busy_ledgers()
        )

    def _send(self, ledger: Ledger, view: View, names: Collection[str], now: float) -> Response | None:
        response = self._compose(ledger, view, names, now)
        if response is None:
            return None
        # A starting Envoy asks for the endpoints of each cluster before it asks for listeners, and drops them sooner.
        volunteer = ledger.type is ResourceType.CLUSTER and self._ledgers[ResourceType.LISTENER].requested
        wanted: dict[ResourceType, set[str]] = {}
        for resource in ledger.flights[response.nonce].resources.values():
            for type_, name in resource.references:
                wanted.setdefault(type_, set()).add(name)
        for type_, references in wanted.items():
            self._stir(type_).refresh(references, volunteer=volunteer)
        return response

    def _push_clusters_if_late(self, now: float) -> None:
        """A returning Envoy does not ask for clusters while one is warming: send them all, and their endpoints."""
        if self._awaits_clusters() and now >= self._push_time():
            clusters = self._stir(ResourceType.CLUSTER)
            clusters.pushed = clusters.answer_due = True
            clusters.subscription.everything()

    def _take_back_ghosts(self, now: float) -> None:
        """Remove new clusters that keep the client from answering.

        Envoy withholds its answer while a cluster warms, and a rejected one may stay among those that warm for ever. It
        is told by what Envoy does not do: having read the response it asks for the endpoints of every cluster but that.
        Another version that came since is taken back with it: where it was rejected too, the ghost is still there.
        """
        if ResourceType.CLUSTER not in self._stirred or not self._ledgers[ResourceType.LISTENER].requested:
            return
        clusters, endpoints = self._ledgers[ResourceType.CLUSTER], self._ledgers[ResourceType.ENDPOINT].subscription
        overdue = clusters.overdue(now)
        latest = underway(overdue)
        for flight in overdue:
            if int(flight.nonce) >= self._read_up_to:
                continue
            for name, resource in flight.resources.items():
                wanted = [n for type_, n in resource.references if type_ is ResourceType.ENDPOINT]
                held = clusters.held.get(name)
                new = name not in flight.before and held is latest[name]
                if held and new and not all(endpoints.covers(n) or n in endpoints.mentioned for n in wanted):
                    clusters.take_back(name, held)

    def _awaits_clusters(self) -> bool:
        return self._returns and not self._clusters_open()

    def _awaits_secrets(self) -> bool:
        return self._returns and not self._ledgers[ResourceType.SECRET].requested

    def _clusters_open(self) -> bool:
        clusters = self._ledgers[ResourceType.CLUSTER]
        return clusters.requested or clusters.pushed

    def _push_time(self) -> float:
        return float("inf") if self._began is None else self._began + self._limits.cluster_push_seconds

    # Deadline and sync

    def _times(self) -> Iterator[float]:
        if self._awaits_clusters() or self._awaits_secrets():
            yield self._push_time()
        for ledger in self._busy_ledgers():
            yield from ledger.expiries()
            yield from map(ledger.removal_due, ledger.removals.values())
        yield from self._unbound.values()
        if self._draining is not None:
            yield self._draining.until
        if self._settles is not None:
            yield self._settles

    def _note_sync(self, view: View, now: float) -> None:
        """In sync: nothing is left to send, nothing unanswered or rejected, and all there is has been asked for.

        The last is waited for, since Envoy asks for routes and secrets only once it has read what names them; but not
        without a bound, since nothing may name them at all.
        """
        self._settles = None
        if not self._ledgers[ResourceType.LISTENER].requested or not self._clusters_open():
            return
        for ledger in self._busy_ledgers():
            if ledger.flights or ledger.rejections or ledger.has_news:
                return
            if ledger.removals and ledger.type in _REMOVED_FIRST:
                return
        settled = self._moved + self._limits.settle_seconds
        if now < settled and self._lacking:
            self._settles = settled
        else:
            self._synced = view.serial


def _gateway_of(resource: Resource | None) -> tuple[str, ...]:
    """Namespace and name of the Gateway that a resource is for; nothing for those of nobody in particular."""
    return resource.audience[:2] if resource and isinstance(resource.audience, ForGateway) else ()
