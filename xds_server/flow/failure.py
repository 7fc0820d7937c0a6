"""What goes wrong in a graph: programming errors, which are raised, and failures of keys, which are kept.

In: exceptions. Out: values that can be shown. Not done here: catching anything (derive.py).
"""

import traceback
from dataclasses import dataclass


class OrderError(RuntimeError):
    """A function read what it may not: a table that is not older than itself, or a table past its Lookup.

    A mistake in the program and not in a row, hence raised by `Graph.settle` and never kept as a key's
    failure.
    """


class DuplicateKeyError(ValueError):
    """Two rows were derived under one key."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a key has kept its last good rows: `Type: message`, and the traceback as text (empty when none)."""

    error: str
    traceback: str = ""


def failure_of(error: Exception) -> Failure:
    """The failure that an exception stands for; the exception and its frames are not kept alive."""
    report = traceback.TracebackException.from_exception(error)
    return Failure(f"{type(error).__name__}: {report}", "".join(report.format()))
