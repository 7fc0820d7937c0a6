"""Check: one kind of fault with its code, and the signs by which conditions and faults are recognised as of it."""

from enum import StrEnum
from typing import NamedTuple


class Severity(StrEnum):
    """What a finding is worth."""

    ERROR = "error"
    """Something that was asked for is not served."""
    WARNING = "warning"
    """Everything is served, and it is hardly what was meant."""
    INFO = "info"
    """Worth knowing; often it is meant so."""


class Told(NamedTuple):
    """A sign of a condition. What is empty may be anything; `words`, a regular expression, is searched for in the
    message. `of` is what has the condition: GatewayClass, Gateway, ListenerSet, Listener, Route or Policy, which
    is an XBackend too.
    """

    of: str = ""
    type: str = ""
    reason: str = ""
    words: str = ""


def told_beside(of: str, type_: str, reason: str, words: str) -> tuple[Told, ...]:
    """The signs of a condition with that reason, and of one that has these words beside what it has its reason from."""
    return Told(of, type_, reason, words), Told(of, type_, "", words)


class Said(NamedTuple):
    """A sign of a fault: regular expressions, searched for in its reason and its field; empty ones may be anything.

    `bare` is a fault of a text that names neither kind nor field.
    """

    words: str = ""
    field: str = ""
    bare: bool = False


class Check(NamedTuple):
    """One kind of fault. The code is a promise: it never gets another meaning, and none is used again."""

    code: str
    title: str
    severity: Severity
    meaning: str
    hint: str
    """How it is mended, as a demand."""
    signs: tuple[Told | Said, ...] = ()
    """Empty for what is found by looking, not told by a condition or a fault."""
    field: str = ""
    """The field that it is about where no message names one, relative to the part that is told of."""
    unshown: str = ""
    """Why no file shows it."""


ERROR, WARNING, INFO = Severity
LIVE = "Only a running server tells this: it depends on what an Envoy or this machine answers."
FIRST = "Of objects in files XDS02xx tells it first, as the API server would in a cluster."
FOLLOWS = "It follows from what else is told of the same object, and `check` tells that alone."
