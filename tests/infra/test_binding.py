"""Local addresses and ports: the rules of binding.py one by one, and their invariants over random histories."""

from collections.abc import Iterable, Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xds_server.infra.binding import Binding, Port, Probe, Socket, Unavailable, Wanted, allocate, shifted
from xds_server.model.meta import Key


def want(name: str, *ports: int | Port, addresses: tuple[str, ...] = ()) -> Wanted:
    """A Gateway `ns/NAME`; plain numbers are TCP ports."""
    return Wanted(Key("ns", name), frozenset(p if isinstance(p, Port) else Port(p) for p in ports), addresses)


def machine(held: Mapping[str, Unavailable] | None = None) -> Probe:
    """A machine on which these sockets (spelled 127.0.0.1:8080) or addresses cannot be had."""
    held = held or {}
    return lambda sock: held.get(str(sock)) or held.get(sock.address)


def bind(
    *wanted: Wanted,
    previous: Mapping[Key, Binding] | None = None,
    probe: Probe | None = None,
    offset: int = 8000,
) -> dict[Key, Binding]:
    return allocate(wanted, previous or {}, probe or machine(), port_offset=offset)


def places(result: Mapping[Key, Binding]) -> dict[str, str]:
    """name -> "127.0.0.1 80>8080 443>8443", with "!" for what is blocked."""
    return {
        key.name: " ".join(
            [b.address]
            + [f"{p.number}>{n}" for p, n in b.ports.items()]
            + [f"!{p.number}>{n}" for p, n in b.blocked.items()]
        )
        for key, b in result.items()
    }


