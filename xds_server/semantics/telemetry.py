"""XTelemetryPolicy: what is told of the requests of a Gateway. One policy has a Gateway: the oldest that is valid, then
the first by namespace and name.

Source: Gateway API `XTelemetryPolicy`. Spans go out as OTLP over gRPC. Where nothing is said of it, every request that
begins a trace is sampled, and what callers decided is followed, as OpenTelemetry does.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from xds_server.flow.lookup import Lookup
from xds_server.model.httproute import Fraction
from xds_server.model.kinds import EXPERIMENTAL_GROUP, GATEWAY_GROUP
from xds_server.model.meta import Condition, Key
from xds_server.model.policy import (
    ParentBasedSampling,
    TracingAttribute,
    TracingConfig,
    TracingProvider,
    XTelemetryPolicy,
)
from xds_server.model.validate import faults
from xds_server.routing.backend import Backend, InvalidBackend, located
from xds_server.routing.tracing import ALL, Tag, Tracing
from xds_server.semantics import backends, conditions
from xds_server.semantics.grants import Referrer
from xds_server.semantics.world import World

ATTRIBUTES = frozenset(
    (
        "client.address",
        "client.port",
        "http.request.method",
        "http.response.status_code",
        "network.local.address",
        "network.local.port",
        "network.peer.address",
        "network.peer.port",
        "server.port",
        "url.full",
        "url.path",
        "url.query",
        "url.scheme",
        "user_agent.original",
    )
)
"""The stable OpenTelemetry keys of a server's spans that Envoy can fill in as OpenTelemetry means them."""
HEADERS = ("http.request.header.", "http.response.header.")
"""Keys that end with the name of a header."""


def targets(key: Key, policy: XTelemetryPolicy) -> tuple[Key, ...]:
    """The Gateways that the policy is about."""
    references = policy.spec.target_refs
    found = (Key(key.namespace, one.name) for one in references if (one.group, one.kind) == (GATEWAY_GROUP, "Gateway"))
    return tuple(dict.fromkeys(found))


def problem(policy: XTelemetryPolicy) -> str:
    """What is wrong with a policy as it is written; empty for a good one."""
    if found := faults(policy):
        return f"{found[0].field}: {found[0].reason}"
    tracing = policy.spec.tracing
    for index, header in enumerate(tracing.provider.headers if tracing.provider else ()):
        if "%" in header.value:
            return f"tracing.provider.headers[{index}].value: Envoy cannot send a %"
    for index, attribute in enumerate(tracing.attributes):
        if wrong := _unknown(attribute):
            return f"tracing.attributes[{index}].{wrong}"
    return _rates_problem(tracing)


def _unknown(attribute: TracingAttribute) -> str:
    key = attribute.attribute_key
    if attribute.source_type != "Attribute" or key in ATTRIBUTES:
        return ""
    if any(key.startswith(prefix) and len(key) > len(prefix) for prefix in HEADERS):
        return ""
    known = ", ".join([*sorted(ATTRIBUTES), *(f"{prefix}NAME" for prefix in HEADERS)])
    return f"attributeKey: {key} cannot be told (known: {known})"


def _rates_problem(tracing: TracingConfig) -> str:
    parents = tracing.parent_based_sampling
    for field, rate in (
        ("samplingRate", tracing.sampling_rate),
        ("parentBasedSampling.samplingRate", parents.sampling_rate if parents else None),
    ):
        if rate is not None and not 0 <= rate.numerator <= rate.denominator:
            return f"tracing.{field}: {rate.numerator}/{rate.denominator} is no share of requests"
    of_sampled = _of_sampled(parents)
    if tracing.sampling_rate is not None and of_sampled is not None and _share(tracing.sampling_rate) > of_sampled:
        return "tracing.parentBasedSampling.samplingRate: must not be less than samplingRate, which counts within it"
    return ""


def _share(rate: Fraction) -> int:
    return round(rate.numerator * ALL / rate.denominator) if rate.denominator else 0


def _of_sampled(parents: ParentBasedSampling | None) -> int | None:
    """What counts of the decisions of callers: a share of them, or None."""
    if parents is None or parents.mode == "ImplementationDefault":
        return ALL
    if parents.mode == "Disabled":
        return None
    return ALL if parents.sampling_rate is None else _share(parents.sampling_rate)


