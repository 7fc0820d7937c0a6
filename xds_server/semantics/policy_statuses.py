"""Statuses of policies and of backends that are objects of their own: an entry for every Gateway that has to do with
them.

Source: Gateway API PolicyStatus and BackendStatus. Entries beyond the API's limit are left out; what they would tell
of is in force all the same, since leaving out what secures a connection is no way to say so.
"""

from collections.abc import Mapping, Sequence

from xds_server.model.httproute import ParentReference
from xds_server.model.meta import Condition, Key, Struct
from xds_server.semantics import conditions

MOST_ANCESTORS = 16
MOST_ANCESTORS_OF_BACKENDS = 32


class AncestorStatus(Struct, frozen=True):
    """status.ancestors[]."""

    ancestor_ref: ParentReference
    controller_name: str
    conditions: tuple[Condition, ...]


class PolicyStatus(Struct, frozen=True):
    """The status of every kind of policy, and of XBackend."""

    ancestors: tuple[AncestorStatus, ...]


def status(
    generation: int, by_gateway: Mapping[Key, Sequence[Condition]], controller_name: str, most: int = MOST_ANCESTORS
) -> PolicyStatus:
    """The entries by name of the Gateway."""
    return PolicyStatus(
        ancestors=tuple(
            AncestorStatus(
                ancestor_ref=ParentReference(name=gateway.name, namespace=gateway.namespace),
                controller_name=controller_name,
                conditions=conditions.observed(by_gateway[gateway], generation),
            )
            for gateway in sorted(by_gateway)[:most]
        )
    )
