"""sessionPersistence read, and the names that are made for cookies."""

import pytest

from xds_server.model.httproute import CookieConfig, HeaderConfig, SessionPersistence
from xds_server.model.meta import Key
from xds_server.routing.backend import Backend
from xds_server.routing.feature import Refused
from xds_server.routing.rule import Session
from xds_server.semantics.sessions import named, parse

CART = Backend(Key("shop", "cart"), 8080)


def test_nothing_is_no_session() -> None:
    assert parse(None, "x") is None


@pytest.mark.parametrize(
    ("spec", "wanted"),
    [
        (SessionPersistence(cookie=CookieConfig()), Session("cookie", "")),
        (SessionPersistence(cookie=CookieConfig(path="")), Session("cookie", "")),
        (SessionPersistence(cookie=CookieConfig("sid", "/a")), Session("cookie", "sid", "/a")),
        (
            SessionPersistence("1ms", cookie=CookieConfig(lifetime_type="Permanent")),
            Session("cookie", "", "/", 1, permanent=True),
        ),
        (
            SessionPersistence("2s", cookie=CookieConfig(lifetime_type="Permanent")),
            Session("cookie", "", "/", 2, permanent=True),
        ),
        (SessionPersistence("2s", cookie=CookieConfig()), Session("cookie", "", "/", 2)),
        (SessionPersistence(type="Header", header=HeaderConfig("X-S")), Session("header", "x-s")),
    ],
)
def test_sessions(spec: SessionPersistence, wanted: Session) -> None:
    assert parse(spec, "x") == wanted


@pytest.mark.parametrize("path", ["a", "/a;b", "/a b", "/\x7f", "/é", "/a\n"])
def test_paths_that_would_break_the_cookie(path: str) -> None:
    found = parse(SessionPersistence(cookie=CookieConfig(path=path)), "x")
    assert isinstance(found, Refused)
    assert found.message.startswith("x.cookie.path: ")


def test_names_are_made_of_scope_and_port_of_a_backend() -> None:
    session = Session("cookie", "")
    name = named(session, "a", CART).name
    assert name == "session-" + name[8:]
    assert name == named(session, "a", CART._replace(protocol="http2", tls=Key("shop", "policy"))).name
    others = {
        named(session, "b", CART).name,
        named(session, "a", CART._replace(port=8081)).name,
        named(session, "a", CART._replace(service=Key("shop", "pay"))).name,
        named(session, "a", CART._replace(kind="XBackend")).name,
        name,
    }
    assert len(others) == 5


def test_a_name_that_is_given_stays() -> None:
    session = Session("cookie", "sid")
    assert named(session, "a", CART) is session
