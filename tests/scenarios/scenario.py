"""Scenarios: what is given, in YAML, and what follows from it, in blocks that are compared to the letter.

A scenario is `tests/scenarios/TOPIC/CASE.md`: prose, and fenced blocks

- `yaml given`: documents (apiVersion may be left out), `${cert:NAME}` as certificates.py has it. What `_world.yaml`
  of the topic or of all scenarios holds is there as well, and needs no mention.
- `yaml then`, any number: documents that come later and are settled on their own; `removed: true` takes one away.
- `yaml options`: `envoys: 0` for Gateways that no Envoy serves yet (else one has acknowledged everything, or the
  generation `acknowledged`), `address` of the machine on which Gateways are placed, the time `now` (else nobody knows
  it), `repeated_matches_limit`, `checks`, `allow_external_names`; `deployed` for a cluster, where `provisions` says by
  Gateway what kept it from being deployed, `rollouts` what keeps its pods from being made: reason and message.
- `yaml statuses`: of every object in `given` that has one, as show_statuses.py shows them.
- `yaml envoy [GATEWAY] TYPE[/NAME] [KEY…]`: what was published, as show_resources.py shows it; all of a type by name,
  or one resource, or some keys of it. GATEWAY may be left out where one Gateway is served.
- `yaml proxies`: of every pod that serves a Gateway, in a cluster: which ones, behind which Services, as whom.
- `yaml faults`: what the CRDs' schemas would refuse, for scenarios about values that they would not let pass.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import yaml

from tests.scenarios import certificates, show_resources, show_statuses
from tests.scenarios.markdown import Block, emit, parse
from tests.scenarios.yamltext import block
from xds_server.infra.desired import Provision
from xds_server.infra.local_addresses import can_be_placed, place
from xds_server.model.document import Fault, Ignored
from xds_server.model.kinds import BY_KIND, ROUTE_KINDS, kind_of
from xds_server.model.meta import Key
from xds_server.model.parse import parse as parse_document
from xds_server.model.validate import faults
from xds_server.pipeline import program
from xds_server.pipeline.options import Options
from xds_server.pipeline.program import Pipeline
from xds_server.pipeline.publisher import Change
from xds_server.routing.listener import Bind
from xds_server.semantics.statuses import Served, Trouble
from xds_server.wire.decode import to_json
from xds_server.xds.resource import Resource, ResourceType

ROOT = Path(__file__).parent
WORLD = "_world.yaml"
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
OPTIONS = ("repeated_matches_limit", "checks", "allow_external_names", "deployed")
POLICY_KINDS = ("BackendTLSPolicy", "XBackend", "XTelemetryPolicy")
_TYPES = {type_.value: type_ for type_ in ResourceType}
Document = dict[str, Any]
Published = Mapping[Change, Resource]


@dataclass
class Outcome:
    """What followed: the settled pipeline, and all that is published."""

    pipeline: Pipeline
    published: Published
    faults: list[str]

    def of(self, gateway: Key, type_: ResourceType) -> dict[str, Resource]:
        """The resources of one Gateway and type by name."""
        return {
            name: resource
            for (audience, its_type, name), resource in self.published.items()
            if its_type is type_ and (audience.namespace, audience.name) == gateway  # type: ignore[union-attr]
        }


class _Every(defaultdict[Key, int]):
    """All ListenerSets are acknowledged up to a generation."""

    def get(self, key: Key, default: int | None = None) -> int:  # type: ignore[override]
        return self[key]


@dataclass(frozen=True)
class Scenario:
    """One Markdown file."""

    path: Path

    @property
    def name(self) -> str:
        """TOPIC/CASE."""
        return str(self.path.relative_to(ROOT).with_suffix(""))

    @cached_property
    def blocks(self) -> list[Block]:
        """Prose and blocks as they stand in the file."""
        return parse(self.path.read_text())

    @cached_property
    def options(self) -> Document:
        """The options block."""
        return next((yaml.load(one.text, _LOADER) for one in self.blocks if one.words[:1] == ["options"]), {})

    def steps(self) -> list[list[Document]]:
        """Documents by step: the worlds and what is given, then each that comes later."""
        given = [_documents(one.text) for one in self.blocks if one.words == ["given"]]
        later = [_documents(one.text) for one in self.blocks if one.words == ["then"]]
        assert len(given) == 1, f"{self.name}: one `yaml given` block"
        worlds = [path for path in (ROOT / WORLD, self.path.parent / WORLD) if path.exists()]
        return [[*(document for path in worlds for document in _world(path)), *given[0]], *later]

    def objects_told(self) -> list[tuple[str, Key]]:
        """The objects of the file itself, whose statuses are told, in order of appearance."""
        own = [
            document for one in self.blocks if one.words in (["given"], ["then"]) for document in _documents(one.text)
        ]
        return list(dict.fromkeys(_identity(document) for document in own))

    def run(self, bind: Bind | None = None) -> Outcome:
        """Puts everything through the pipeline; with `bind`, every Gateway is bound that way."""
        options = {name: self.options[name] for name in OPTIONS if name in self.options}
        pipeline = program.build(Options(any_class=True, strict=True, **options))
        if "now" in self.options:
            pipeline.inputs.tell_time(int(self.options["now"].timestamp()) // 60)
        published: dict[Change, Resource] = {}
        found: list[str] = []
        for step in self.steps():
            for document in step:
                found += self._put(pipeline, document, bind)
            for change, resource in pipeline.publisher.changes(pipeline.settle()).items():
                if resource is None:
                    del published[change]
                else:
                    published[change] = resource
        return Outcome(pipeline, published, found)

    def _put(self, pipeline: Pipeline, document: Document, bind: Bind | None) -> list[str]:
        kind, key = _identity(document)
        if document.get("removed"):
            pipeline.inputs.remove(kind, key)
            return []
        value = parse_document(certificates.filled_in(document))
        assert not isinstance(value, Fault | Ignored), f"{self.name}: {value}"
        pipeline.inputs.put(kind_of(value).kind, key, value)
        if kind == "Gateway":
            generation = self.options.get("acknowledged", value.metadata.generation)
            served = Served(generation, 1, _Every(lambda: generation)) if self.options.get("envoys", 1) else Served()
            pipeline.inputs.served.put(key, served)
            if "address" in self.options:
                address = self.options["address"] if can_be_placed(value.spec.addresses) else None
                pipeline.inputs.placements.put(key, place(value.spec.addresses, address))
            if bind is not None:
                pipeline.inputs.binds.put(key, bind)
            if (found := self.options.get("provisions", {}).get(str(key))) is not None:
                pipeline.inputs.provisions.put(key, Provision(*found))
            if (found := self.options.get("rollouts", {}).get(str(key))) is not None:
                pipeline.inputs.rollouts.put(key, Trouble(*found))
        return [str(fault) for fault in faults(value)]

    def told(self) -> str:
        """The file as it would be if its output blocks were right."""
        outcome = self.run()
        wanted = [Block(one.label, self._output(one, outcome)) if _is_output(one) else one for one in self.blocks]
        for name, missing in (("statuses", True), ("faults", bool(outcome.faults))):
            if missing and not any(one.words == [name] for one in self.blocks):
                made = Block(f"yaml {name}", "")
                made.text = self._output(made, outcome)
                wanted += [Block("", "\n"), made]
        return emit(wanted)

    def _output(self, one: Block, outcome: Outcome) -> str:
        match one.words[0]:
            case "statuses":
                return block(self._statuses(outcome.pipeline))
            case "proxies":
                return block(_proxies(outcome.pipeline))
            case "faults":
                return block(outcome.faults)
            case _:
                return block(_resources(one.words[1:], outcome))

    def _statuses(self, pipeline: Pipeline) -> dict[str, Any]:
        shown = {}
        tables = {
            "GatewayClass": (pipeline.statuses.classes, show_statuses.gateway_class),
            "Gateway": (pipeline.statuses.gateways, show_statuses.gateway),
            "ListenerSet": (pipeline.statuses.listener_sets, show_statuses.gateway),
        }
        for kind, key in self.objects_told():
            value = pipeline.inputs.kinds[kind].get(key)
            if kind in ROUTE_KINDS and value is not None:
                status = pipeline.statuses.routes.get((kind, key))
                shown[f"{kind} {key}"] = show_statuses.route(status, value.metadata.generation)
            elif (status := pipeline.statuses.policies.get((kind, key))) is not None:
                shown[f"{kind} {key}"] = show_statuses.policy(kind, status, value.metadata.generation)
            elif kind in POLICY_KINDS and value is not None:
                shown[f"{kind} {key}"] = None
            elif kind in tables and value is not None:
                table, show = tables[kind]
                shown[f"{kind} {key}"] = show(table.get(key), value.metadata.generation)
        return shown


def load_all() -> list[Scenario]:
    """Every scenario, in order of its name."""
    return [Scenario(path) for path in sorted(ROOT.glob("*/*.md"))]


def _is_output(one: Block) -> bool:
    return one.words[:1] in (["statuses"], ["envoy"], ["proxies"], ["faults"])


def _documents(text: str) -> list[Document]:
    documents = [document for document in yaml.load_all(text, _LOADER) if document]
    for document in documents:
        row = BY_KIND.get(document["kind"])
        document.setdefault("apiVersion", row.api_version if row else None)
    return documents


@cache
def _world(path: Path) -> tuple[Document, ...]:
    return tuple(_documents(path.read_text()))


def _identity(document: Document) -> tuple[str, Key]:
    metadata = document["metadata"]
    row = BY_KIND.get(document["kind"])
    namespaced = row is None or row.namespaced
    return document["kind"], Key(metadata.get("namespace", "default") if namespaced else "", metadata["name"])


def _proxies(pipeline: Pipeline) -> dict[str, Any]:
    assert pipeline.places.proxies is not None, "a scenario of a cluster: option `deployed`"
    return {
        str(key): {
            "gateways": [str(one) for one in row.gateways],
            "services": [str(one) for one in row.services],
            "account": row.service_account,
            "terminating": row.terminating,
        }
        for key, row in pipeline.places.proxies.items()
    }


def _resources(words: list[str], outcome: Outcome) -> Any:
    gateway = None
    if words[0].partition("/")[0] not in _TYPES:
        gateway, words = Key(*words[0].split("/")), words[1:]
    if gateway is None:
        (gateway,) = outcome.pipeline.gateways()
    type_name, _, name = words[0].partition("/")
    resources = outcome.of(gateway, _TYPES[type_name])
    if not name:
        return {name: _shown(resources[name]) for name in sorted(resources)}
    assert name in resources, f"no {name} among {sorted(resources)}"
    shown = _shown(resources[name])
    return _only(shown, words[1:]) if len(words) > 1 else shown


def _shown(resource: Resource) -> Any:
    return show_resources.SHOW[resource.type](to_json(resource.type.url, resource.body))


def _only(shown: Mapping[str, Any], keys: Iterable[str]) -> dict[str, Any]:
    return {key: shown[key] for key in keys}
