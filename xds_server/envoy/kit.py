"""Small constructors shared by the other modules of this package.

`fast(...)` keeps a message class's signature and leaves out its validation (see wire.construct): every value that is
built here was checked by `semantics`.
"""

from datetime import timedelta

from envoy_data_plane.envoy.config.core import v3 as core
from envoy_data_plane.envoy.type import v3 as type_v3
from envoy_data_plane.envoy.type.matcher import v3 as matcher

from xds_server.wire.construct import fast

ConfigSource = fast(core.ConfigSource)
AggregatedConfigSource = fast(core.AggregatedConfigSource)
Address = fast(core.Address)
SocketAddress = fast(core.SocketAddress)
DataSource = fast(core.DataSource)
HeaderValue = fast(core.HeaderValue)
HeaderValueOption = fast(core.HeaderValueOption)
TransportSocket = fast(core.TransportSocket)
RuntimeFractionalPercent = fast(core.RuntimeFractionalPercent)
FractionalPercent = fast(type_v3.FractionalPercent)
StringMatcher = fast(matcher.StringMatcher)
RegexMatcher = fast(matcher.RegexMatcher)
RegexMatchAndSubstitute = fast(matcher.RegexMatchAndSubstitute)

NO_FETCH_TIMEOUT = timedelta(0)
MILLION = 1_000_000


def ads(*, wait: bool) -> core.ConfigSource:
    """Fetch over ADS. With `wait`, Envoy never serves a listener without what it names (no fetch time-out)."""
    return ConfigSource(
        ads=AggregatedConfigSource(),
        resource_api_version=core.ApiVersion.V3,
        initial_fetch_timeout=NO_FETCH_TIMEOUT if wait else None,
    )


def milliseconds(value: int) -> timedelta:
    """A duration of so many milliseconds."""
    return timedelta(milliseconds=value)


def string_matcher(value: str, *, regex: bool) -> matcher.StringMatcher:
    """Equal to the value, or a regular expression matching in whole."""
    return StringMatcher(safe_regex=RegexMatcher(regex=value)) if regex else StringMatcher(exact=value)


def share(numerator: int, denominator: int) -> core.RuntimeFractionalPercent:
    """A share of requests to a millionth."""
    parts = round(numerator * MILLION / denominator)
    return RuntimeFractionalPercent(
        default_value=FractionalPercent(numerator=parts, denominator=type_v3.FractionalPercentDenominatorType.MILLION)
    )


def share_within(
    part: core.RuntimeFractionalPercent | None, before: int, after: int, total: int
) -> core.RuntimeFractionalPercent:
    """That part (None: all) of the requests whose number lies from before/total to after/total.

    Envoy compares one number per request with every fraction, so a share of a share ends where the numbers do.
    """
    numerator = MILLION if part is None or part.default_value is None else part.default_value.numerator
    low, high = (round(bound * MILLION / total) for bound in (before, after))
    return share(low + round((high - low) * numerator / MILLION), MILLION)


def literal(value: str) -> str:
    """A header value that Envoy's formatter must leave alone: `%` begins a command there."""
    return value.replace("%", "%%")


def tcp(address: str, port: int) -> core.Address:
    """A TCP address; the IPv6 wildcard takes IPv4 connections too (where a node has no IPv6, see `ipv4`)."""
    return Address(socket_address=SocketAddress(address=address, port_value=port, ipv4_compat=address == "::"))


def udp(address: str, port: int) -> core.Address:
    """A UDP address; the IPv6 wildcard takes datagrams over IPv4 too."""
    found = SocketAddress(address=address, port_value=port, ipv4_compat=address == "::")
    found.protocol = core.SocketAddressProtocol.UDP
    return Address(socket_address=found)