def policy_of(gateway: Key, look: Lookup, world: World) -> Key | None:
    """The policy that has the Gateway."""
    found = [one for one in look.rows(world.telemetry, gateway) if not problem(one)]
    first = min(found, key=lambda one: (one.metadata.creation_timestamp, str(one.metadata.key)), default=None)
    return None if first is None else first.metadata.key


def of_gateway(gateway: Key, look: Lookup, world: World) -> Tracing | None:
    """The tracing of a Gateway; none while nobody can be found that takes spans."""
    key = policy_of(gateway, look, world)
    policy = next((one for one in look.rows(world.telemetry, gateway) if one.metadata.key == key), None)
    if policy is None or policy.spec.tracing.mode != "Enabled" or policy.spec.tracing.provider is None:
        return None
    tracing = policy.spec.tracing
    assert tracing.provider is not None
    collector = _collector(policy.metadata.key, tracing.provider, look, world)
    if isinstance(collector, InvalidBackend):
        return None
    of_sampled = _of_sampled(tracing.parent_based_sampling)
    most = ALL if of_sampled is None else of_sampled
    return Tracing(
        collector=collector,
        headers=tuple((one.name.lower(), one.value) for one in tracing.provider.headers),
        sampled=most if tracing.sampling_rate is None else _share(tracing.sampling_rate),
        of_sampled=of_sampled,
        service_name=tracing.service_name or str(gateway),
        span_name=tracing.span_name,
        tags=tuple(_tag(one) for one in tracing.attributes),
    )


def _tag(attribute: TracingAttribute) -> Tag:
    match attribute.source_type:
        case "Header":
            return Tag(attribute.name, "header", attribute.header_name.lower())
        case "Literal":
            return Tag(attribute.name, "literal", attribute.literal_value)
        case _:
            return Tag(attribute.name, "attribute", attribute.attribute_key)


def _collector(policy: Key, provider: TracingProvider, look: Lookup, world: World) -> Backend | InvalidBackend:
    referrer = Referrer("XTelemetryPolicy", policy.namespace, EXPERIMENTAL_GROUP)
    found = backends.resolve(provider.backend_ref, referrer, "grpc", look, world)
    return located(found, "tracing.provider.backendRef")


@dataclass(frozen=True, slots=True)
class Target:
    """A Gateway that a policy is about: whether it is there, and which policy has it."""

    gateway: Key
    known: bool
    winner: Key | None = None


def judge(
    key: Key, policy: XTelemetryPolicy, found: Sequence[Target], look: Lookup, world: World
) -> Iterable[tuple[Key, tuple[Condition, ...]]]:
    """The conditions of the policy at each Gateway."""
    resolved = conditions.resolved()
    if (provider := policy.spec.tracing.provider) is not None:
        collector = _collector(key, provider, look, world)
        if isinstance(collector, InvalidBackend):
            resolved = conditions.not_resolved(collector.reason, collector.message)
    wrong = problem(policy)
    for target in found:
        accepted = _accepted(key, target, wrong) or conditions.accepted(_note(policy) or "The policy is accepted.")
        yield target.gateway, (accepted, resolved)


def _note(policy: XTelemetryPolicy) -> str:
    for index, one in enumerate(policy.spec.target_refs):
        if (one.group, one.kind) != (GATEWAY_GROUP, "Gateway"):
            what = f"{one.group}/{one.kind}" if one.group else one.kind
            return f"The policy is accepted, but: targetRefs[{index}]: {what} is not a kind of target; Gateway is"
    return ""


def _accepted(key: Key, target: Target, wrong: str) -> Condition | None:
    """Why the policy does not have the Gateway."""
    if not target.known:
        return conditions.not_accepted("TargetNotFound", f"Gateway {target.gateway} does not exist")
    if wrong:
        return conditions.not_accepted("Invalid", wrong)
    if target.winner != key:
        message = f"Gateway {target.gateway} has XTelemetryPolicy {target.winner} already, which comes first"
        return conditions.not_accepted("Conflicted", message)
    return None
