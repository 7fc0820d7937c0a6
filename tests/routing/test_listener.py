"""Which hosts are looked up together, and what is bound."""

from xds_server.model.meta import Key
from xds_server.routing.listener import Bind, Listener, ListenerId, Scope

GATEWAY = Key("infra", "public")


def listener(scheme: str, hostname: str) -> Listener:
    return Listener(ListenerId(GATEWAY, "one"), 443, scheme, hostname)  # type: ignore[arg-type]


def test_plain_listeners_of_a_port_share_a_scope_and_secure_ones_do_not() -> None:
    assert listener("http", "a.example.com").scope == listener("http", "*").scope == Scope(GATEWAY, 443)
    assert listener("https", "a.example.com").scope == Scope(GATEWAY, 443, "a.example.com")
    assert listener("https", "*").scope != listener("http", "*").scope


def test_a_port_is_bound_as_told_and_else_as_written() -> None:
    assert Bind(ports=((80, 8080),)).port(80) == 8080
    assert Bind(ports=((80, 8080),)).port(443) == 443
