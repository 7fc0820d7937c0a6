"""Bad input as cases: what is given, what its status says of it, what requests for it get.

A case stands in `cases/FAMILY.yaml`:

- `bad`: what is wrong, in a few words; `field`: where (kind and path).
- `given`: documents as the traffic harness reads them, beside the healthy world of `world.py`; or, in short, `rule`: the
  one rule of an HTTPRoute `bad` whose requests are for /bad, or `listener`: one more listener `bad` of the Gateway.
- `says`: `of` (an object, `KIND NAMESPACE/NAME`, with ` listener NAME` for one of its listeners), the `condition` as
  `TYPE=STATUS/REASON`, and `because`: what its message must contain.
- `answers`: path -> status on the listener for HTTP (`~` in place of a status: no answer at all, on the port `port`).
- `schema: true`: the CRD's schema would refuse it; here it comes in all the same.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tests.faults.world import GATEWAY, PARENT, gateway

FOLDER = Path(__file__).parent / "cases"
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True)
class Says:
    """A condition that must be there."""

    of: str
    condition: str
    because: str


@dataclass(frozen=True)
class Case:
    """One bad input."""

    family: str
    bad: str
    field: str
    given: str
    says: Says
    answers: dict[str, int] = field(default_factory=dict)
    schema: bool = False

    @property
    def name(self) -> str:
        """Unique."""
        return f"{self.family}: {self.bad}"


def load(family: str = "*") -> list[Case]:
    """Every case, in the order in which they stand."""
    return [case for path in sorted(FOLDER.glob(f"{family}.yaml")) for case in _read(path)]


def _read(path: Path) -> Iterator[Case]:
    for raw in yaml.load(path.read_text(), _LOADER):
        entry = dict(raw)
        says = dict(entry.pop("says"))
        says.setdefault("of", "HTTPRoute default/bad" if "rule" in entry else "")
        if "listener" in entry:
            says["of"] = says["of"] or f"Gateway {GATEWAY} listener bad"
        yield Case(family=path.stem, given=_given(entry), says=Says(**says), **entry)


def _given(entry: dict[str, Any]) -> str:
    if (rule := entry.pop("rule", None)) is not None:
        rule.setdefault("matches", [{"path": {"value": "/bad"}}])
        answers = any(one.get("type") == "RequestRedirect" for one in rule.get("filters", []))
        if not answers:
            rule.setdefault("backendRefs", [{"name": "a", "port": 8080}])
        spec = {"parentRefs": [PARENT], "rules": [rule]}
        return yaml.safe_dump({"kind": "HTTPRoute", "metadata": {"name": "bad"}, "spec": spec})
    if (listener := entry.pop("listener", None)) is not None:
        return yaml.safe_dump(with_listener({"name": "bad", **listener}))
    given: str = entry.pop("given")
    return given


def with_listener(*listeners: dict[str, Any]) -> dict[str, Any]:
    """The healthy Gateway with further listeners."""
    found = gateway()
    found["spec"]["listeners"] = [*found["spec"]["listeners"], *listeners]
    return found
