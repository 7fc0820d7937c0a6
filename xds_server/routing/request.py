"""A request as it comes to a Gateway, and what may be told of the answer before it is sent."""

from dataclasses import dataclass
from typing import Literal

Scheme = Literal["http", "https", "grpc", "grpcs", "tcp", "tls", "udp"]
"""What a client speaks: HTTP, calls of gRPC (a kind of HTTP), or connections and datagrams without more."""
HTTP_SCHEMES: tuple[Scheme, ...] = ("http", "https", "grpc", "grpcs")
SECURE_SCHEMES: tuple[Scheme, ...] = ("https", "grpcs", "tls")


@dataclass(frozen=True, slots=True)
class Request:
    """`authority` is the Host header as it is sent, `path` goes with its query, header names are lower case.

    `port` is that of a listener. `sni` is the server name of the TLS handshake, empty where none is sent.
    """

    scheme: Scheme
    authority: str
    port: int
    path: str = "/"
    method: str = "GET"
    headers: tuple[tuple[str, str], ...] = ()
    sni: str = ""

    @property
    def secure(self) -> bool:
        """Does it come over TLS?"""
        return self.scheme in SECURE_SCHEMES

    @property
    def bare_path(self) -> str:
        """The path without its query."""
        return self.path.partition("?")[0]

    @property
    def query(self) -> str:
        """What follows the first question mark."""
        return self.path.partition("?")[2]

    def values(self, header: str) -> list[str]:
        """The values of a header by its name in lower case."""
        return [value for name, value in self.headers if name == header]


@dataclass(frozen=True, slots=True)
class Response:
    """An answer that a filter gives by itself."""

    status: int
    location: str = ""
