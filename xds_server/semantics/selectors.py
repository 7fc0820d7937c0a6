"""Label selectors, as Kubernetes evaluates them."""

from collections.abc import Mapping

from xds_server.model.core import Namespace
from xds_server.model.gateway import LabelSelector, LabelSelectorRequirement

NAME_LABEL = "kubernetes.io/metadata.name"


def allows(from_: str, selector: LabelSelector | None, own: str, namespace: str, known: Namespace | None) -> bool:
    """Does `namespaces: {from, selector}` of an object in namespace `own` allow `namespace`?

    `known` is that namespace as an object, which may be missing in files. Unknown values of `from` allow nothing.
    """
    match from_:
        case "All":
            return True
        case "Same":
            return namespace == own
        case "Selector" if selector is not None:
            labels = {NAME_LABEL: namespace} | (known.metadata.labels if known is not None else {})
            return matches(selector, labels)
        case _:
            return False


def matches(selector: LabelSelector, labels: Mapping[str, str]) -> bool:
    """Do the labels satisfy every part of the selector? An empty selector matches everything."""
    return all(labels.get(key) == value for key, value in selector.match_labels.items()) and all(
        _holds(requirement, labels) for requirement in selector.match_expressions
    )


def _holds(requirement: LabelSelectorRequirement, labels: Mapping[str, str]) -> bool:
    present = requirement.key in labels
    match requirement.operator:
        case "In":
            return present and labels[requirement.key] in requirement.values
        case "NotIn":
            return not present or labels[requirement.key] not in requirement.values
        case "Exists":
            return present
        case "DoesNotExist":
            return not present
        case _:
            return False
