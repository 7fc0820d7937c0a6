"""The bound on repeated matches: the oldest keep what they have."""

from hypothesis import given
from hypothesis import strategies as st

from xds_server.model.meta import Key
from xds_server.routing.listener import Listener, ListenerId
from xds_server.semantics.attach import Claim
from xds_server.semantics.spread import spread

LISTENER = Listener(ListenerId(Key("default", "gw"), "http"), 80, "http", "*")


def claim(route: str, host: str = "*", *, size: int = 1, created: str = "") -> Claim:
    return Claim(LISTENER, host, "HTTPRoute", Key("default", route), host, created, size)


def refused(claims: list[Claim], hosts: int, limit: int) -> set[str]:
    return {route.name for _, route in spread(claims, lambda _: hosts, limit).refused}


def test_what_fits_is_kept_to_the_last_one() -> None:
    claims = [claim("a"), claim("b"), claim("c")]
    assert refused(claims, hosts=4, limit=12) == set()
    assert refused(claims, hosts=4, limit=11) == {"c"}
    assert spread(claims, lambda _: 4, 12).repeated == 12


def test_the_youngest_are_refused_and_of_one_age_the_last_by_name() -> None:
    claims = [claim("a", created="2022"), claim("b", created="2021"), claim("c", created="2021")]
    assert refused(claims, hosts=1, limit=1) == {"a", "c"}


def test_a_smaller_younger_route_fits_where_a_large_one_did_not() -> None:
    assert refused([claim("a", size=2), claim("b", size=5), claim("c")], hosts=1, limit=3) == {"b"}


def test_a_route_is_one_with_all_its_wildcards() -> None:
    assert refused([claim("a", "*.a.com"), claim("a", "*.b.com"), claim("b", "*.a.com")], hosts=2, limit=4) == {"b"}
    assert refused([claim("a", "*.a.com"), claim("a", "*.b.com")], hosts=2, limit=3) == {"a"}


def test_without_narrower_hosts_nothing_is_repeated() -> None:
    assert refused([claim("a", size=100)], hosts=0, limit=0) == set()


sizes = st.lists(st.integers(0, 6), min_size=1, max_size=8)


@given(sizes, st.integers(0, 20), st.integers(0, 3))
def test_the_limit_holds_and_an_added_route_takes_nothing_from_older_ones(
    sizes: list[int], limit: int, hosts: int
) -> None:
    claims = [claim(f"r{i}", size=size, created=f"20{i:02}") for i, size in enumerate(sizes)]
    found = spread(claims, lambda _: hosts, limit)
    kept = sum(one.size * hosts for one in claims if ("HTTPRoute", one.route) not in found.refused)
    assert found.repeated == kept <= limit
    before = spread(claims[:-1], lambda _: hosts, limit).refused
    assert {route for route in found.refused if route[1] != claims[-1].route} == before
