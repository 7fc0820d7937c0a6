"""ListenerSets: whose listeners a Gateway takes over, in which order, and what is said of each set.

Source: Gateway API v1.7 ListenerSet, `Gateway.spec.allowedListeners` (GEP-1713).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from xds_server.flow.lookup import Lookup
from xds_server.model.gateway import Gateway
from xds_server.model.kinds import GATEWAY_GROUP
from xds_server.model.listenerset import ListenerSet
from xds_server.model.meta import Condition, Key
from xds_server.semantics import conditions, selectors
from xds_server.semantics.world import World


@dataclass(frozen=True, slots=True)
class SetVerdict:
    """What the status says of a ListenerSet; `listeners` are ListenerVerdicts, none where it is not allowed."""

    accepted: Condition
    listeners: tuple[Any, ...] = ()


def parent_of(key: Key, set_: ListenerSet) -> Key | None:
    """The Gateway that a set belongs to; None where its parentRef names no Gateway."""
    reference = set_.spec.parent_ref
    if (reference.group, reference.kind) != (GATEWAY_GROUP, "Gateway"):
        return None
    return Key(reference.namespace or key.namespace, reference.name)


def of_gateway(
    key: Key, gateway: Gateway, look: Lookup, world: World
) -> tuple[list[tuple[Key, ListenerSet]], list[tuple[Key, SetVerdict]]]:
    """The sets that the Gateway takes over, in order of precedence, and those that it does not allow."""
    allowed: list[tuple[Key, ListenerSet]] = []
    refused: list[tuple[Key, SetVerdict]] = []
    for set_ in look.rows(world.listener_sets_by_gateway, key):
        set_key = set_.metadata.key
        if _allows(gateway, set_key.namespace, look, world):
            allowed.append((set_key, set_))
            continue
        why = problem(gateway) or f"allowedListeners: {gateway.spec.allowed_listeners.namespaces.from_}"
        message = f"Gateway {key} does not allow ListenerSets of namespace {set_key.namespace} ({why})"
        refused.append((set_key, SetVerdict(conditions.not_accepted("NotAllowed", message))))
    allowed.sort(key=lambda entry: (entry[1].metadata.creation_timestamp, str(entry[0])))
    return allowed, refused


def problem(gateway: Gateway) -> str:
    """Why a Gateway that chooses namespaces of ListenerSets by a selector allows none at all, with the field."""
    allowed = gateway.spec.allowed_listeners.namespaces
    wrong = selectors.problem(allowed.from_, allowed.selector)
    return f"allowedListeners.namespaces.{wrong}, so no namespace is allowed" if wrong else ""


def _allows(gateway: Gateway, namespace: str, look: Lookup, world: World) -> bool:
    allowed = gateway.spec.allowed_listeners.namespaces
    known = look.get(world.namespaces, Key("", namespace)) if allowed.from_ == "Selector" else None
    return selectors.allows(allowed.from_, allowed.selector, gateway.metadata.namespace, namespace, known)


def verdict(listeners: Sequence[Any], of_gateway: Condition) -> SetVerdict:
    """From its listeners: a set is stricter than a Gateway, it is not accepted when none of them is valid.

    `of_gateway` is the Gateway's Accepted: where that is False, nothing of its sets is served.
    """
    if of_gateway.status != "True":
        message = f"The Gateway is not accepted: {of_gateway.message}"
        return SetVerdict(conditions.not_accepted("ParentNotAccepted", message), tuple(listeners))
    valid = sum(one.valid for one in listeners)
    return SetVerdict(conditions.set_accepted(valid, len(listeners)), tuple(listeners))
