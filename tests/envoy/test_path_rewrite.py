"""Prefix replacement: Envoy's spellings, carried out as Envoy does, give what the API's table says."""

import pytest
import re2
from hypothesis import given
from hypothesis import strategies as st

from xds_server.envoy.path_rewrite import prefix_rewrite, substitution
from xds_server.model.httproute import HTTPPathModifier
from xds_server.routing.feature import Refused, Surroundings
from xds_server.routing.match import Match, PathKind, PathMatch
from xds_server.semantics import path_modifier


def rewritten(path: str, prefix: str, replacement: str) -> str:
    """What Envoy makes of the path of a request that the prefix matches."""
    match = Match(PathMatch(PathKind.PREFIX, prefix.rstrip("/") or "/"))
    modifier = HTTPPathModifier(type="ReplacePrefixMatch", replace_prefix_match=replacement)
    change = path_modifier.parse(modifier, "path", Surroundings(lambda _: _, (match,)))
    assert not isinstance(change, Refused)
    assert change.prefix is not None
    spelling = prefix_rewrite(change.prefix, match)
    if isinstance(spelling, str):
        return spelling + path[len(match.path.value) :]
    assert spelling.pattern is not None
    return str(re2.sub(spelling.pattern.regex, spelling.substitution, path))


@pytest.mark.parametrize(
    ("path", "prefix", "replacement", "result"),
    [
        ("/foo/bar", "/foo", "/xyz", "/xyz/bar"),
        ("/foo/bar", "/foo", "/xyz/", "/xyz/bar"),
        ("/foo/bar", "/foo/", "/xyz", "/xyz/bar"),
        ("/foo/bar", "/foo/", "/xyz/", "/xyz/bar"),
        ("/foo", "/foo", "/xyz", "/xyz"),
        ("/foo/", "/foo", "/xyz", "/xyz/"),
        ("/foo/bar", "/foo", "", "/bar"),
        ("/foo/bar", "/foo", "/", "/bar"),
        ("/foo/", "/foo", "", "/"),
        ("/foo/", "/foo", "/", "/"),
        ("/foo", "/foo", "", "/"),
        ("/foo", "/foo", "/", "/"),
        ("/strip-prefix/three", "/strip-prefix", "/", "/three"),
        ("/prefix/one/two", "/prefix/one", "/one", "/one/two"),
        (
            "/prefix/rewrite-path-and-modify-headers/one",
            "/prefix/rewrite-path-and-modify-headers",
            "/prefix",
            "/prefix/one",
        ),
        ("/", "/", "/", "/"),
        ("/a", "/", "/", "/a"),
        ("/a", "/", "/xyz", "/xyz/a"),
        ("/a.c/x", "/a.c", "/", "/x"),
        ("/a+c/x", "/a+c", "/", "/x"),
    ],
)
def test_the_table_of_the_api(path: str, prefix: str, replacement: str, result: str) -> None:
    assert rewritten(path, prefix, replacement) == result


element = st.text("ab.+*$()[]%\\-", min_size=1, max_size=3)
elements = st.lists(element, max_size=3)


@given(elements, elements, elements, st.booleans(), st.booleans())
def test_elements_are_exchanged(prefix: list[str], new: list[str], rest: list[str], slash: bool, end: bool) -> None:
    """`slash`: prefix and replacement are written with one at their end; `end`: the request has one."""

    def text(parts: list[str], *, end: bool) -> str:
        return "".join(f"/{part}" for part in parts) + ("/" if end or not parts else "")

    path = text(prefix + rest, end=end)
    wanted = "".join(f"/{part}" for part in new + rest)
    keeps_slash = path.endswith("/") or not wanted
    assert rewritten(path, text(prefix, end=slash), text(new, end=slash)) == wanted + ("/" if keeps_slash else "")


@given(st.text(st.characters(codec="utf-8", exclude_characters="\0\r\n")))
def test_a_whole_path_is_text_and_no_reference_to_what_was_matched(new: str) -> None:
    spelling = substitution("^/.*$", new)
    assert spelling.pattern is not None
    found = re2.sub(spelling.pattern.regex.encode(), spelling.substitution.encode(), b"/old/path")
    assert found.decode() == new
