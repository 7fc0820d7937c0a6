"""Percent-encoded characters: what is the same however it is written, and how that is compared.

Source: RFC 3986, 2.1 (hex digits of either case), 2.3 (characters that need no escape). Envoy takes needless escapes
out of the paths of requests, leaves hex digits in the case they have, and decodes nothing of queries.
"""

import re

from re2 import escape

_UNRESERVED = re.compile(r"%(2[dDeE]|3[0-9]|4[1-9a-fA-F]|5[0-9aAfF]|6[1-9a-fA-F]|7[0-9aAeE])")
_ESCAPE = re.compile(r"(%[0-9a-fA-F]{2})")
_WITH_LETTER = re.compile(r"%(?:[0-9][A-F]|[A-F][0-9A-F])")
_PLAIN = re.compile(r"[A-Za-z0-9._~-]*")


def unescaped(path: str) -> str:
    """Without escapes of characters that need none."""
    return _UNRESERVED.sub(lambda found: chr(int(found[1], 16)), path)


def capital(path: str) -> str:
    """Hex digits of escapes in upper case, as browsers write them."""
    return _ESCAPE.sub(lambda found: found[0].upper(), path)


def any_case(path: str) -> str | None:
    """A regular expression for a path with `capital` escapes, in either case; None where there is but one."""
    if not _WITH_LETTER.search(path):
        return None
    return "".join(_either(part) if _ESCAPE.fullmatch(part) else str(escape(part)) for part in _ESCAPE.split(path))


def of_parameter(value: str) -> str | None:
    """A regular expression for the value of a query parameter, escaped or not where both can be; None where nobody
    escapes it. A blank may also be a plus.
    """
    if _PLAIN.fullmatch(value):
        return None
    return "".join(_spellings(character) for character in value)


def _either(escaped: str) -> str:
    return "%" + "".join(f"[{digit}{digit.lower()}]" if digit.isalpha() else digit for digit in escaped[1:])


def _spellings(character: str) -> str:
    if _PLAIN.fullmatch(character):
        return str(escape(character))
    escaped = "".join(_either(f"%{byte:02X}") for byte in character.encode("utf-8", "surrogatepass"))
    if character == " ":
        return rf"(?:{escaped}|\+)"
    raw = character.isascii() and character.isprintable() and character not in "&#"
    return f"(?:{escaped}|{escape(character)})" if raw else escaped
