"""A request as Envoy's routes see it: what the connection manager refuses and changes before a route is chosen.

Follows the settings in http_manager.py. What Envoy adds that no client can know beforehand (x-request-id, the client's
address) is not told here.
"""

import re
from dataclasses import replace

from xds_server.routing import escapes
from xds_server.routing.request import Request

_METHODS = """
ACL BIND CHECKOUT CONNECT COPY DELETE GET HEAD LINK LOCK MERGE MKACTIVITY MKCALENDAR MKCOL MOVE NOTIFY OPTIONS PATCH
POST PROPFIND PROPPATCH PURGE PUT REBIND REPORT SEARCH SOURCE SUBSCRIBE TRACE UNBIND UNLINK UNLOCK UNSUBSCRIBE
"""
METHODS = frozenset(_METHODS.split())
"""Those that Envoy's parser of HTTP/1.1 knows."""
_ESCAPED = frozenset('"<>^`{|}')
_PRINTABLE = re.compile(r"[\x21-\x7e]*")
_PORT = re.compile(r":[0-9]+$")
_FINAL_DOT = re.compile(r"\.(:[0-9]+)?$")
_OF_ENVOY = "x-envoy-"


def host(authority: str) -> str:
    """The host by which a virtual host is found: in lower case, without the port and a final dot."""
    return _PORT.sub("", _FINAL_DOT.sub(r"\1", authority)).lower()


def malformed(request: Request) -> str:
    """Why Envoy's parser answers 400, before it knows what is asked for; empty when it does not."""
    if request.method not in METHODS:
        return f"method {request.method} is not one that Envoy takes"
    for name, _ in request.headers:
        if "_" in name:
            return f"header {name}: names with underscores are refused"
    if request.method == "CONNECT" or (request.method, request.path) == ("OPTIONS", "*"):
        return ""
    if not request.path.startswith("/"):
        return f"path {request.path} does not start with /"
    if not _PRINTABLE.fullmatch(request.path):
        return "the path holds characters that no request line may"
    return ""


def refusal(request: Request) -> str:
    """Why Envoy answers 400 whatever the routes say; empty when it does not."""
    if problem := malformed(request):
        return problem
    if "#" in request.path:
        return "the path holds a fragment (#)"
    if "%00" in request.bare_path:
        return "the path holds %00"
    return ""


def seen(request: Request) -> Request:
    """The request that routes are compared with: its path normalised, its headers as they are then."""
    path = request.path
    if path.startswith("/"):
        bare, mark, query = path.partition("?")
        path = f"{normalised(bare)}{mark}{query}"
    headers = [(name, value.strip()) for name, value in request.headers if not _dropped(name, value)]
    headers.append(("x-forwarded-proto", "https" if request.secure else "http"))
    authority = _FINAL_DOT.sub(r"\1", request.authority)
    headers.append(("host", authority))
    return replace(request, path=path, authority=authority, headers=tuple(headers))


def normalised(path: str) -> str:
    """A path without dot segments: what needs no escape is not escaped, what does is, and `\\` is `/`. Slashes are
    neither merged nor unescaped.
    """
    path = escapes.unescaped(path.replace("\\", "/"))
    path = "".join(f"%{ord(one):02X}" if one in _ESCAPED else one for one in path)
    kept: list[str] = []
    segments = path.split("/")[1:]
    for segment in segments:
        if segment == "..":
            del kept[-1:]
        elif segment != ".":
            kept.append(segment)
    if segments[-1] in (".", ".."):
        kept.append("")
    return "/" + "/".join(kept)


def _dropped(name: str, value: str) -> bool:
    """Headers of clients that no route sees: those about one connection, and those that Envoy's own would use."""
    if name == "te":
        return value.strip().lower() != "trailers"
    return name in ("connection", "host", "x-forwarded-proto") or name.startswith(_OF_ENVOY)
