"""May an object refer to another one? Source: Gateway API ReferenceGrant; never needed inside one namespace."""

from dataclasses import dataclass

from xds_server.flow.lookup import Lookup
from xds_server.model.core import ReferenceGrant
from xds_server.model.kinds import GATEWAY_GROUP
from xds_server.model.meta import Key, ObjectRef
from xds_server.semantics.world import World


@dataclass(frozen=True, slots=True)
class Referrer:
    """Who refers: group, kind and namespace as a grant's `from` names them."""

    kind: str
    namespace: str
    group: str = GATEWAY_GROUP

    @classmethod
    def of(cls, owner: ObjectRef) -> "Referrer":
        """An object of the Gateway API."""
        return cls(owner.kind, owner.namespace)


def permitted(referrer: Referrer, kind: str, target: Key, look: Lookup, world: World, *, group: str = "") -> bool:
    """Does a grant in the target's namespace (or being in the same one) allow the reference to that kind?"""
    if referrer.namespace == target.namespace:
        return True
    return any(
        allows(grant, referrer, kind, target, group) for grant in look.rows(world.grants_by_namespace, target.namespace)
    )


def allows(grant: ReferenceGrant, referrer: Referrer, kind: str, target: Key, group: str = "") -> bool:
    """Does this grant, of the target's namespace, allow the reference?"""
    return any(
        (entry.group, entry.kind, entry.namespace) == (referrer.group, referrer.kind, referrer.namespace)
        for entry in grant.spec.from_
    ) and any(
        (entry.group, entry.kind) == (group, kind) and entry.name in (None, "", target.name) for entry in grant.spec.to
    )
