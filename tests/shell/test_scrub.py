"""What looks like a secret is taken out of any text."""

import json
from base64 import b64encode

import pytest

from tests.scenarios import certificates
from xds_server.shell.scrub import scrub

NAMES = "shop.example.com"
KEY = certificates.pem("key", NAMES)
CERTIFICATE = certificates.pem("cert", NAMES)
TOKEN = ".".join(b64encode(json.dumps(one).encode()).decode().rstrip("=") for one in ({"alg": "RS256"}, {"sub": "me"}, {"s": 1}))  # fmt: skip


@pytest.mark.parametrize(
    ("text", "rest"),
    [
        (f"before {KEY}after", "before [redacted]\nafter"),
        (KEY[:60], "[redacted]"),
        (json.dumps({"key": KEY}), '{"key": "[redacted]\\n"}'),
        (f'"{b64encode(KEY.encode()).decode()}"', '"[redacted]"'),
        (f'"{b64encode((CERTIFICATE + KEY).encode()).decode()}"', '"[redacted]"'),
        (f"token={TOKEN}&x", "token=[redacted]&x"),
        ("Authorization: Bearer 0123456789abcdef0123", "Authorization: Bearer [redacted]"),
        ("authorization: basic dXNlcjpwYXNzd29yZDE=", "authorization: basic [redacted]"),
    ],
)
def test_secrets_are_taken_out(text: str, rest: str) -> None:
    found = scrub(text.encode())
    assert (found.text.decode(), found.found) == (rest, 1)


@pytest.mark.parametrize(
    "text",
    [CERTIFICATE, b64encode(CERTIFICATE.encode()).decode(), "basic rules", "the bearer of news", "eyJhbGciOi", ""],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert scrub(text.encode()) == (text.encode(), 0)
