"""Gateway.spec.infrastructure: what is made for a Gateway is labelled and annotated as it says, and made by parameters.

Source: Gateway API `GatewayInfrastructure`. What the parameters say is read by whoever makes something of them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from xds_server.flow.lookup import Lookup
from xds_server.model.gateway import GatewayInfrastructure
from xds_server.model.meta import Condition, Key
from xds_server.model.rules.gateway import infrastructure_is_well_formed
from xds_server.semantics import conditions
from xds_server.semantics.world import World


@dataclass(frozen=True, slots=True)
class Infrastructure:
    """What is put on everything that is made for a Gateway, and its parameters' ConfigMap. `note` is on entries that no
    object could have, which are left out.
    """

    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    parameters: Key | None = None
    note: str = ""


NONE = Infrastructure()


def carried(gateway: Key, spec: GatewayInfrastructure | None) -> Infrastructure:
    """What a Gateway's infrastructure asks for."""
    if spec is None:
        return NONE
    wrong = dict(infrastructure_is_well_formed(spec))
    reference = spec.parameters_ref
    return Infrastructure(
        labels={key: value for key, value in spec.labels.items() if f"labels.{key}" not in wrong},
        annotations={key: value for key, value in spec.annotations.items() if f"annotations.{key}" not in wrong},
        parameters=None if reference is None else Key(gateway.namespace, reference.name),
        note="; ".join(f"infrastructure.{place} {reason} and is left out" for place, reason in wrong.items()),
    )


def problem(gateway: Key, spec: GatewayInfrastructure | None, look: Lookup, world: World) -> Condition | None:
    """Why a Gateway is not accepted with such an infrastructure. Parameters are a ConfigMap of its own namespace."""
    if spec is None or spec.parameters_ref is None:
        return None
    reference = spec.parameters_ref
    field = "infrastructure.parametersRef"
    if (reference.group, reference.kind) != ("", "ConfigMap"):
        what = f"{reference.group}/{reference.kind}" if reference.group else reference.kind
        return conditions.not_accepted("InvalidParameters", f"{field}: {what} is not a ConfigMap")
    target = Key(gateway.namespace, reference.name)
    if look.get(world.config_maps, target) is None:
        return conditions.not_accepted("InvalidParameters", f"{field}: ConfigMap {target} does not exist")
    return None
