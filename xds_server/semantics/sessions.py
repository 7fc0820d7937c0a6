"""sessionPersistence: requests of one client stay with one endpoint of a backend.

Source: Gateway API SessionPersistence (GEP-1619). Traffic is split before, for each request anew: a session never
decides which backend is asked. So a cookie whose name is not given has one for each backend, and a client that comes
back to a backend finds the endpoint that it had there; with one name for all backends it has the session of the last.
"""

import re
from dataclasses import replace
from hashlib import sha256

from xds_server.flow.lookup import Lookup
from xds_server.model.httproute import CookieConfig, HeaderConfig, SessionPersistence
from xds_server.model.rules import syntax
from xds_server.routing.backend import Backend
from xds_server.routing.feature import Refused
from xds_server.routing.headers import FRAMING
from xds_server.routing.rule import Session
from xds_server.semantics import durations
from xds_server.semantics.world import World

_PATH = re.compile(r"/[\x21-\x3a\x3c-\x7e]*")
"""RFC 6265 path-value: no control character, no `;`; no blank either."""


def parse(spec: SessionPersistence | None, field: str) -> Session | Refused | None:
    """The session, with an empty name where one is to be made; or why it cannot be kept."""
    if spec is None:
        return None
    found = _parse(spec)
    return Refused("UnsupportedValue", f"{field}.{found}") if isinstance(found, str) else found


def of_backend(backend: Backend, look: Lookup, world: World) -> Session | None:
    """The session that is asked for with the backend's endpoints, the same for all routes that lead there: by itself
    where it is an XBackend, else by a policy.
    """
    own = look.get(world.x_backends, backend.service) if backend.kind == "XBackend" else None
    session = own.session if own else None
    if session is None:
        session = look.get(world.sessions, backend.object)
    return None if session is None else named(session, "backend", backend)


def named(session: Session, scope: str, backend: Backend) -> Session:
    """The session with one port of a backend; `scope` says whose it is. The same two always give the same name."""
    if session.name:
        return session
    identity = f"{scope} {backend.kind} {backend.service} {backend.port}"
    return replace(session, name=f"session-{sha256(identity.encode()).hexdigest()[:12]}")


def _parse(spec: SessionPersistence) -> Session | str:
    """Or what is wrong, beginning with the field."""
    seconds: int | None = None
    if spec.absolute_timeout is not None:
        try:
            milliseconds = durations.milliseconds(spec.absolute_timeout)
        except ValueError as error:
            return f"absoluteTimeout: {error}"
        if milliseconds == 0:
            return "absoluteTimeout: a session has to last for some time"
        seconds = -(-milliseconds // 1000)
    match spec.type:
        case "Cookie":
            return _cookie(spec.cookie, seconds) if spec.cookie is not None else "cookie: is missing"
        case "Header":
            return _header(spec.header, seconds) if spec.header is not None else "header: is missing"
        case other:
            return f"type: {other} is not supported"


def _header(header: HeaderConfig, seconds: int | None) -> Session | str:
    if reason := syntax.header_name(header.name):
        return f"header.name: {reason}"
    if header.name.lower() in FRAMING:
        return f"header.name: {header.name} tells how messages are framed"
    if seconds is not None:
        return "absoluteTimeout: is not supported for type Header, whose sessions last as long as their endpoint"
    return Session("header", header.name.lower())


def _cookie(cookie: CookieConfig, seconds: int | None) -> Session | str:
    if cookie.name is not None and (reason := syntax.header_name(cookie.name)):
        return f"cookie.name: {reason}"
    if cookie.path and not _PATH.fullmatch(cookie.path):
        return f"cookie.path: {cookie.path!r} is no path of a cookie"
    match cookie.lifetime_type:
        case "Permanent" if seconds is None:
            return "absoluteTimeout: is required for a Permanent cookie"
        case "Permanent" | "Session":
            permanent = cookie.lifetime_type == "Permanent"
            return Session("cookie", cookie.name or "", cookie.path or "/", seconds, permanent)
        case other:
            return f"cookie.lifetimeType: {other} is not supported"
