"""Regular expressions: what RE2 takes, and how large a program may be."""

import pytest
import re2

from xds_server.semantics.patterns import MAX_PROGRAM_SIZE, problem


@pytest.mark.parametrize(
    "pattern",
    [
        "/a",
        "/(a|b)/.*",
        r"/v[0-9]+\.[0-9]{1,3}",
        r"\p{Greek}+",
        "(?i)/shop",
        "[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}",
    ],
)
def test_everyday_expressions_are_fine(pattern: str) -> None:
    assert problem(pattern) is None


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        ("", "it is empty"),
        ("(", "missing )"),
        ("a**", "bad repetition operator"),
        ("[z-a]", "invalid character class range"),
        (r"(a)\1", "invalid escape sequence"),
        ("(?=a)", "invalid perl operator"),
        ("a{1001}", "invalid repetition size"),
    ],
)
def test_what_re2_refuses_is_told(pattern: str, reason: str) -> None:
    found = problem(pattern)
    assert found is not None
    assert reason in found
    assert repr(pattern) in found


def test_the_size_of_the_program_is_bounded() -> None:
    """Envoy compares RE2's own number with `re2.max_program_size.error_level`; so does this, to the instruction."""
    sizes = {
        count: re2.compile("(a|bc|d*e)" * count).programsize
        for count in range(MAX_PROGRAM_SIZE // 8 - 100, MAX_PROGRAM_SIZE // 8 + 100, 10)
    }
    fits = [count for count, size in sizes.items() if size <= MAX_PROGRAM_SIZE]
    assert 0 < len(fits) < len(sizes)
    for count in sizes:
        found = problem("(a|bc|d*e)" * count)
        assert (found is None) == (count in fits)
        assert found is None or f"compiles to {sizes[count]} instructions" in found
