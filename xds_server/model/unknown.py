"""unknown_fields: what a document says in fields that its kind does not have, such as `backendRef` for `backendRefs`.

The API server prunes such fields, and `parse` passes over them; whoever wrote one meant something by it.
"""

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, get_args, get_type_hints

import msgspec

from xds_server.model.convert import respelled
from xds_server.model.document import Document, Fault, text_at
from xds_server.model.kinds import BY_GROUP_KIND, BY_MODEL
from xds_server.model.meta import Metadata, Struct
from xds_server.model.parse import DEFAULT_NAMESPACE
from xds_server.model.spelling import perhaps

_UNREAD = {
    Metadata: (
        "generateName",
        "deletionGracePeriodSeconds",
        "finalizers",
        "managedFields",
        "ownerReferences",
        "resourceVersion",
        "selfLink",
    )
}
"""Fields that the API has and our models do not."""
_UNREAD_OF_KINDS = ("apiVersion", "kind", "status")


def unknown_fields(document: Document) -> tuple[Fault, ...]:
    """A fault for each field that the document's kind does not have, in their order; they refuse nothing.

    Only in kinds of the Gateway API; core kinds have many more fields than are read here. Older spellings count as
    known; below one, `field` is where the newest version has it. Never raises, whatever the document holds.
    """
    kind, group = text_at(document, "kind"), text_at(document, "apiVersion").rpartition("/")[0]
    row = BY_GROUP_KIND.get((group, kind))
    if row is None or row.channel == "core":
        return ()
    name, namespace = text_at(document, "metadata", "name"), text_at(document, "metadata", "namespace")
    namespace = (namespace or DEFAULT_NAMESPACE) if row.namespaced else ""
    return tuple(
        Fault(reason, kind=row.kind, namespace=namespace, name=name, field=field)
        for field, reason in _unknown(respelled(row.kind, dict(document)), row.model, "")
    )


def _unknown(value: Mapping[Any, Any], model: Any, place: str) -> Iterator[tuple[str, str]]:
    known = _fields(model)
    for key, child in value.items():
        field = f"{place}{key}"
        if key not in known:
            yield field, f"is not a field{perhaps(str(key), known)}"
        elif (inner := known[key]) is not None:
            yield from _inside(child, inner, field)


def _inside(value: Any, model: Any, field: str) -> Iterator[tuple[str, str]]:
    """In a mapping, or in each of a list; anything else is of a wrong type, which `parse` says."""
    if isinstance(value, Mapping):
        yield from _unknown(value, model, f"{field}.")
    elif isinstance(value, list):
        for index, item in enumerate(value):
            if isinstance(item, Mapping):
                yield from _unknown(item, model, f"{field}[{index}].")


@cache
def _fields(model: Any) -> Mapping[str, Any]:
    """The fields of a model and those that it leaves out, by name, with the model of what is inside if there is one."""
    hints = get_type_hints(model)
    fields = {field.encode_name: _struct(hints[field.name]) for field in msgspec.structs.fields(model)}
    unread = _UNREAD_OF_KINDS if model in BY_MODEL else _UNREAD.get(model, ())
    return fields | dict.fromkeys(unread)


def _struct(hint: Any) -> Any:
    if isinstance(hint, type) and issubclass(hint, Struct):
        return hint
    return next((found for part in get_args(hint) if (found := _struct(part))), None)
