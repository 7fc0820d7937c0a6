"""Percent-encoded characters: what is the same however it is written, and how that is compared.

Source: RFC 3986, 2.1 (hex digits of either case), 2.3 (characters that need no escape). Envoy takes needless escapes
out of the paths of requests, leaves hex digits in the case they have, and decodes nothing of queries.
"""

import re
from string import punctuation

from re2 import escape

_UNRESERVED = re.compile(r"%(2[dDeE]|3[0-9]|4[1-9a-fA-F]|5[0-9aAfF]|6[1-9a-fA-F]|7[0-9aAeE])")
_ESCAPE = re.compile(r"(%[0-9a-fA-F]{2})")
_WITH_LETTER = re.compile(r"%(?:[0-9][A-F]|[A-F][0-9A-F])")
_RAW = frozenset(punctuation) - frozenset("&#")
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
    escapes it.

    What is sent may be read as a form, where a plus is a blank; as a URI, where it is a plus; or, where the value has
    escapes itself, as it is written. No reading mixes with another.
    """
    if _PLAIN.fullmatch(value):
        return None
    readings = [_spelled(value, form=True)] if " " in value or "+" not in value else []
    if "+" in value:
        readings.append(_spelled(value, form=False))
    if _ESCAPE.search(value):
        readings.append(str(escape(value)))
    return readings[0] if len(readings) == 1 else f"(?:{'|'.join(readings)})"


def _either(escaped: str) -> str:
    return "%" + "".join(f"[{digit}{digit.lower()}]" if digit.isalpha() else digit for digit in escaped[1:])


def _spelled(value: str, *, form: bool) -> str:
    # What looks like an escape but is meant as it stands is escaped by everybody; a lone percent sign is not.
    return "".join(
        _spellings(character, raw=not _ESCAPE.match(value, index), form=form) for index, character in enumerate(value)
    )


def _spellings(character: str, raw: bool, form: bool) -> str:
    if _PLAIN.fullmatch(character):
        return str(escape(character))
    escaped = "".join(_either(f"%{byte:02X}") for byte in character.encode("utf-8", "surrogatepass"))
    if character == " ":
        return rf"(?:{escaped}|\+)" if form else escaped
    if raw and character in _RAW and not (form and character == "+"):
        return f"(?:{escaped}|{escape(character)})"
    return escaped
