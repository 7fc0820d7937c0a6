"""How far routes with wildcard hostnames may spread.

Envoy looks in one virtual host only, so the rules of a route for `*.example.com` are repeated in the virtual host of
every narrower host of the listener. N such routes and M hosts are N x M entries; a listener holds at most a set
number of repeated matches. What comes later pays: a host that is new on the listener for the wildcard rules that it
would repeat, a wildcard for the hosts that are there. What would exceed the limit is refused: a refused host has no
virtual host of its own, and its requests go where they went before. So adding a route never takes traffic from
others.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from xds_server.model.meta import Key
from xds_server.model.wording import some
from xds_server.routing.hostname import ancestors, is_wildcard
from xds_server.routing.listener import ListenerId
from xds_server.semantics import conditions
from xds_server.semantics.attach import Claim, ParentVerdict

DEFAULT_LIMIT = 50_000
"""Repeated matches per listener; Envoy takes about 1 kB for each."""


@dataclass(frozen=True, slots=True)
class Spread:
    """What a listener refuses to keep its limit: (kind, route, host)."""

    limit: int
    refused: frozenset[tuple[str, Key, str]] = frozenset()

    def refuses(self, claim: Claim) -> bool:
        """Is the route not served under this host?"""
        return (claim.kind, claim.route, claim.host) in self.refused


def spread(claims: Iterable[Claim], limit: int) -> Spread:
    """What is refused of all claims on one listener, the youngest first."""
    refused: set[tuple[str, Key, str]] = set()
    hosts: set[str] = set()
    narrower: Counter[str] = Counter()
    sizes: Counter[str] = Counter()
    repeated = 0
    for claim in sorted(claims, key=lambda claim: (claim.age, claim.kind, claim.host)):
        wider = ancestors(claim.host)
        new = claim.host not in hosts
        cost = sum(sizes[host] for host in wider) if new else 0
        if is_wildcard(claim.host):
            cost += claim.size * narrower[claim.host]
        if cost and repeated + cost > limit:
            refused.add((claim.kind, claim.route, claim.host))
            continue
        repeated += cost
        if new:
            hosts.add(claim.host)
            narrower.update(wider)
        if is_wildcard(claim.host):
            sizes[claim.host] += claim.size
    return Spread(limit, frozenset(refused))


def limited(
    parent: ParentVerdict, claims: Mapping[ListenerId, list[Claim]], spreads: Mapping[ListenerId, Spread]
) -> ParentVerdict:
    """The verdict of a parentRef after what its listeners refuse. `claims` are the route's own, by listener."""
    taking: list[ListenerId] = []
    messages = []
    for listener in parent.listeners:
        own = claims.get(listener, [])
        refused = [claim.host for claim in own if listener in spreads and spreads[listener].refuses(claim)]
        if refused:
            messages.append(_message(listener, refused, spreads[listener].limit))
        if not refused or len(refused) < len(own):
            taking.append(listener)
    if not messages:
        return parent
    message = "; ".join(messages)
    accepted = conditions.accepted(message) if taking else conditions.not_accepted("UnsupportedValue", message)
    return ParentVerdict(parent.reference, parent.gateway, accepted, tuple(taking))


def _message(listener: ListenerId, hosts: list[str], limit: int) -> str:
    shown = some(sorted(hosts), 3)
    return (
        f"listener {listener.name} does not serve {shown}: wildcard rules are repeated for every narrower host, and"
        f" with this one that would exceed the limit of {limit} repeated matches"
    )
