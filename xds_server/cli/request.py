"""A request as a command line spells it: a URL whose port is a listener's, a method, headers."""

import re
from collections.abc import Sequence
from typing import get_args
from urllib.parse import quote, urlsplit

from xds_server.cli.input import fail
from xds_server.model.rules.syntax import is_ip
from xds_server.routing.request import HTTP_SCHEMES, SECURE_SCHEMES, Request, Scheme

SCHEMES: tuple[Scheme, ...] = get_args(Scheme)
_PORTS: dict[Scheme, int] = {"http": 80, "https": 443, "grpc": 80, "grpcs": 443, "tls": 443}
_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+\-.^_`|~]+")
_KEPT = "".join(map(chr, range(0x21, 0x7F)))
_GRPC_HEADERS = (("content-type", "application/grpc"), ("te", "trailers"))


def parse(url: str, method: str = "", headers: Sequence[str] = (), sni: str = "") -> Request:
    """The request. Exits with 2 where it is none."""
    scheme = next((one for one in SCHEMES if url.lower().startswith(f"{one}://")), None)
    if scheme is None:
        fail(f"{url}: a URL begins with one of {', '.join(f'{one}://' for one in SCHEMES)}")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port or _PORTS.get(scheme)
    except ValueError as error:
        fail(f"{url}: {error}")
    if not host:
        fail(f"{url}: it names no host")
    if port is None:
        fail(f"{url}: it names no port, and {scheme} has none of its own")
    given = [_header(one) for one in headers]
    authority = next((value for name, value in given if name == "host"), parts.netloc.rpartition("@")[2])
    rest = tuple((name, value) for name, value in given if name != "host")
    grpc = scheme in ("grpc", "grpcs")
    if grpc:
        named = {name for name, _ in rest}
        rest += tuple(one for one in _GRPC_HEADERS if one[0] not in named)
    if scheme not in HTTP_SCHEMES and (method or given or parts.path.strip("/") or parts.query):
        fail(f"{url}: {scheme} has neither path, method nor headers")
    return Request(
        scheme=scheme,
        authority=authority,
        port=port,
        path=_path(url),
        method=method or ("POST" if grpc else "GET"),
        headers=rest,
        sni=(sni or ("" if is_ip(host) else host)) if scheme in SECURE_SCHEMES else "",
    )


def _path(url: str) -> str:
    """Path and query as they are written; what no request line may hold is escaped, as browsers do."""
    rest = url.partition("://")[2]
    start = min((index for index in (rest.find("/"), rest.find("?")) if index >= 0), default=len(rest))
    path = rest[start:].partition("#")[0]
    return quote(path if path.startswith("/") else f"/{path}", safe=_KEPT)


def _header(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not colon or not _NAME.fullmatch(name):
        fail(f"--header {text}: it is 'NAME: VALUE'")
    return name.lower(), value.strip()
