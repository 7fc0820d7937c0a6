"""Objects through the pipeline once, without serving them: what the verbs that only tell are made of."""

from collections.abc import Iterable
from dataclasses import dataclass

from xds_server.infra.desired import Installation
from xds_server.model.core import Pod
from xds_server.model.document import Object
from xds_server.model.kinds import kind_of
from xds_server.pipeline.options import Options
from xds_server.pipeline.program import Pipeline, build
from xds_server.shell.clock import this_minute
from xds_server.shell.kube.servers import LABEL, NAMESPACE
from xds_server.xds.resource import Resource


@dataclass(frozen=True, slots=True)
class Offline:
    """Objects put through the pipeline once, and the resources that came of them. `files`: they are from files, so
    what is not among them may be elsewhere.
    """

    pipeline: Pipeline
    resources: tuple[Resource, ...]
    files: bool = True


def offline(
    objects: Iterable[Object],
    *,
    allow_external_names: bool = False,
    controller_name: str | None = None,
    deployed: bool = False,
) -> Offline:
    """Translates objects as the server would; with `controller_name` as one in the cluster that they are of, with
    `deployed` also where Gateways are and which pods serve them.
    """
    objects = tuple(objects)
    if controller_name is None:
        options = Options(any_class=True, allow_external_names=allow_external_names)
    else:
        options = Options(
            controller_name=controller_name,
            allow_external_names=allow_external_names,
            deployed=deployed,
            installation=Installation(namespace=_home(objects)),
        )
    pipeline = build(options)
    pipeline.inputs.tell_time(this_minute())
    for value in objects:
        pipeline.inputs.put(kind_of(value).kind, value.metadata.key, value)
    changes = pipeline.publisher.changes(pipeline.settle())
    resources = tuple(resource for resource in changes.values() if resource is not None)
    return Offline(pipeline, resources, files=controller_name is None)


def _home(objects: Iterable[Object]) -> str:
    """The namespace of the servers, where parameters for many are: that of their pods, the usual one if it has any."""
    name, _, value = LABEL.partition("=")
    pods = (one.metadata for one in objects if isinstance(one, Pod))
    found = {pod.namespace for pod in pods if pod.labels.get(name) == value}
    return NAMESPACE if not found or NAMESPACE in found else min(found)
