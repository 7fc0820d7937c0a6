"""faults: what the API server would have refused about a parsed object, by the tables in `rules`.

For objects from files only: in a cluster the CRDs' schemas have checked the same before. Enumerations are checked
where no condition of the object would tell of an unknown value; the others are left to `semantics`.
"""

from functools import cache
from typing import Any, NamedTuple, get_args, get_type_hints

import msgspec

from xds_server.model.document import Fault, Object
from xds_server.model.kinds import kind_of
from xds_server.model.meta import Struct
from xds_server.model.rules import core, gateway, grpcroute, httproute, l4route, listenerset, policy, route, telemetry
from xds_server.model.rules.syntax import Check, Fields, Rule, Rules

_TABLES = (core, gateway, listenerset, route, httproute, grpcroute, l4route, policy, telemetry)
FIELDS: Fields = {model: checks for table in _TABLES for model, checks in table.FIELDS.items()}
RULES: Rules = {model: rules for table in _TABLES for model, rules in table.RULES.items()}


def faults(value: Object) -> tuple[Fault, ...]:
    """Everything that makes the object unusable, in the order of its fields; empty for a good one."""
    found = _problems(value)
    if not found:
        return ()
    kind, key = kind_of(value).kind, value.metadata.key
    return tuple(
        Fault(reason, kind=kind, namespace=key.namespace, name=key.name, field=field) for field, reason in found
    )


class _Plan(NamedTuple):
    """What there is to do for one class: fields with checks, rules, and fields that hold further structs."""

    checks: tuple[tuple[str, str, Check], ...]
    rules: tuple[Rule, ...]
    nested: tuple[tuple[str, str, object], ...]
    """Attribute, field, and the default, which needs no checking."""


def _problems(value: Any) -> list[tuple[str, str]]:
    plan = _plan(value.__class__)
    found = [
        (name, reason)
        for attribute, name, check in plan.checks
        if (child := getattr(value, attribute)) is not None and (reason := check(child))
    ]
    for rule in plan.rules:
        found += rule(value)
    for attribute, name, default in plan.nested:
        child = getattr(value, attribute)
        if child is default:
            continue
        if isinstance(child, tuple):
            for index, item in enumerate(child):
                found += [(f"{name}[{index}].{field}", reason) for field, reason in _problems(item)]
        elif child is not None:
            found += [(f"{name}.{field}", reason) for field, reason in _problems(child)]
    return found


@cache
def _plan(model: Any) -> _Plan:
    hints = get_type_hints(model)
    fields = {field.name: field for field in msgspec.structs.fields(model)}
    lineage = [parent for parent in reversed(model.__mro__) if issubclass(parent, Struct)]
    checks = {attribute: check for parent in lineage for attribute, check in FIELDS.get(parent, {}).items()}
    return _Plan(
        checks=tuple((attribute, fields[attribute].encode_name, check) for attribute, check in checks.items()),
        rules=tuple(rule for parent in lineage for rule in RULES.get(parent, ())),
        nested=tuple(
            (name, field.encode_name, field.default) for name, field in fields.items() if _holds_structs(hints[name])
        ),
    )


def _holds_structs(hint: Any) -> bool:
    if isinstance(hint, type) and issubclass(hint, Struct):
        return True
    return any(_holds_structs(part) for part in get_args(hint))
