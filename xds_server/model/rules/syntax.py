"""Checks of single values, and what checks and rules are.

Patterns and lengths are those of gateway-api's CRDs (config/crd of release 1.7) and, for core kinds, those of
Kubernetes' own validation.
"""

import re
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sized
from functools import lru_cache
from ipaddress import ip_address
from typing import Any

Check = Callable[[Any], str]
"""A value in, the reason why it is wrong out, or ""."""
Rule = Callable[[Any], Iterator[tuple[str, str]]]
"""A value of several fields in, the field and the reason of each thing that is wrong out."""
Fields = Mapping[type, Mapping[str, Check]]
Rules = Mapping[type, tuple[Rule, ...]]

_LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN = rf"{_LABEL}(\.{_LABEL})*"
_PATH_CHARACTERS = r"(?:[-A-Za-z0-9/._~!$&'()*+,;=:@]|%[0-9a-fA-F]{2})+"
_PATH_TYPES_CHARACTERS = re.compile(_PATH_CHARACTERS)
_DURATION = re.compile(r"([0-9]{1,5}(h|m|s|ms)){1,4}")
_DURATION_PART = re.compile(r"([0-9]+)(ms|h|m|s)")
_MILLISECONDS = {"h": 3_600_000, "m": 60_000, "s": 1000, "ms": 1}
_LONGEST_SHOWN = 80
INT64 = 2**63 - 1


def matching(pattern: str, most: int, called: str, flags: re.RegexFlag = re.NOFLAG) -> Check:
    """Text that matches the whole pattern and has 1 to `most` characters."""
    compiled = re.compile(pattern, flags)

    @lru_cache(maxsize=1024)
    def check(value: str) -> str:
        if not value:
            return "must not be empty"
        if len(value) > most:
            return f"has {len(value)} characters, more than {most}"
        return "" if compiled.fullmatch(value) else f"must be {called}, is {shown(value)}"

    return check


def text(least: int, most: int) -> Check:
    """Any text of `least` to `most` characters."""

    def check(value: str) -> str:
        if len(value) < least:
            return "must not be empty"
        return "" if len(value) <= most else f"has {len(value)} characters, more than {most}"

    return check


def between(least: int, most: int) -> Check:
    """A number within bounds, both included; what a type alone bounds is told by the other bound."""

    def check(value: int) -> str:
        if least <= value <= most:
            return ""
        bounds = f"at least {least}" if most == INT64 and value < least else f"{least} to {most}"
        return f"must be {bounds}, is {value}"

    return check


def count(most: int, least: int = 0) -> Check:
    """A list or mapping of `least` to `most` entries."""

    def check(value: Sized) -> str:
        if len(value) < least:
            return f"must have at least {least} {'entry' if least == 1 else 'entries'}"
        return "" if len(value) <= most else f"has {len(value)} entries, more than {most}"

    return check


def one_of(*allowed: int | str) -> Check:
    """One of a few numbers, or of a few words."""

    def check(value: int | str) -> str:
        told = shown(value) if isinstance(value, str) else value
        return "" if value in allowed else f"must be one of {', '.join(map(str, allowed))}, is {told}"

    return check


def each(field: str, values: Iterable[Any], check: Check) -> Iterator[tuple[str, str]]:
    """What is wrong with the entries of a list, one by one."""
    for index, value in enumerate(values):
        if reason := check(value):
            yield f"{field}[{index}]", reason


def unique(field: str, values: Iterable[Hashable], part: str = "") -> Iterator[tuple[str, str]]:
    """Entries of a list that an earlier one said already; `part` is what of each entry was given, such as `.name`."""
    seen = set()
    for index, value in enumerate(values):
        if value in seen:
            yield f"{field}[{index}]{part}", f"must be unique; {value} is used more than once"
        seen.add(value)


def shown(value: str) -> str:
    """A user's text inside a sentence: quoted, shortened."""
    return f'"{value}"' if len(value) <= _LONGEST_SHOWN else f'"{value[:_LONGEST_SHOWN]}…"'


