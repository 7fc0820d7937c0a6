"""Path changes in Envoy's spelling.

Envoy's prefix_rewrite would answer `//three` or nothing where the replacement is "/" or empty, so that case is a
regular expression, as is a prefix that may be written in several ways; the results are those of the table in Gateway
API HTTPPathModifier.
"""

from envoy_data_plane.envoy.type.matcher import v3 as matcher
from re2 import escape

from xds_server.envoy import kit
from xds_server.routing import escapes
from xds_server.routing.match import Match


def prefix_rewrite(prefix: str, match: Match) -> str | matcher.RegexMatchAndSubstitute:
    """A literal for Envoy's prefix_rewrite, or a substitution where that would double or lose a slash."""
    if match.path.value == "/":
        return prefix if prefix == "/" else f"{prefix}/"
    pattern = escapes.any_case(match.path.value)
    if prefix != "/":
        return prefix if pattern is None else substitution(f"^{pattern}", prefix)
    return substitution(f"^{pattern or escape(match.path.value)}/*", "/")


def substitution(pattern: str, replacement: str) -> matcher.RegexMatchAndSubstitute:
    """Every match of the pattern replaced by a literal text."""
    return kit.RegexMatchAndSubstitute(
        pattern=kit.RegexMatcher(regex=pattern), substitution=replacement.replace("\\", "\\\\")
    )
