"""Which hostnames a listener must know to tell whose a host is, checked beside the rule itself for every host."""

import itertools

from xds_server.routing.hostname import covers, specificity
from xds_server.semantics.ownership import hostnames

NAMES = (
    "*",
    "*.com",
    "*.example.com",
    "*.shop.example.com",
    "a.example.com",
    "b.shop.example.com",
    "example.com",
    "x.org",
)
HOSTS = (
    "example.com", "a.example.com", "z.example.com", "b.shop.example.com", "z.shop.example.com", "shop.example.com",
    "z.com", "x.org", "y.x.org",
)  # fmt: skip


def owner(host: str, names: tuple[str, ...]) -> str | None:
    """The most specific name that covers the host."""
    return max((name for name in names if covers(name, host)), key=specificity, default=None)


def test_every_host_gets_the_answer_of_its_owner() -> None:
    """For every set of listeners: own, of another, or nobody's."""
    for size in range(1, len(NAMES) + 1):
        for names in itertools.combinations(NAMES, size):
            found = hostnames(names)
            for own, host in itertools.product(names, HOSTS):
                others = found.of_others(own)
                nearest = owner(host, (own, *others))
                right = owner(host, names)
                assert (nearest == own) == (right == own), (own, names, host)
                assert (nearest is None) == (right is None), (own, names, host)


def test_of_names_that_cover_each_other_the_widest_is_enough() -> None:
    found = hostnames(("*", "*.example.com", "a.example.com", "b.example.com", "x.org"))
    assert found.all == ("*", "*.example.com", "a.example.com", "b.example.com", "x.org")
    assert found.of_others("*") == ("*.example.com", "x.org")
    assert found.of_others("*.example.com") == ("*", "a.example.com", "b.example.com")
    assert found.of_others("a.example.com") == ("*",)
