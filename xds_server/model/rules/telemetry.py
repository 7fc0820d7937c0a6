"""What the CRD of XTelemetryPolicy asks (gateway-api 1.7)."""

from collections.abc import Iterator

from xds_server.model.policy import (
    ParentBasedSampling,
    TracingAttribute,
    TracingConfig,
    TracingProvider,
    XTelemetryPolicySpec,
)
from xds_server.model.rules import syntax
from xds_server.model.rules.syntax import Fields, Rules, count, matching, one_of

_WORD = r"[a-zA-Z0-9_.:/-]+"
_service_name = matching(_WORD, 253, "letters, digits, '_', '.', ':', '/' and '-'")
_span_name = matching(rf"{_WORD}( {_WORD})*", 256, "words of letters, digits, '_', '.', ':', '/' and '-'")
_attribute_name = matching(_WORD, 256, "letters, digits, '_', '.', ':', '/' and '-'")
_attribute_key = matching(r"[a-z0-9_.-]+", 256, "an OpenTelemetry key of lower-case letters, digits, '_', '.' and '-'")
_literal = syntax.text(1, 1024)
_mode = one_of("Enabled", "Disabled", "ImplementationDefault")

FIELDS: Fields = {
    XTelemetryPolicySpec: {"target_refs": count(16, least=1)},
    TracingConfig: {"mode": _mode},
    ParentBasedSampling: {"mode": _mode},
    TracingProvider: {"headers": count(16)},
    TracingAttribute: {"name": _attribute_name, "source_type": one_of("Header", "Literal", "Attribute")},
}


def tracing_is_described_where_enabled(tracing: TracingConfig) -> Iterator[tuple[str, str]]:
    """Where spans go is said if they are made, and nothing about them if not."""
    if tracing.mode == "Enabled":
        if tracing.provider is None:
            yield "provider", "is required for mode Enabled"
        return
    for name, given in (
        ("provider", tracing.provider is not None),
        ("samplingRate", tracing.sampling_rate is not None),
        ("parentBasedSampling", tracing.parent_based_sampling is not None),
        ("serviceName", bool(tracing.service_name)),
        ("spanName", bool(tracing.span_name)),
        ("attributes", bool(tracing.attributes)),
    ):
        if given:
            yield name, f"must not be given for mode {tracing.mode}"


def tracing_names_are_names(tracing: TracingConfig) -> Iterator[tuple[str, str]]:
    """Names are short and plain, and no attribute is given twice."""
    for name, value, check in (
        ("serviceName", tracing.service_name, _service_name),
        ("spanName", tracing.span_name, _span_name),
    ):
        if value and (reason := check(value)):
            yield name, reason
    yield from syntax.unique("attributes", (attribute.name for attribute in tracing.attributes), ".name")


def provider_headers_are_plain(provider: TracingProvider) -> Iterator[tuple[str, str]]:
    """No header is sent twice; values are visible ASCII."""
    yield from syntax.unique("headers", (header.name for header in provider.headers), ".name")
    for index, header in enumerate(provider.headers):
        if header.value and len(header.value) <= 4096 and (reason := syntax.header_value(header.value)):
            yield f"headers[{index}].value", reason


def parents_are_sampled_where_enabled(sampling: ParentBasedSampling) -> Iterator[tuple[str, str]]:
    """A rate is for mode Enabled."""
    if sampling.sampling_rate is not None and sampling.mode != "Enabled":
        yield "samplingRate", f"must not be given for mode {sampling.mode}"


def attribute_matches_source(attribute: TracingAttribute) -> Iterator[tuple[str, str]]:
    """The source that `sourceType` names is given, and no other."""
    for kind, name, value, check in (
        ("Header", "headerName", attribute.header_name, syntax.header_name),
        ("Literal", "literalValue", attribute.literal_value, _literal),
        ("Attribute", "attributeKey", attribute.attribute_key, _attribute_key),
    ):
        if attribute.source_type == kind and not value:
            yield name, f"is required for sourceType {kind}"
        elif attribute.source_type != kind and value:
            yield name, f"must not be given for sourceType {attribute.source_type}"
        elif value and (reason := check(value)):
            yield name, reason


RULES: Rules = {
    TracingConfig: (tracing_is_described_where_enabled, tracing_names_are_names),
    TracingProvider: (provider_headers_are_plain,),
    ParentBasedSampling: (parents_are_sampled_where_enabled,),
    TracingAttribute: (attribute_matches_source,),
}
