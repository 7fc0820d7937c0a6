"""Regular expressions as Envoy will compile them: RE2 over bytes, with a bound on the program's size."""

import re2

MAX_PROGRAM_SIZE = 32_768
"""Instructions; our bootstraps raise Envoy's `re2.max_program_size.error_level` to this (its default is 100)."""


def problem(pattern: str) -> str | None:
    """Why Envoy would reject the expression, or None."""
    if not pattern:
        return "regular expression '': it is empty"
    options = re2.Options()
    options.log_errors = False
    options.encoding = re2.Options.Encoding.LATIN1  # Envoy's choice: no code point is above 255
    try:
        compiled = re2.compile(pattern.encode(), options=options)
    except re2.error as error:
        reason = error.args[0] if error.args else error
        return f"regular expression {pattern!r}: {reason.decode() if isinstance(reason, bytes) else reason}"
    size = compiled.programsize
    if size > MAX_PROGRAM_SIZE:
        return f"regular expression {pattern!r} compiles to {size} instructions; at most {MAX_PROGRAM_SIZE} are allowed"
    return None
