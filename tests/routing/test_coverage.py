from xds_server.routing.coverage import Coverage
from xds_server.routing.match import Match, PathKind, PathMatch, ValueMatch

A, B, C = (ValueMatch(name, "1") for name in "abc")


def prefix(value: str, *headers: ValueMatch, method: str | None = None) -> Match:
    return Match(PathMatch(PathKind.PREFIX, value), headers, method=method)


def of(*matches: Match) -> Coverage[int]:
    coverage: Coverage[int] = Coverage()
    for index, match in enumerate(matches):
        coverage.add(match, index)
    return coverage


def test_nothing_covers_nothing() -> None:
    assert of().covering(prefix("/")) is None


def test_one_that_asks_for_less_covers_one_that_asks_for_more() -> None:
    coverage = of(prefix("/p", A, B), prefix("/p", C))
    assert coverage.covering(prefix("/p", A)) is None
    assert coverage.covering(prefix("/p", B, A)) == 0
    assert coverage.covering(prefix("/p/q", A, C)) == 1
    assert coverage.covering(prefix("/", A, B, C)) is None


def test_a_method_is_a_condition() -> None:
    coverage = of(prefix("/", method="GET"))
    assert coverage.covering(prefix("/", A, method="GET")) == 0
    assert coverage.covering(prefix("/", A)) is None


def test_calls_are_requests_but_requests_are_no_calls() -> None:
    call = Match(PathMatch(PathKind.PREFIX, "/"), rpc=(0, 0))
    assert of(call).covering(prefix("/")) is None
    assert of(prefix("/")).covering(call) == 0
    assert of(call).covering(call) == 0


def test_a_literal_before_anything_covers_letter_by_letter() -> None:
    coverage = of(Match(PathMatch(PathKind.REGEX, "/a%20b.*")))
    assert coverage.covering(prefix("/a%20bc")) == 0
    assert coverage.covering(Match(PathMatch(PathKind.EXACT, "/a%20b/c"))) == 0
    assert coverage.covering(Match(PathMatch(PathKind.REGEX, "/a%20b/.*"))) == 0
    assert coverage.covering(Match(PathMatch(PathKind.REGEX, "/a%20b[c]"))) is None
    assert coverage.covering(prefix("/a%20")) is None
