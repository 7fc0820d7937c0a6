"""A cluster's objects as they would be if files were applied to it, or their objects deleted from it."""

from collections.abc import Iterable, Iterator, Mapping

import msgspec
from msgspec.structs import replace

from xds_server.infra.names import LAST_APPLIED_ANNOTATION
from xds_server.model.document import Object, text_at
from xds_server.model.kinds import BY_KIND, kind_of
from xds_server.model.meta import Key, ObjectRef
from xds_server.shell.survey import Survey

_KEPT = ("uid", "generation", "creation_timestamp")
"""What an object keeps when it is applied again: it stays as old as it is."""
Objects = dict[tuple[str, Key], Object]


def applied(there: Iterable[Object], files: Survey, namespace: str, *, delete: bool = False) -> list[Object]:
    """The objects of the cluster with those of the files in their places, or without them; what the files give no
    namespace is in `namespace`.
    """
    after: Objects = {(kind_of(one).kind, one.metadata.key): one for one in there}
    for value in _placed(files, namespace):
        id_ = (kind_of(value).kind, value.metadata.key)
        if delete:
            after.pop(id_, None)
        else:
            after[id_] = _aged(value, after.get(id_))
    return list(after.values())


def _placed(files: Survey, namespace: str) -> Iterator[Object]:
    """As kubectl places them."""
    bare = {one.ref for one in files.written if not text_at(one.document, "metadata", "namespace")}
    for value in files.objects:
        kind, metadata = kind_of(value).kind, value.metadata
        if BY_KIND[kind].namespaced and ObjectRef(kind, *metadata.key) in bare:
            yield _with(value, namespace=namespace)
        else:
            yield value


def _aged(value: Object, before: Object | None) -> Object:
    """As old as the one that it takes the place of, with the labels and annotations that others put on that."""
    if before is None:
        return value
    there = before.metadata
    return _with(
        value,
        **{name: getattr(there, name) for name in _KEPT},
        labels=_of_others(there.labels, there.annotations, "labels") | value.metadata.labels,
        annotations=_of_others(there.annotations, there.annotations, "annotations") | value.metadata.annotations,
    )


def _of_others(there: Mapping[str, str], annotations: Mapping[str, str], field: str) -> dict[str, str]:
    """Those that were not applied before: what was, and is in the file no more, goes."""
    try:
        last = msgspec.json.decode(annotations.get(LAST_APPLIED_ANNOTATION, "{}"))
        ours = set((last.get("metadata") or {}).get(field) or ())
    except (msgspec.DecodeError, AttributeError, TypeError):  # somebody wrote something else there
        ours = set()
    return {name: text for name, text in there.items() if name not in ours}


def _with(value: Object, **metadata: object) -> Object:
    return replace(value, metadata=replace(value.metadata, **metadata))  # type: ignore[type-var]
