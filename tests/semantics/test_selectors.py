"""Label selectors as Kubernetes documents them."""

import pytest

from xds_server.model.gateway import LabelSelector, LabelSelectorRequirement
from xds_server.semantics.selectors import matches, problem


def expression(operator: str, *values: str) -> LabelSelector:
    return LabelSelector(match_expressions=(LabelSelectorRequirement(key="a", operator=operator, values=values),))


@pytest.mark.parametrize(
    ("selector", "with_one", "with_two", "without"),
    [
        (LabelSelector(), True, True, True),
        (LabelSelector(match_labels={"a": "1"}), True, False, False),
        (expression("In", "1", "3"), True, False, False),
        (expression("NotIn", "1", "3"), False, True, True),
        (expression("Exists"), True, True, False),
        (expression("DoesNotExist"), False, False, True),
        (expression("Near", "1"), False, False, False),
        (expression("In"), False, False, False),
        (expression("NotIn"), False, False, False),
        (expression("Exists", "1"), False, False, False),
        (expression("DoesNotExist", "1"), False, False, False),
    ],
)
def test_one_requirement(selector: LabelSelector, with_one: bool, with_two: bool, without: bool) -> None:
    assert matches(selector, {"a": "1", "b": "x"}) is with_one
    assert matches(selector, {"a": "2"}) is with_two
    assert matches(selector, {"b": "1"}) is without


def test_every_requirement_must_hold() -> None:
    selector = LabelSelector(
        match_labels={"a": "1"}, match_expressions=(LabelSelectorRequirement(key="b", operator="Exists"),)
    )
    assert matches(selector, {"a": "1", "b": ""})
    assert not matches(selector, {"a": "1"})
    assert not matches(selector, {"b": ""})


@pytest.mark.parametrize(
    ("from_", "selector", "field"),
    [
        ("Selector", None, "selector:"),
        ("Selector", expression("Near", "1"), "selector.matchExpressions[0].operator:"),
        ("Selector", expression("NotIn"), "selector.matchExpressions[0].values:"),
        ("Selector", expression("Exists", "1"), "selector.matchExpressions[0].values:"),
        ("Selector", expression("NotIn", "1"), ""),
        ("Selector", LabelSelector(), ""),
        ("All", None, ""),
        ("Same", expression("Near"), ""),
    ],
)
def test_what_selects_nothing_is_told_where_it_counts(from_: str, selector: LabelSelector | None, field: str) -> None:
    assert problem(from_, selector).startswith(field)
    assert bool(problem(from_, selector)) is bool(field)
