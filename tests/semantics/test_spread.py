"""The bound on repeated matches: what comes later pays, and what is there keeps what it has."""

from hypothesis import given
from hypothesis import strategies as st

from xds_server.model.meta import Key
from xds_server.routing.hostname import ancestors, is_wildcard
from xds_server.routing.listener import Listener, ListenerId
from xds_server.semantics.attach import Claim
from xds_server.semantics.spread import spread

LISTENER = Listener(ListenerId(Key("default", "gw"), "http"), 80, "http", "*")


def claim(route: str, host: str = "*", *, size: int = 1, created: str = "") -> Claim:
    return Claim(LISTENER, host, "HTTPRoute", Key("default", route), host, created, size)


def refused(claims: list[Claim], limit: int) -> set[tuple[str, str]]:
    return {(route.name, host) for _, route, host in spread(claims, limit).refused}


HOSTS = [claim("hosts", host, created="2020") for host in ("a.e.com", "b.e.com")]


def test_a_wildcard_pays_for_the_narrower_hosts_that_are_there() -> None:
    wildcard = claim("wide", "*.e.com", size=2, created="2021")
    assert refused([*HOSTS, wildcard], limit=4) == set()
    assert refused([*HOSTS, wildcard], limit=3) == {("wide", "*.e.com")}


def test_a_host_pays_for_the_wildcards_that_are_there() -> None:
    older = [*HOSTS, claim("wide", "*.e.com", size=2, created="2021")]
    newcomer = claim("new", "c.e.com", created="2022")
    assert refused([*older, newcomer], limit=6) == set()
    assert refused([*older, newcomer], limit=5) == {("new", "c.e.com")}


def test_a_host_that_is_there_costs_a_further_route_nothing() -> None:
    older = [*HOSTS, claim("wide", "*.e.com", size=2, created="2021")]
    assert refused([*older, claim("new", "a.e.com", created="2022")], limit=4) == set()


def test_a_smaller_younger_wildcard_fits_where_a_large_one_did_not() -> None:
    claims = [*HOSTS, claim("a", size=5, created="2021"), claim("b", size=1, created="2022")]
    assert refused(claims, limit=2) == {("a", "*")}


def test_of_one_age_the_last_by_name_is_refused() -> None:
    claims = [*HOSTS, claim("b", created="2021"), claim("a", created="2021")]
    assert refused(claims, limit=2) == {("b", "*")}


def test_without_narrower_hosts_nothing_is_repeated() -> None:
    assert refused([claim("a", size=100)], limit=0) == set()


hosts = st.sampled_from(["*", "*.com", "*.e.com", "a.e.com", "b.e.com", "*.x.e.com", "y.x.e.com", "c.org"])
entries = st.lists(st.tuples(hosts, st.integers(1, 5)), min_size=1, max_size=10)


def repeated(claims: list[Claim]) -> int:
    present = {one.host for one in claims}
    wild = [one for one in claims if is_wildcard(one.host)]
    return sum(one.size for one in wild for host in present if one.host in ancestors(host))


@given(entries, st.integers(0, 30))
def test_the_limit_holds_and_what_comes_later_takes_nothing_away(entries: list[tuple[str, int]], limit: int) -> None:
    claims = [claim(f"r{n}", host, size=size, created=f"{2000 + n}") for n, (host, size) in enumerate(entries)]
    before: frozenset[tuple[str, Key, str]] = frozenset()
    for count in range(1, len(claims) + 1):
        found = spread(claims[:count], limit)
        assert found.refused >= before
        assert found.refused - before <= {("HTTPRoute", claims[count - 1].route, claims[count - 1].host)}
        assert repeated([one for one in claims[:count] if not found.refuses(one)]) <= limit
        before = found.refused
