"""Takes private keys and tokens out of text that people will hand on, whatever brought them there.

Those who make the text leave out what is secret by its place; this finds by its looks what got there otherwise: a log
that quotes a request, a certificate file with the key in it.
"""

import binascii
import re
from base64 import b64decode
from typing import Final, NamedTuple

_MARK: Final = b"[redacted]"
_PRIVATE: Final = b"PRIVATE KEY"
_PEM: Final = re.compile(rb"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL)
_ENCODED_PEM: Final = re.compile(rb"LS0tLS1CRUdJTi[A-Za-z0-9+/]+={0,2}")
"""Base64 of what begins like PEM; blanks and line ends in it end it."""
_TOKEN: Final = re.compile(rb"eyJ[A-Za-z0-9_-]{6,}\.eyJ[A-Za-z0-9_-]{6,}\.[A-Za-z0-9_-]*")
"""JSON Web Tokens, such as those of ServiceAccounts."""
_BEARER: Final = re.compile(rb"(?i)(bearer\s+|basic\s+)[A-Za-z0-9._~+/-]{16,}=*")


class Scrubbed(NamedTuple):
    """The text without secrets, and how many there were."""

    text: bytes
    found: int


def scrub(text: bytes) -> Scrubbed:
    """Puts a mark in the place of everything that looks like a private key, a token, or credentials."""
    text, keys = _PEM.subn(_MARK, text)
    encoded = [one for one in _ENCODED_PEM.findall(text) if _PRIVATE in _decoded(one)]
    for one in encoded:
        text = text.replace(one, _MARK)
    text, tokens = _TOKEN.subn(_MARK, text)
    text, bearers = _BEARER.subn(rb"\1" + _MARK, text)
    return Scrubbed(text, keys + len(encoded) + tokens + bearers)


def _decoded(text: bytes) -> bytes:
    whole = text[: len(text) - len(text) % 4]
    try:
        return b64decode(whole)
    except binascii.Error:
        return b""
