"""Parameters: a ConfigMap whose keys hold fragments of what is made for a Gateway, as YAML.

A fragment is tried on what is made for a Gateway without any: what cannot be merged, and what would change whose an
object is and how its parts find each other, is told before it is used. What else its values mean is the API server's to
judge.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from xds_server.infra import names
from xds_server.infra.overlay import OverlayError, merge
from xds_server.model.core import ConfigMap
from xds_server.model.yaml import Malformed, load
from xds_server.semantics.infrastructure import TEMPLATE_LABEL
from xds_server.semantics.world import Parameters

KINDS: Final = {
    "serviceAccount": "ServiceAccount",
    "service": "Service",
    "deployment": "Deployment",
    "podDisruptionBudget": "PodDisruptionBudget",
    "horizontalPodAutoscaler": "HorizontalPodAutoscaler",
}
"""By key: the kind of the object that its fragment is of."""
_OWN_METADATA: Final = ("labels", "annotations")
_OWN_LABELS: Final = (
    names.GATEWAY_LABEL,
    names.CLASS_LABEL,
    names.MANAGED_LABEL,
    names.CONTROLLER_LABEL,
)
_POD: Final = "spec.template."


def read(config_map: ConfigMap, samples: Mapping[str, Mapping[str, Any]]) -> Parameters:
    """What a ConfigMap says; `samples` has an object for each key."""
    is_template = config_map.metadata.labels.get(TEMPLATE_LABEL) == "true"
    overlays: dict[str, Mapping[str, Any]] = {}
    for key in sorted({*config_map.data, *config_map.binary_data}):
        if key not in KINDS or key in config_map.binary_data:
            known = ", ".join(KINDS)
            return Parameters(problem=f"{key}: is not known here ({known} are)", is_template=is_template)
        try:
            overlays[key] = fragment = _fragment(config_map.data[key])
            laid_over(key, samples[key], [fragment])
        except Malformed as error:
            where = f"line {error.line}: " if error.line else ""
            return Parameters(problem=f"{key}: {where}{error.reason}", is_template=is_template)
        except OverlayError as error:
            return Parameters(problem=f"{key}: {error}", is_template=is_template)
    return Parameters(overlays, is_template=is_template)


def laid_over(key: str, base: Mapping[str, Any], fragments: list[Mapping[str, Any]]) -> dict[str, Any]:
    """The object of a key with fragments merged in, one after the other. Raises OverlayError."""
    merged = dict(base)
    if not fragments:
        return merged
    for fragment in fragments:
        merged = merge(KINDS[key], merged, fragment)
    before, after = dict(_identity(base)), dict(_identity(merged))
    for field in [*before, *after]:
        if before.get(field) != after.get(field):
            raise OverlayError(field, "must not be changed")
    return merged


def _fragment(text: str) -> dict[str, Any]:
    documents = load(text)
    if len(documents) > 1:
        raise Malformed("holds more than one document")
    fragment = documents[0] if documents else None
    if fragment is None:
        return {}
    if not isinstance(fragment, dict):
        raise Malformed("must be a mapping")
    return fragment


def _identity(value: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """What says whose an object is, and how its parts find each other: field and value of each."""
    yield from ((field, value.get(field)) for field in ("apiVersion", "kind", "status"))
    yield from _of_metadata("metadata.", value.get("metadata") or {})
    spec = value.get("spec") or {}
    if value.get("kind") == "HorizontalPodAutoscaler":
        yield "spec.scaleTargetRef", spec.get("scaleTargetRef")
    else:
        yield "spec.selector", spec.get("selector")
    if value.get("kind") == "Deployment":
        template = spec.get("template") or {}
        yield from _of_metadata(f"{_POD}metadata.", template.get("metadata") or {})
        pod = template.get("spec") or {}
        yield from ((f"{_POD}spec.{field}", pod.get(field)) for field in ("serviceAccountName", "serviceAccount"))
        containers = [one.get("name") for one in pod.get("containers") or ()]
        yield f"{_POD}spec.containers[name={names.CONTAINER}]", names.CONTAINER in containers


def _of_metadata(prefix: str, metadata: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    yield from ((f"{prefix}{field}", value) for field, value in metadata.items() if field not in _OWN_METADATA)
    labels = metadata.get("labels") or {}
    yield from ((f"{prefix}labels.{label}", labels.get(label)) for label in _OWN_LABELS)
