"""HTTPPathModifier: what is taken over, and what cannot be."""

import pytest

from xds_server.model.httproute import HTTPPathModifier
from xds_server.routing.feature import Refused, Surroundings
from xds_server.routing.match import Match, PathKind, PathMatch
from xds_server.routing.path_change import PathChange
from xds_server.semantics import path_modifier

PREFIX = Match(PathMatch(PathKind.PREFIX, "/old"))


def parsed(*matches: Match, **spec: str) -> PathChange | Refused:
    return path_modifier.parse(HTTPPathModifier(**spec), "path", Surroundings(lambda _: _, matches))


@pytest.mark.parametrize(
    ("written", "taken"), [("/new", "/new"), ("/new/", "/new/"), ("new", "/new"), ("", "/"), ("/a%3Fb", "/a%3Fb")]
)
def test_a_whole_path_begins_with_a_slash(written: str, taken: str) -> None:
    assert parsed(type="ReplaceFullPath", replace_full_path=written) == PathChange(full=taken)


@pytest.mark.parametrize(
    ("written", "taken"),
    [("/new", "/new"), ("/new/", "/new"), ("new", "/new"), ("", "/"), ("/", "/"), ("/a/b/", "/a/b")],
)
def test_a_prefix_ends_without_one(written: str, taken: str) -> None:
    assert parsed(PREFIX, type="ReplacePrefixMatch", replace_prefix_match=written) == PathChange(prefix=taken)


@pytest.mark.parametrize("kind", [PathKind.EXACT, PathKind.REGEX])
def test_a_prefix_is_replaced_where_one_is_matched(kind: PathKind) -> None:
    spec = {"type": "ReplacePrefixMatch", "replace_prefix_match": "/new"}
    assert isinstance(parsed(PREFIX, Match(PathMatch(kind, "/old")), **spec), Refused)
    whole = parsed(Match(PathMatch(kind, "/old")), type="ReplaceFullPath", replace_full_path="/new")
    assert whole == PathChange(full="/new")


@pytest.mark.parametrize(
    "spec",
    [
        {"type": "ReplaceFullPath"},
        {"type": "ReplacePrefixMatch"},
        {"type": "ReplaceFullPath", "replace_prefix_match": "/new"},
        {"type": "ReplaceRegex", "replace_full_path": "/new"},
        {"type": "ReplaceFullPath", "replace_full_path": "/a\nb"},
        {"type": "ReplacePrefixMatch", "replace_prefix_match": "/a\0"},
        {"type": "ReplaceFullPath", "replace_full_path": "/a?b=c"},
        {"type": "ReplaceFullPath", "replace_full_path": "/a#b"},
        {"type": "ReplacePrefixMatch", "replace_prefix_match": "/a?b=c"},
    ],
)
def test_what_cannot_be_honoured_is_refused_with_its_field(spec: dict[str, str]) -> None:
    found = parsed(PREFIX, **spec)
    assert isinstance(found, Refused)
    assert found.reason == "UnsupportedValue"
    assert found.message.startswith("path")


def test_a_whole_path_of_a_location_may_have_a_query() -> None:
    around = Surroundings(lambda _: _, (PREFIX,))
    whole = HTTPPathModifier(type="ReplaceFullPath", replace_full_path="/a?b=c#d")
    assert path_modifier.parse(whole, "path", around, location=True) == PathChange(full="/a?b=c#d")
    prefix = HTTPPathModifier(type="ReplacePrefixMatch", replace_prefix_match="/a?b=c")
    assert isinstance(path_modifier.parse(prefix, "path", around, location=True), Refused)
