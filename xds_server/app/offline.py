"""Objects through the pipeline once, without a network: what the verbs for files are made of."""

from collections.abc import Iterable
from dataclasses import dataclass

from xds_server.model.document import Object
from xds_server.model.kinds import kind_of
from xds_server.pipeline.options import Options
from xds_server.pipeline.program import Pipeline, build
from xds_server.shell.clock import this_minute
from xds_server.xds.resource import Resource


@dataclass(frozen=True, slots=True)
class Offline:
    """Objects put through the pipeline once, and the resources that came of them."""

    pipeline: Pipeline
    resources: tuple[Resource, ...]


def offline(objects: Iterable[Object], *, allow_external_names: bool = False) -> Offline:
    """Translates objects as the server would."""
    pipeline = build(Options(any_class=True, allow_external_names=allow_external_names))
    pipeline.inputs.tell_time(this_minute())
    for value in objects:
        pipeline.inputs.put(kind_of(value).kind, value.metadata.key, value)
    changes = pipeline.publisher.changes(pipeline.settle())
    return Offline(pipeline, tuple(resource for resource in changes.values() if resource is not None))
