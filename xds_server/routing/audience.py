"""Audiences: for whom a resource is made. A node sees the ordered overlay of its audiences, later ones win."""

from typing import NamedTuple


class Everyone(NamedTuple):
    """Every connected proxy."""


class ForGateway(NamedTuple):
    """The proxies of one Gateway; with `build` set, only those of that Envoy version (e.g. "1.40.0")."""

    namespace: str
    name: str
    build: str = ""


class ForNamespace(NamedTuple):
    """All sidecars in one namespace."""

    namespace: str


class ForWorkload(NamedTuple):
    """The sidecars of one ServiceAccount."""

    namespace: str
    service_account: str


Audience = Everyone | ForGateway | ForNamespace | ForWorkload