name = text(1, 253)
subdomain = matching(_SUBDOMAIN, 253, "a DNS name of lower-case letters, digits, '-' and '.'")
label = matching(_LABEL, 63, "a DNS label of lower-case letters, digits and '-'")
hostname = matching(rf"(\*\.)?{_SUBDOMAIN}", 253, "a hostname, with at most a first label *")
precise_hostname = matching(_SUBDOMAIN, 253, "a hostname without wildcard")
kind = matching(r"[a-zA-Z]([-a-zA-Z0-9]*[a-zA-Z0-9])?", 63, "a kind of letters, digits and '-'")
protocol = matching(
    rf"[a-zA-Z0-9]([-a-zA-Z0-9]*[a-zA-Z0-9])?|{_SUBDOMAIN}/[A-Za-z0-9]+", 255, "a protocol or domain/protocol"
)
domain_path = matching(rf"{_SUBDOMAIN}/[A-Za-z0-9/\-._~%!$&'()*+,;=:]+", 253, "a domain, '/' and a path")
header_name = matching(r"[A-Za-z0-9!#$%&'*+\-.^_`|~]+", 256, "a header or parameter name (RFC 9110 token)")
label_value = matching(r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]", 63, "a label's value")
qualified_key = matching(
    rf"({_SUBDOMAIN}/)?([A-Za-z0-9][-A-Za-z0-9_.]{{0,61}})?[A-Za-z0-9]",
    317,
    "a name with an optional DNS prefix",
)
header_value = matching(r"[!-~]+([\t ][!-~]+)*", 4096, "visible ASCII with single spaces between words")
uri_path = matching(_PATH_CHARACTERS, 1024, "characters that a URI path may have, others percent-encoded")
origin = matching(
    r"\*|https?://((\*\.)?([a-zA-Z0-9-]+\.)*[a-zA-Z0-9-]+|\*)(:[0-9]{1,5})?",
    253,
    "* or an origin such as https://*.example.com:8443",
)
uri = matching(r"[^:/?#]+://[\s\S]*", 253, "a URI with a scheme and //")
well_known_certificates = matching(
    rf"System|{_SUBDOMAIN}/([A-Za-z0-9][-A-Za-z0-9_.]{{0,61}})?[A-Za-z0-9]", 253, "System or a domain, '/' and a name"
)
grpc_service = matching(r"\.?[A-Za-z_]\w*(\.[A-Za-z_]\w*)*", 1024, "a service's name with its package", re.ASCII)
grpc_method = matching(r"[A-Za-z_]\w*", 1024, "a method's name", re.ASCII)
timestamp = matching(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", 40, "a time in UTC such as 2026-01-31T00:00:00Z")
port = between(1, 65535)
scope = one_of("All", "None")


def group(value: str) -> str:
    """An API group; the core group is the empty text."""
    return subdomain(value) if value else ""


def duration(value: str) -> str:
    """A GEP-2257 duration: at most four numbers of at most five digits, each with h, m, s or ms."""
    return "" if _DURATION.fullmatch(value) else f"must be a duration such as 1h30m, 10s or 500ms, is {shown(value)}"


def milliseconds(value: str) -> int:
    """The length of a well-formed GEP-2257 duration."""
    return sum(int(number) * _MILLISECONDS[unit] for number, unit in _DURATION_PART.findall(value))


def path(value: str) -> str:
    """The value of an Exact or PathPrefix match: absolute, normalised, URI characters only."""
    if not value.startswith("/"):
        return f"must start with '/', is {shown(value)}"
    for part in ("//", "/./", "/../", "%2f", "%2F", "#"):
        if part in value:
            return f"must not contain '{part}', is {shown(value)}"
    for end in ("/..", "/."):
        if value.endswith(end):
            return f"must not end with '{end}', is {shown(value)}"
    if not _PATH_TYPES_CHARACTERS.fullmatch(value):
        return f"has characters that a URI path must have percent-encoded, is {shown(value)}"
    return ""


def address(family: str) -> Check:
    """An IP address of the family that an EndpointSlice names; other families are not looked into."""
    version = {"IPv4": 4, "IPv6": 6}.get(family)

    def check(value: str) -> str:
        if version is None:
            return ""
        try:
            return "" if ip_address(value).version == version else f"must be {family}, is {shown(value)}"
        except ValueError:
            return f"must be an {family} address, is {shown(value)}"

    return check


def is_ip(value: str) -> bool:
    """Is it an IP address, of either family?"""
    try:
        ip_address(value)
    except ValueError:
        return False
    return True


def ip(value: str) -> str:
    """An IP address of either family."""
    return "" if is_ip(value) else f"must be an IP address, is {shown(value)}"


def routability(value: str) -> str:
    """How far an address reaches: nothing, Cluster, or a domain of who defined it, '/' and a name."""
    domain, _, rest = value.partition("/")
    if value in ("", "Cluster"):
        return ""
    if len(value) > 253:
        return f"has {len(value)} characters, more than 253"
    if not rest or subdomain(domain):
        return f"must be Cluster or a domain, '/' and a name, is {shown(value)}"
    reserved = domain == "k8s.io" or domain.endswith(".k8s.io")
    return f"must not use the reserved domain {domain}" if reserved else ""
