"""The catalogue: every check by its code, and from a condition or a fault to its check. Both are total."""

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from xds_server.model.document import Fault
from xds_server.model.kinds import ROUTE_KINDS
from xds_server.semantics.checks import (
    attachment,
    certificates,
    files,
    gateways,
    listeners,
    policies,
    references,
    remarks,
    rules,
    schema,
)
from xds_server.semantics.checks.check import Check, Said, Told
from xds_server.semantics.conditions import NONE_COMES_UP, SOME_DO_NOT_COME_UP

FAMILIES = {
    "Files and documents": files.CHECKS,
    "What the API refuses": schema.CHECKS,
    "GatewayClasses, Gateways, ListenerSets": gateways.CHECKS,
    "Listeners": listeners.CHECKS,
    "TLS and certificates": certificates.CHECKS,
    "Routes and their parents": attachment.CHECKS,
    "References": references.CHECKS,
    "Matches, filters, settings of rules": rules.CHECKS,
    "Policies": policies.CHECKS,
    "Remarks": remarks.CHECKS,
}
CHECKS = {check.code: check for family in FAMILIES.values() for check in sorted(family)}
"""In order of their codes."""

_OF = {"GatewayClass": "GatewayClass", "Gateway": "Gateway", "ListenerSet": "ListenerSet"} | dict.fromkeys(
    ROUTE_KINDS, "Route"
)
_PATH = r"[a-z]\w*(?:\[[^\]]*\]|\.\w+)*"
_FIELD = re.compile(rf"({_PATH}): |({_PATH}) (?=was rejected by Envoy)")
_NEXT = re.compile(
    r"; (?=(?:rules|addresses|filters\.requests|tls\.certificateRefs)\[\d+\]"
    r"|(?:allowedRoutes\.kinds|filters\.requests|infrastructure\.parametersRef|port|tls\.certificateRefs|tls\.mode): "
    r"|tls\.mode \S+: |tls\.frontend\.|annotation \S+: |GatewayClass \S+: parametersRef: )"
)
"""What begins the next of several problems; their own words may have semicolons too."""
_QUOTED = re.compile(f"(?:{NONE_COMES_UP}|{SOME_DO_NOT_COME_UP}): ")
"""What follows is in the words of others."""
_DROPPED = re.compile(r"^(?:Dropped Rule|Fall Back): ")


def _signs(kind: type[Told] | type[Said]) -> list[tuple[Check, Told | Said]]:
    """Those of a kind, the more exact ones first: those with words, then those that say more of the rest."""
    found = [(check, sign) for family in FAMILIES.values() for check in family for sign in check.signs]
    return sorted(
        ((check, sign) for check, sign in found if isinstance(sign, kind)),
        key=lambda entry: (not entry[1].words, sum(not part for part in entry[1])),
    )


_TOLD = [(check, sign) for check, sign in _signs(Told) if isinstance(sign, Told)]
_SAID = [(check, sign) for check, sign in _signs(Said) if isinstance(sign, Said)]


def of_kind(kind: str, part: str) -> str:
    """What a condition is of, as signs call it: of an object of the kind, or of a part such as `listener web`."""
    return "Listener" if part.startswith("listener ") else _OF.get(kind, "Policy")


@lru_cache(maxsize=4096)
def of_condition(of: str, type_: str, reason: str, message: str) -> Check:
    """The check that a bad condition, or one of the problems in its message, is of."""
    for check, sign in _TOLD:
        wanted = zip(sign[:3], (of, type_, reason), strict=True)
        if all(one in ("", given) for one, given in wanted) and re.search(sign.words, message):
            return check
    raise AssertionError("the last sign is of everything")


def of_fault(fault: Fault) -> Check:
    """The check that a fault of a file or document is of."""
    bare = not (fault.kind or fault.field)
    for check, sign in _SAID:
        if (bare or not sign.bare) and re.search(sign.field, fault.field) and re.search(sign.words, fault.reason):
            return check
    raise AssertionError("the last sign is of everything")


class Problem(NamedTuple):
    """One of what a condition's message lists. `field` is empty where none is named, else relative to what the
    condition is of: `rules[0].filters[1]` of a route, `tls.mode` of a listener.
    """

    check: Check
    field: str
    text: str
    reason: str
    """The condition's for the first; of others the one that a condition would have for them alone, where the check is
    of such a reason.
    """


def of_message(of: str, type_: str, reason: str, message: str) -> Iterator[Problem]:
    """The problems that the message of a bad condition lists; there is at least one."""
    quoted = _QUOTED.search(message)
    own = message[: quoted.start()] if quoted else message
    texts = _NEXT.split(_DROPPED.sub("", own))
    texts[-1] += message[len(own) :]
    for index, text in enumerate(texts):
        field, rest = "", text
        if index and (of, type_) == ("Route", "Accepted"):  # of its rules, beside why no listener takes it
            reason = "UnsupportedValue"
        while found := _FIELD.match(rest):
            field = f"{field}.{found[1] or found[2]}".strip(".")
            rest = rest[found.end() :]
        check = of_condition(of, type_, reason, text)
        yield Problem(check, field, rest, _own_reason(check, of, type_, reason) if index else reason)


def _own_reason(check: Check, of: str, type_: str, told: str) -> str:
    signs = (one for one in check.signs if isinstance(one, Told) and one.of in ("", of) and one.type in ("", type_))
    reasons = [one.reason for one in signs if one.reason]
    return told if told in reasons or not reasons else reasons[0]
