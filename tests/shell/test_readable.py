"""Keys as text and rows as JSON."""

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from typing import Any

import pytest

from xds_server.model.core import ConfigMap, Secret
from xds_server.model.meta import Key, Metadata
from xds_server.pipeline.gateway import PlacedId
from xds_server.pipeline.holds import HoldId
from xds_server.routing.backend import Backend
from xds_server.routing.listener import ListenerId, Scope
from xds_server.semantics.certificates import Certificate, KeptSecret
from xds_server.shell.readable import key_text, plain_text, readable
from xds_server.wire.part import Owner, Part
from xds_server.xds.resource import ResourceType

GATEWAY = Key("infra", "web")
PEM = "-----BEGIN RSA PRIVATE KEY-----\nMIIabc\n-----END RSA PRIVATE KEY-----"


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("a", "a"),
        ("", "-"),
        (Key("", "istio"), "istio"),
        (GATEWAY, "infra/web"),
        (ListenerId(GATEWAY, "http"), "infra/web http -"),
        (Scope(GATEWAY, 80), "infra/web 80 -"),
        ((Scope(GATEWAY, 443, "a.b"), "*"), "infra/web 443 a.b *"),
        (Backend(Key("a", "b"), 80), "a/b 80 auto - Service -"),
        (PlacedId("HTTPRoute", Key("a", "b"), GATEWAY, 80, "http"), "HTTPRoute a/b infra/web 80 http"),
        (HoldId(GATEWAY, "1.40.0", ResourceType.ROUTE, "x"), "infra/web 1.40.0 routes x"),
        (frozenset({"b", "a"}), "a,b"),
        ((), "-"),
        (None, "-"),
    ],
)
def test_keys_are_one_line(key: Any, text: str) -> None:
    assert key_text(key) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("no secret", "no secret"),
        (f"before {PEM} after {PEM}", "before [redacted] after [redacted]"),
        (PEM[:50], "[redacted]"),
        (PEM.replace("RSA ", ""), "[redacted]"),
        ("ü\ud800", "ü?"),
    ],
)
def test_text_of_others_is_shown_without_keys_and_always_encodable(text: str, shown: str) -> None:
    assert plain_text(text) == shown


class Colour(Enum):
    RED = "red"


@dataclass(frozen=True)
class Row:
    a: int
    b: Any
    nothing: None = None
    none: tuple[int, ...] = ()


def test_values_of_every_sort() -> None:
    when = datetime(2026, 1, 2, tzinfo=UTC)
    value = (1, True, 0.5, None, "a", b"secret", Colour.RED, when, GATEWAY, frozenset({2, 1}), [GATEWAY], object())
    assert readable(value) == [
        *(1, True, 0.5, None, "a", "[6 bytes]", "red", "2026-01-02T00:00:00+00:00", "infra/web", [1, 2]),
        *(["infra/web"], "<object>"),
    ]
    assert readable(Row(0, {GATEWAY: Row(1, 0.5)})) == {"a": 0, "b": {"infra/web": {"a": 1, "b": 0.5}}}
    assert readable(Scope(GATEWAY, 80)) == {"gateway": "infra/web", "port": 80}


def test_model_values_have_the_names_of_the_api() -> None:
    value = ConfigMap(metadata=Metadata(name="a", creation_timestamp="x"), binary_data={"k": b"12"})
    assert readable(value) == {
        "metadata": {"name": "a", "generation": 0, "creationTimestamp": "x"},
        "binaryData": {"k": "[2 bytes]"},
    }


def test_secrets_are_names_and_sizes() -> None:
    secret = Secret(metadata=Metadata(name="a", annotations={"note": "hidden"}), type="t", data={"k": b"hidden"})
    shown = {
        "metadata": {"name": "a", "generation": 0, "annotations": {"note": "[redacted]"}},
        "type": "t",
        "data": {"k": "[redacted] 6 bytes"},
    }
    assert readable(secret) == shown
    assert readable(KeptSecret(secret, secret)) == {"current": shown, "good": shown}
    certificate = Certificate(
        b"chain", b"hidden", ("a.b",), datetime(2025, 1, 2, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC)
    )
    assert "hidden" not in str(readable(certificate))


def test_parts_are_trees_with_the_message_at_the_top() -> None:
    leaf = Part("leaf", b"\n\x01x", owners=(Owner("Secret", "a", "b", "f"),), fallback=lambda part: part)
    part = Part("top", b"\n\x01x", parts=(leaf,))
    top = {"id": "top", "hash": part.hash, "bytes": 3}
    below = {"id": "leaf", "hash": part.hash, "bytes": 3, "owners": ["Secret a/b f"]}
    assert readable(part) == {**top, "parts": [below]}
    assert readable((part,), ResourceType.ROUTE.url) == [{**top, "message": {"name": "x"}, "parts": [below]}]
    assert "undecodable" in readable(Part("x", b"\n\x09x"), ResourceType.ROUTE.url)
