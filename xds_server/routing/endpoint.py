"""Endpoints: the addresses behind a backend."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class ServingEndpoint:
    """An address that takes traffic; `zone` is empty where unknown."""

    zone: str
    address: str
    port: int
