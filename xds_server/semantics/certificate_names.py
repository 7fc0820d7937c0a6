"""The DNS names in certificates, and which hosts they are for.

Source: RFC 9525 section 6.3: a wildcard is a whole first label and stands for exactly one label, so that a bare `*` is
for no host that has a dot.
"""

from collections.abc import Iterable

from xds_server.model.wording import some
from xds_server.routing.hostname import ANY, covers, normalise

_MOST_NAMES = 5


def fits(name: str, hostname: str) -> bool:
    """Can a certificate of that name be shown for a host that a listener's hostname covers?"""
    if hostname in (ANY, name):
        return True
    if hostname.startswith("*."):
        return covers(hostname, name)
    return name == one_label_wider(hostname)


def one_label_wider(name: str) -> str:
    """The wildcard that stands for the name, `*.example.com` for `shop.example.com`."""
    return f"*.{name.partition('.')[2]}"


def normal(names: Iterable[str]) -> tuple[str, ...]:
    """As they are compared, each once."""
    return tuple(dict.fromkeys(normalise(name) for name in names))


def told(names: Iterable[str]) -> str:
    """The first few in words."""
    return some(list(names), _MOST_NAMES) or "no DNS name"
