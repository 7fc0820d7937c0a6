"""Label selectors, as Kubernetes evaluates them. The CRDs let pass some that are none: those select nothing."""

from collections.abc import Mapping

from xds_server.model.core import Namespace
from xds_server.model.gateway import LabelSelector, LabelSelectorRequirement

NAME_LABEL = "kubernetes.io/metadata.name"
_WITH_VALUES, _WITHOUT = ("In", "NotIn"), ("Exists", "DoesNotExist")


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


def problem(from_: str, selector: LabelSelector | None) -> str:
    """Why `namespaces: {from, selector}` allow nothing at all, with the field; empty where they may."""
    if from_ != "Selector":
        return ""
    if selector is None:
        return "selector: is missing"
    for index, requirement in enumerate(selector.match_expressions):
        if wrong := _wrong(requirement):
            return f"selector.matchExpressions[{index}].{wrong}"
    return ""


def matches(selector: LabelSelector, labels: Mapping[str, str]) -> bool:
    """Do the labels satisfy every part of the selector? An empty selector matches everything."""
    return all(labels.get(key) == value for key, value in selector.match_labels.items()) and all(
        not _wrong(requirement) and _holds(requirement, labels) for requirement in selector.match_expressions
    )


def _wrong(requirement: LabelSelectorRequirement) -> str:
    """Why it is no requirement, with the field. One that excludes nothing would else be met by everything."""
    operator = requirement.operator
    if operator not in (*_WITH_VALUES, *_WITHOUT):
        return f"operator: must be one of {', '.join((*_WITH_VALUES, *_WITHOUT))}, is {operator}"
    if operator in _WITH_VALUES and not requirement.values:
        return f"values: {operator} needs some"
    if operator in _WITHOUT and requirement.values:
        return f"values: {operator} takes none"
    return ""


def _holds(requirement: LabelSelectorRequirement, labels: Mapping[str, str]) -> bool:
    present = requirement.key in labels
    match requirement.operator:
        case "In":
            return present and labels[requirement.key] in requirement.values
        case "NotIn":
            return not present or labels[requirement.key] not in requirement.values
        case "Exists":
            return present
        case _:
            return not present
