"""Where this machine keeps the certificates of the authorities that it trusts."""

from collections.abc import Iterable
from pathlib import Path
from typing import Final

PLACES: Final = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
)
"""Of Debian and Arch, Fedora and its kin, openSUSE, Alpine."""


def system_authorities(places: Iterable[str] = PLACES) -> str:
    """The first of the usual files that there is; without any Debian's, which Envoy will miss and say so."""
    return next((place for place in places if Path(place).is_file()), PLACES[0])