def said(result: Mapping[Key, Binding], name: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    binding = result[Key("ns", name)]
    return binding.notes, binding.problems


def test_low_ports_are_moved_up_and_others_stay() -> None:
    result = bind(want("a", 80, 443, 9000))
    assert places(result) == {"a": "127.0.0.1 80>8080 443>8443 9000>9000"}
    assert said(result, "a") == ((), ())


@pytest.mark.parametrize(
    ("offset", "expected"),
    [
        (0, {80: 80, 1023: 1023, 1024: 1024}),
        (10_000, {80: 10_080, 1023: 11_023, 1024: 1024}),
        (8_000, {5: 10_005, 1005: 9_005, 8005: 8_005}),
    ],
)
def test_offset(offset: int, expected: dict[int, int]) -> None:
    assert shifted([Port(n) for n in expected], offset) == {Port(n): bound for n, bound in expected.items()}


@pytest.mark.parametrize(
    ("ports", "expected"),
    [
        ([80, 8080], {80: 9080, 8080: 8080}),
        ([80, 8080, 9080], {80: 10_080, 8080: 8080, 9080: 9080}),
    ],
)
def test_a_collision_within_the_gateway_moves_the_shifted_port_on(ports: list[int], expected: dict[int, int]) -> None:
    result = bind(want("a", *ports))
    assert {p.number: n for p, n in result[Key("ns", "a")].ports.items()} == expected
    (moved,) = (n for n in ports if n < 1024)
    notes, problems = said(result, "a")
    assert notes == (
        f"Gateway ns/a: port {moved} is served on {expected[moved]}, since it has 127.0.0.1:{moved + 8000}",
    )
    assert problems == ()


def test_udp_and_tcp_do_not_meet() -> None:
    result = bind(want("a", 53), want("b", Port(53, "UDP")))
    assert places(result) == {"a": "127.0.0.1 53>8053", "b": "127.0.0.1 53>8053"}


def test_the_second_gateway_of_a_port_gets_the_next_address() -> None:
    result = bind(want("a", 80), want("b", 80, 443), want("c", 443), want("d", 80))
    assert places(result) == {
        "a": "127.0.0.1 80>8080",
        "b": "127.0.0.2 80>8080 443>8443",
        "c": "127.0.0.1 443>8443",
        "d": "127.0.0.3 80>8080",
    }
    assert said(result, "b") == (
        ("Gateway ns/b is served on 127.0.0.2, since Gateway ns/a has 127.0.0.1:8080",),
        (),
    )


@pytest.mark.parametrize("address", ["127.0.0.9", "::1", "::ffff:127.0.0.9"])
def test_own_loopback_address(address: str) -> None:
    result = bind(want("a", 80), want("b", 80, addresses=(address,)))
    assert places(result)["b"] == ("::1" if address == "::1" else "127.0.0.9") + " 80>8080"
    assert said(result, "b") == ((), ())


def test_an_address_that_was_asked_for_goes_to_who_asked() -> None:
    result = bind(want("a", 80), want("b", 80, addresses=("127.0.0.1",)))
    assert places(result) == {"a": "127.0.0.2 80>8080", "b": "127.0.0.1 80>8080"}


def test_the_first_usable_one_of_several_own_addresses() -> None:
    own = ("127.0.0.5", "127.0.0.6")
    result = bind(want("a", 80, addresses=own), want("b", 80, addresses=own))
    assert places(result) == {"a": "127.0.0.5 80>8080", "b": "127.0.0.6 80>8080"}


def test_two_gateways_that_ask_for_the_same_socket() -> None:
    own = ("127.0.0.5",)
    result = bind(want("a", 80, addresses=own), want("b", 80, 443, addresses=own))
    assert places(result) == {"a": "127.0.0.5 80>8080", "b": "127.0.0.5 443>8443 !80>8080"}
    assert said(result, "b")[1] == (
        (
            "Gateway ns/b: port 80 is not served: 127.0.0.5:8080 belongs to Gateway ns/a; "
            "give one of them another port, or another loopback address in spec.addresses"
        ),
    )
    after = bind(want("b", 80, 443, addresses=own), previous=result)
    assert places(after) == {"b": "127.0.0.5 80>8080 443>8443"}


@pytest.mark.parametrize("address", ["10.0.0.7", "2001:db8::1", "www.example.com", "localhost"])
def test_addresses_that_are_not_loopback_are_noted(address: str) -> None:
    result = bind(want("a", 80, addresses=(address,)))
    assert places(result) == {"a": "127.0.0.1 80>8080"}
    assert said(result, "a") == (
        (f"Gateway ns/a: spec.addresses {address} is no loopback address; served on 127.0.0.1",),
        (),
    )


def test_what_another_program_holds_is_named_and_harms_nobody_else() -> None:
    held = machine({"127.0.0.1:8080": Unavailable.IN_USE, "127.0.0.1:9000": Unavailable.IN_USE})
    result = bind(want("a", 80, 443), want("b", 80), want("c", 9000), probe=held)
    assert places(result) == {
        "a": "127.0.0.1 443>8443 !80>8080",
        "b": "127.0.0.2 80>8080",
        "c": "127.0.0.1 !9000>9000",
    }
    assert said(result, "a")[1] == (
        (
            "Gateway ns/a: port 80 is not served: another program holds 127.0.0.1:8080; "
            "stop that program or choose another --port-offset"
        ),
    )
    assert said(result, "c")[1] == (
        (
            "Gateway ns/c: port 9000 is not served: another program holds 127.0.0.1:9000; "
            "stop that program or choose another port for the listener"
        ),
    )
    freed = bind(want("a", 80, 443), want("b", 80), want("c", 9000), previous=result)
    assert places(freed) == {
        "a": "127.0.0.1 80>8080 443>8443",
        "b": "127.0.0.2 80>8080",
        "c": "127.0.0.1 9000>9000",
    }
    assert said(freed, "a")[1] == ()


@pytest.mark.parametrize(
    ("port", "reason", "sentence"),
    [
        (
            Port(53, "UDP"),
            Unavailable.IN_USE,
            "UDP port 53 is not served: another program holds 127.0.0.1:8053/udp",
        ),
        (
            Port(80),
            Unavailable.NOT_PERMITTED,
            "this user may not listen on 127.0.0.1:8080; choose a --port-offset",
        ),
        (
            Port(80),
            Unavailable.NO_ADDRESS,
            "this machine has no address 127.0.0.1; use another in spec.addresses",
        ),
    ],
)
def test_every_reason_has_its_sentence(port: Port, reason: Unavailable, sentence: str) -> None:
    result = bind(want("a", port), probe=lambda _: reason)
    assert result[Key("ns", "a")].ports == {}
    (problem,) = said(result, "a")[1]
    assert problem.startswith("Gateway ns/a: ")
    assert sentence in problem


def test_beyond_the_last_port() -> None:
    result = bind(want("a", 1000, 80), offset=65_000)
    assert places(result) == {"a": "127.0.0.1 80>65080 !1000>66000"}
    (problem,) = said(result, "a")[1]
    assert problem == (
        "Gateway ns/a: port 1000 is not served: moved up it is beyond 65535; choose a smaller --port-offset"
    )


def test_where_127_0_0_1_is_the_only_address_ports_move_on() -> None:
    only = machine({f"127.0.0.{n}": Unavailable.NO_ADDRESS for n in range(2, 255)})
    result = bind(want("a", 80), want("b", 80), probe=only)
    assert places(result) == {"a": "127.0.0.1 80>8080", "b": "127.0.0.1 80>9080"}
    assert said(result, "b") == (
        ("Gateway ns/b: port 80 is served on 9080, since Gateway ns/a has 127.0.0.1:8080",),
        (),
    )


def test_a_gateway_keeps_what_it_has() -> None:
    first = bind(want("a", 80), want("b", 80))
    alone = bind(want("b", 80), previous=first)
    assert places(alone) == {"b": "127.0.0.2 80>8080"}
    assert said(alone, "b")[0] == ("Gateway ns/b is served on 127.0.0.2, where it has been so far",)
    older = bind(want("new", 80), want("b", 80), previous=alone)
    assert places(older) == {"new": "127.0.0.1 80>8080", "b": "127.0.0.2 80>8080"}


def test_a_port_that_is_gained_and_taken_moves_on_rather_than_the_gateway() -> None:
    first = bind(want("a", 80), want("b", 81))
    second = bind(want("a", 80), want("b", 81, 80), previous=first)
    assert places(second)["b"] == "127.0.0.1 80>9080 81>8081"
    third = bind(want("a", 80, 8443), want("b", 81, 80), previous=second)
    assert places(third) == {"a": "127.0.0.1 80>8080 8443>8443", "b": "127.0.0.1 80>9080 81>8081"}


@pytest.mark.parametrize("addresses", [(), ("127.0.0.1",)])
def test_a_gained_port_does_not_push_out_a_kept_one(addresses: tuple[str, ...]) -> None:
    first = bind(want("a", 80, addresses=addresses))
    second = bind(want("a", 80, 8080, addresses=addresses), previous=first)
    assert places(second) == {"a": "127.0.0.1 80>8080 8080>9080"}


def test_new_addresses_in_the_spec_do_move_a_gateway() -> None:
    first = bind(want("a", 80))
    moved = bind(want("a", 80, addresses=("127.0.0.7",)), previous=first)
    assert places(moved) == {"a": "127.0.0.7 80>8080"}
    assert places(bind(want("a", 80), previous=moved)) == {"a": "127.0.0.7 80>8080"}


def test_sockets_of_our_own_envoys_are_not_probed() -> None:
    first = bind(want("a", 80, 443))
    asked: list[Socket] = []

    def probe(sock: Socket) -> Unavailable | None:
        asked.append(sock)
        return None

    second = bind(want("a", 80, 443, 81), want("b", 80), previous=first, probe=probe)
    assert places(second) == {"a": "127.0.0.1 80>8080 81>8081 443>8443", "b": "127.0.0.2 80>8080"}
    assert {str(sock) for sock in asked} == {"127.0.0.1:8081", "127.0.0.2:8080"}
    handed_over = bind(
        want("b", 80),
        previous={Key("ns", "a"): first[Key("ns", "a")]},
        probe=machine({"127.0.0.1": Unavailable.IN_USE}),
    )
    assert places(handed_over) == {"b": "127.0.0.1 80>8080"}


def test_a_gateway_without_ports_is_bound_to_nothing() -> None:
    assert places(bind(want("a"), want("b", 80))) == {"a": "127.0.0.1", "b": "127.0.0.1 80>8080"}


PORTS = st.frozensets(
    st.builds(Port, st.sampled_from([80, 81, 443, 1080, 8080, 8081, 9080]), st.sampled_from(["TCP", "UDP"])),
    max_size=4,
)
ADDRESSES = st.sampled_from([(), (), (), ("127.0.0.1",), ("127.0.0.2", "::1"), ("10.0.0.1",)])
STEP = st.dictionaries(st.sampled_from("abcd"), st.tuples(PORTS, ADDRESSES), max_size=4)
HELD = st.frozensets(st.sampled_from(["127.0.0.1:8080", "127.0.0.2:8080", "127.0.0.1:8443", "[::1]:8080"]), max_size=2)


def sockets(bindings: Iterable[Binding]) -> list[Socket]:
    return [Socket(b.address, Port(n, p.protocol)) for b in bindings for p, n in b.ports.items()]


@given(st.lists(st.tuples(STEP, HELD), max_size=5))
def test_invariants(
    history: list[tuple[dict[str, tuple[frozenset[Port], tuple[str, ...]]], frozenset[str]]],
) -> None:
    """Every port is bound or blamed, no socket is bound twice or against the machine, and nothing moves unasked."""
    before: dict[Key, Binding] = {}
    asks: dict[Key, Wanted] = {}
    for step, held in history:
        wanted = [Wanted(Key("ns", name), ports, addresses) for name, (ports, addresses) in step.items()]
        probe = machine(dict.fromkeys(held, Unavailable.IN_USE))
        result = allocate(wanted, before, probe, port_offset=8000)
        assert result == allocate(wanted, before, probe, port_offset=8000)
        bound = sockets(result.values())
        assert len(bound) == len(set(bound))
        assert not {str(sock) for sock in bound if sock not in sockets(before.values())} & held
        for ask in wanted:
            binding = result[ask.gateway]
            assert {*binding.ports, *binding.blocked} == ask.ports
            assert len(binding.problems) == len(binding.blocked)
            old = before.get(ask.gateway)
            if old and asks[ask.gateway].addresses == ask.addresses:
                assert binding.address == old.address
                assert all(binding.ports[port] == n for port, n in old.ports.items() if port in ask.ports)
        before, asks = result, {ask.gateway: ask for ask in wanted}
