"""Matches that no request ever reaches: wherever they are served, earlier ones take all that they would take.

A match that is reached under one of its hosts is no shadow: a rule for a wildcard is expected to yield to the rules of
a narrower host. Reads a settled pipeline, from outside of its functions.
"""

from dataclasses import dataclass

from xds_server.pipeline.program import Pipeline
from xds_server.routing.coverage import Coverage
from xds_server.routing.rule import Rule, RuleId


@dataclass(frozen=True, slots=True)
class Shadow:
    """`rule` can never match, since `by` is tried before it and takes its requests. `host` is the first such place."""

    rule: RuleId
    by: RuleId
    host: str

    @property
    def message(self) -> str:
        """In words."""
        other = self.by.place if self.by.owner == self.rule.owner else f"{self.by.owner} {self.by.place}"
        return f"{self.rule.place} can never match: {other} is tried before it and takes all of its requests"


def shadowed(pipeline: Pipeline) -> list[Shadow]:
    """Every match that is served somewhere and reached nowhere, in the order of routes and their matches."""
    rules = {str(rule.id): rule for row in pipeline.tables.rules.values() for rule in row.rules}
    found: dict[str, Shadow] = {}
    reached: set[str] = set()
    for (_, host), segment in pipeline.tables.segments.items():
        earlier: Coverage[Rule] = Coverage()
        for leaf in segment.parts:
            id_ = leaf.id.partition("@")[0]
            rule = rules[id_]
            by = earlier.covering(rule.match)
            if by is None:
                reached.add(id_)
                earlier.add(rule.match, rule)
            else:
                found.setdefault(id_, Shadow(rule.id, by.id, host))
    return [found[id_] for id_ in rules if id_ in found and id_ not in reached]
