"""Gateway.spec.infrastructure: what is made for a Gateway is labelled and annotated as it says, and made by parameters.

Source: Gateway API `GatewayInfrastructure`. What the parameters say is read by whoever makes something of them.
"""

from xds_server.flow.lookup import Lookup
from xds_server.model.gateway import GatewayInfrastructure
from xds_server.model.meta import Condition, Key
from xds_server.semantics import conditions
from xds_server.semantics.world import World


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
