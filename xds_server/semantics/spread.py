"""How far routes with wildcard hostnames may spread.

Envoy looks in one virtual host only, so the rules of a route for `*.example.com` are repeated in the virtual host of
every narrower host of the listener. N such routes and M hosts are N x M entries; a listener holds at most a set
number of repeated matches, and beyond it the youngest wildcard routes are not accepted there. The oldest keep what
they have: adding a route never takes traffic from others.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from xds_server.model.meta import Key
from xds_server.routing.listener import ListenerId
from xds_server.semantics.attach import Claim

DEFAULT_LIMIT = 50_000
"""Repeated matches per listener; Envoy takes about 1 kB for each."""


@dataclass(frozen=True, slots=True)
class Spread:
    """The wildcard routes of a listener that are refused, and how many repeated matches the others make."""

    refused: frozenset[tuple[str, Key]]
    repeated: int
    limit: int

    def message(self, listener: ListenerId) -> str:
        """Why a route was refused."""
        return (
            f"listener {listener.name}: wildcard hostnames are repeated in the virtual host of every narrower host,"
            f" and this route would exceed the limit of {self.limit} repeated matches ({self.repeated} used by older"
            " routes)"
        )


def spread(claims: Sequence[Claim], narrower: Callable[[str], int], limit: int) -> Spread:
    """Which of a listener's wildcard claims are refused. `narrower` counts a wildcard's narrower hosts there."""
    cost: dict[tuple[str, Key], int] = {}
    hosts: dict[str, int] = {}
    for claim in sorted(claims, key=lambda claim: (claim.age, claim.kind, claim.host)):
        if claim.host not in hosts:
            hosts[claim.host] = narrower(claim.host)
        route = (claim.kind, claim.route)
        cost[route] = cost.get(route, 0) + claim.size * hosts[claim.host]
    refused, repeated = set(), 0
    for route, size in cost.items():
        if size and repeated + size > limit:
            refused.add(route)
        else:
            repeated += size
    return Spread(frozenset(refused), repeated, limit)
