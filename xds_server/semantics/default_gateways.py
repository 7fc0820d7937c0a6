"""Default Gateways: routes that name no Gateway but ask for those that serve a scope.

Source: GEP-3793. Every Gateway of the scope is a parent, as if parentRefs named it; what its listeners allow still
rules. ListenerSets have no part in it.
"""

from collections.abc import Iterator
from typing import Protocol

from xds_server.flow.lookup import Lookup
from xds_server.model.gateway import Gateway
from xds_server.model.httproute import ParentReference
from xds_server.model.kinds import GATEWAY_GROUP
from xds_server.model.meta import Condition, Key
from xds_server.semantics import conditions
from xds_server.semantics.world import World

_NO_SCOPE = ("", "None")


class Spec(Protocol):
    """What routes of every kind have in common."""

    @property
    def parent_refs(self) -> tuple[ParentReference, ...]:
        """The parents that it names."""

    @property
    def use_default_gateways(self) -> str:
        """The scope of default Gateways that it asks for."""


def scopes(gateway: Gateway) -> tuple[str, ...]:
    """The scope that a Gateway serves, if it is a default Gateway."""
    scope = gateway.spec.default_scope
    return () if scope in _NO_SCOPE else (scope,)


def parents(route: Key, spec: Spec, look: Lookup, world: World) -> Iterator[ParentReference]:
    """The Gateways that are parents of a route without being named; one that it names as a whole needs no more."""
    if spec.use_default_gateways in _NO_SCOPE:
        return
    named = {
        Key(one.namespace or route.namespace, one.name)
        for one in spec.parent_refs
        if (one.group, one.kind, one.section_name, one.port) == (GATEWAY_GROUP, "Gateway", None, None)
    }
    for key in look.keys(world.default_gateways, spec.use_default_gateways):
        if key not in named:
            yield ParentReference(name=key.name, namespace=key.namespace)


def told(gateway: Gateway) -> list[Condition]:
    """What its status says of it."""
    return [conditions.default_gateway(scope) for scope in scopes(gateway)]
