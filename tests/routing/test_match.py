"""Precedence of matches, step by step and as a whole order."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xds_server.routing.match import Match, PathKind, PathMatch, ValueMatch, precedence

ONE = (ValueMatch("a", "1"),)
TWO = (ValueMatch("a", "1"), ValueMatch("b", "1"))


def match(kind: PathKind, value: str, headers: tuple[ValueMatch, ...] = (), **more: object) -> Match:
    return Match(PathMatch(kind, value), headers, **more)  # type: ignore[arg-type]


IN_ORDER = [
    match(PathKind.EXACT, "/a"),
    match(PathKind.REGEX, "/.*"),
    match(PathKind.PREFIX, "/a/b/c"),
    match(PathKind.PREFIX, "/a", TWO, method="GET", query=TWO),
    match(PathKind.PREFIX, "/a", TWO, method="GET"),
    match(PathKind.PREFIX, "/a", ONE, method="GET", query=TWO),
    match(PathKind.PREFIX, "/a", method="GET", query=TWO),
    match(PathKind.PREFIX, "/a", method="GET"),
    match(PathKind.PREFIX, "/a", TWO),
    match(PathKind.PREFIX, "/a", ONE, query=TWO),
    match(PathKind.PREFIX, "/a", ONE),
    match(PathKind.PREFIX, "/a", query=TWO),
    match(PathKind.PREFIX, "/a", query=ONE),
    match(PathKind.PREFIX, "/a"),
    match(PathKind.PREFIX, "/", TWO, method="GET", query=TWO),
    match(PathKind.PREFIX, "/"),
]


@pytest.mark.parametrize(("first", "second"), list(pairwise(IN_ORDER)))
def test_first_is_tried_before_second(first: Match, second: Match) -> None:
    assert precedence(first) < precedence(second)


values = st.lists(st.builds(ValueMatch, st.sampled_from("abc"), st.just("1")), max_size=3).map(tuple)
matches = st.builds(
    Match,
    st.builds(PathMatch, st.sampled_from(PathKind), st.sampled_from(["/", "/a", "/a/b"])),
    values,
    values,
    st.sampled_from([None, "GET", "POST"]),
    rpc=st.none(),
)


@given(matches, matches)
def test_each_step_is_outweighed_by_none_after_it(one: Match, other: Match) -> None:
    """The API's list, told as comparisons."""
    steps = [
        (one.path.kind, other.path.kind),
        (-len(one.path.value), -len(other.path.value)),
        (one.method is None, other.method is None),
        (-len(one.headers), -len(other.headers)),
        (-len(one.query), -len(other.query)),
    ]
    first = next(((left, right) for left, right in steps if left != right), (0, 0))
    assert (precedence(one) < precedence(other)) == (first[0] < first[1])
