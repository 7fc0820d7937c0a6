"""Policies and backends beside Services: BackendTLSPolicy (v1), XBackend, XBackendTrafficPolicy and XTelemetryPolicy
(gateway.networking.x-k8s.io/v1alpha1).
"""

# ruff: noqa: RUF012 (msgspec copies such defaults)

import msgspec

from xds_server.model.gateway import SecretObjectReference
from xds_server.model.httproute import (
    BackendObjectReference,
    Fraction,
    HTTPHeader,
    LocalObjectReference,
    SessionPersistence,
)
from xds_server.model.meta import Metadata, Struct


class LocalPolicyTargetReference(LocalObjectReference, frozen=True):
    """targetRefs entry: what a policy is about, in its own namespace; `section_name` is a port's name."""

    section_name: str | None = None


class SubjectAltName(Struct, frozen=True):
    """validation.subjectAltNames entry."""

    type: str
    hostname: str | None = None
    uri: str | None = None


class BackendTLSPolicyValidation(Struct, frozen=True):
    """How a backend proves who it is: by which authorities, under which name."""

    hostname: str
    ca_certificate_refs: tuple[LocalObjectReference, ...] = msgspec.field(default=(), name="caCertificateRefs")
    well_known_ca_certificates: str | None = msgspec.field(default=None, name="wellKnownCACertificates")
    subject_alt_names: tuple[SubjectAltName, ...] = ()


class BackendTLSPolicySpec(Struct, frozen=True):
    """BackendTLSPolicy.spec."""

    target_refs: tuple[LocalPolicyTargetReference, ...]
    validation: BackendTLSPolicyValidation
    options: dict[str, str] = {}


class BackendTLSPolicy(Struct, frozen=True):
    """Connections to these Services use TLS."""

    metadata: Metadata
    spec: BackendTLSPolicySpec


class BackendPort(Struct, frozen=True):
    """XBackend.spec.port."""

    number: int


class ExternalHostnameBackend(Struct, frozen=True):
    """XBackend.spec.externalHostname."""

    hostname: str


class EndpointSelectorBackend(Struct, frozen=True):
    """XBackend.spec.endpointSelector: Pods of its namespace."""

    match_labels: dict[str, str] = {}


class BackendTLS(Struct, frozen=True):
    """XBackend.spec.tls; mode None, ServerOnly or ClientAndServer."""

    mode: str
    client_certificate_ref: SecretObjectReference | None = None
    validation: BackendTLSPolicyValidation | None = None


class XBackendSpec(Struct, frozen=True):
    """XBackend.spec; `type` says which of the two places counts."""

    type: str
    port: BackendPort
    external_hostname: ExternalHostnameBackend | None = None
    endpoint_selector: EndpointSelectorBackend | None = None
    session_persistence: SessionPersistence | None = None
    protocol: str | None = None
    tls: BackendTLS = BackendTLS("None")


class XBackend(Struct, frozen=True):
    """A backend that is no Service: a host outside the cluster, or Pods by their labels."""

    metadata: Metadata
    spec: XBackendSpec


class BudgetDetails(Struct, frozen=True):
    """retryConstraint.budget: how many percent of the active requests may be retries."""

    percent: int = 20
    interval: str = "10s"


class RequestRate(Struct, frozen=True):
    """retryConstraint.minRetryRate: so many retries are always allowed."""

    count: int = 10
    interval: str = "1s"


class RetryConstraint(Struct, frozen=True):
    """spec.retryConstraint."""

    budget: BudgetDetails = BudgetDetails()
    min_retry_rate: RequestRate = RequestRate()


class XBackendTrafficPolicySpec(Struct, frozen=True):
    """XBackendTrafficPolicy.spec."""

    target_refs: tuple[LocalPolicyTargetReference, ...]
    retry_constraint: RetryConstraint | None = None
    session_persistence: SessionPersistence | None = None


class XBackendTrafficPolicy(Struct, frozen=True):
    """How traffic reaches these backends: limits of retries, persistence of sessions."""

    metadata: Metadata
    spec: XBackendTrafficPolicySpec


class TracingProvider(Struct, frozen=True):
    """tracing.provider: where spans go, over OTLP."""

    backend_ref: BackendObjectReference
    headers: tuple[HTTPHeader, ...] = ()


class ParentBasedSampling(Struct, frozen=True):
    """tracing.parentBasedSampling: what happens to requests whose caller sampled them."""

    mode: str = "ImplementationDefault"
    sampling_rate: Fraction | None = None


class TracingAttribute(Struct, frozen=True):
    """tracing.attributes entry; `source_type` says which of the others counts."""

    name: str
    source_type: str
    header_name: str = ""
    literal_value: str = ""
    attribute_key: str = ""


class TracingConfig(Struct, frozen=True):
    """XTelemetryPolicy.spec.tracing."""

    mode: str = "ImplementationDefault"
    provider: TracingProvider | None = None
    sampling_rate: Fraction | None = None
    parent_based_sampling: ParentBasedSampling | None = None
    service_name: str = ""
    span_name: str = ""
    attributes: tuple[TracingAttribute, ...] = ()


class XTelemetryPolicySpec(Struct, frozen=True):
    """XTelemetryPolicy.spec."""

    target_refs: tuple[LocalObjectReference, ...]
    tracing: TracingConfig


class XTelemetryPolicy(Struct, frozen=True):
    """What is told of the requests of these Gateways."""

    metadata: Metadata
    spec: XTelemetryPolicySpec
