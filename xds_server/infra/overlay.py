"""Overlays: a fragment of an object merged into it as the API server merges a strategic merge patch.

Mappings merge key by key, and null removes a key. Lists are replaced, but for those in MERGE_KEYS: there entries of the
same key are merged, others are added. `$patch: delete` and `$patch: replace` remove or replace a mapping, or an entry;
`$retainKeys` names what else may stay in a mapping. Neither argument is changed. Ports are different in one thing:
those of the same number are told apart by their protocol, as server-side apply does; a strategic merge patch mixes them
up.
Source: https://github.com/kubernetes/community/blob/master/contributors/devel/sig-api-machinery/strategic-merge-patch.md
and the `patchMergeKey` tags of k8s.io/api at v0.34; a test compares with an API server.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

_CONTAINER: Final = {
    "env": "name",
    "ports": "containerPort",
    "volumeMounts": "mountPath",
    "volumeDevices": "devicePath",
}
_CONTAINERS: Final = ("containers", "initContainers", "ephemeralContainers")
_POD_SPEC: Final = {
    **dict.fromkeys(_CONTAINERS, "name"),
    **{f"{list_}.{field}": key for list_ in _CONTAINERS for field, key in _CONTAINER.items()},
    "volumes": "name",
    "imagePullSecrets": "name",
    "hostAliases": "ip",
    "topologySpreadConstraints": "topologyKey",
    "schedulingGates": "name",
    "resourceClaims": "name",
}
MERGE_KEYS: Final[Mapping[str, Mapping[str, str]]] = {
    "Deployment": {f"spec.template.spec.{path}": key for path, key in _POD_SPEC.items()},
    "Service": {"spec.ports": "port"},
    "ServiceAccount": {"secrets": "name", "imagePullSecrets": "name"},
    "PodDisruptionBudget": {},
    "HorizontalPodAutoscaler": {},
}
"""By kind: the lists whose entries have a key, and its name. Paths are without the marks of lists."""

_PATCH: Final = "$patch"
_RETAIN: Final = "$retainKeys"
_DELETE, _REPLACE, _MERGE = "delete", "replace", "merge"

_PORTS: Final = ("port", "containerPort")
"""Keys of entries that have a protocol."""
_PROTOCOL: Final = "protocol"
_DEFAULT_PROTOCOL: Final = "TCP"

Object = Mapping[str, Any]


class _Id(NamedTuple):
    """What tells an entry of a list from others; `protocol` is empty for what is no port."""

    value: str | int
    protocol: str = ""


class OverlayError(Exception):
    """A fragment that cannot be merged. `field` is where in it, `reason` why."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field} {reason}" if field else reason)
        self.field, self.reason = field, reason


def merge(kind: str, base: Object, fragment: Object) -> dict[str, Any]:
    """The object with the fragment merged in. Raises OverlayError."""
    return _mapping(base, fragment, (), MERGE_KEYS[kind])


def _mapping(base: Object, fragment: Object, path: tuple[str, ...], keys: Mapping[str, str]) -> dict[str, Any]:
    directive = fragment.get(_PATCH)
    if directive not in (None, _DELETE, _REPLACE, _MERGE):
        raise OverlayError(_text((*path, _PATCH)), "must be delete, replace or merge")
    if directive == _DELETE:
        return {}
    merged = {} if directive == _REPLACE else dict(base)
    for key, value in fragment.items():
        if key.startswith("$"):
            if key not in (_PATCH, _RETAIN):
                raise OverlayError(_text((*path, key)), "is no directive that is known here")
        elif value is None:
            merged.pop(key, None)
        else:
            merged[key] = _value(merged.get(key), value, (*path, key), keys)
    if (kept := fragment.get(_RETAIN)) is not None:
        if not isinstance(kept, list):
            raise OverlayError(_text((*path, _RETAIN)), "must be a list")
        merged = {key: value for key, value in merged.items() if key in kept}
    return merged


def _value(base: Any, value: Any, path: tuple[str, ...], keys: Mapping[str, str]) -> Any:
    if base is not None and _shape(base) != _shape(value):
        raise OverlayError(_text(path), f"must be {_shape(base)}, is {_shape(value)}")
    if isinstance(value, dict):
        return _mapping(base or {}, value, path, keys)
    if isinstance(value, list):
        key = keys.get(".".join(path))
        return _plain(value, path, keys) if key is None else _keyed(base or [], value, key, path=path, keys=keys)
    return value


def _plain(items: Sequence[Any], path: tuple[str, ...], keys: Mapping[str, str]) -> list[Any]:
    """A list that takes the place of another."""
    return [_value(None, item, path, keys) if isinstance(item, dict | list) else item for item in items]


def _keyed(
    base: Sequence[Object], items: Sequence[Any], key: str, *, path: tuple[str, ...], keys: Mapping[str, str]
) -> list[Any]:
    """A list of mappings that have a key."""
    ids = [_id(item, key) for item in base]
    removed: set[_Id] = set()
    replaced, wanted = False, []
    for item in items:
        if not isinstance(item, dict):
            raise OverlayError(_text(path), f"must be a list of mappings with {key}")
        directive = item.get(_PATCH)
        if directive == _REPLACE:
            replaced = True
            continue
        _checked(item, key, path)
        if directive == _DELETE:
            removed.update(one for one in ids if _is_meant(one, item, key))
        elif directive is not None:
            raise OverlayError(f"{_text(path)}[{key}={item[key]}].{_PATCH}", "must be delete or replace")
        else:
            wanted.append(item)
    if replaced:
        return [_checked(_mapping({}, item, path, keys), key, path) for item in wanted]
    merged = {one: item for one, item in zip(ids, base, strict=True) if one not in removed}
    named = {_id(item, key) for item in wanted if _PROTOCOL in item}
    found = []
    for item in wanted:
        one = _entry(item, key, [other for other in merged if other not in named])
        merged[one] = _checked(_mapping(merged.get(one, {}), item, path, keys), key, path)
        found.append(one)
    return list(_arranged(merged, ids, list(dict.fromkeys(found))))


def _checked(item: Object, key: str, path: tuple[str, ...]) -> Object:
    """The entry, which has a key that others can be compared with."""
    if isinstance(item.get(key), dict | list) or item.get(key) is None:
        raise OverlayError(_text(path), f"must be a list of mappings with {key}")
    if key in _PORTS and not isinstance(item.get(_PROTOCOL, ""), str):
        raise OverlayError(f"{_text(path)}[{key}={item[key]}].{_PROTOCOL}", "must be TCP, UDP or SCTP")
    return item


def _id(item: Object, key: str) -> _Id:
    return _Id(item[key], item.get(_PROTOCOL, _DEFAULT_PROTOCOL) if key in _PORTS else "")


def _is_meant(one: _Id, item: Object, key: str) -> bool:
    """Is it what an entry of a fragment names? Without a protocol it names all ports of its number."""
    return one == _id(item, key) or (key in _PORTS and _PROTOCOL not in item and one.value == item[key])


def _entry(item: Object, key: str, there: Collection[_Id]) -> _Id:
    """Which entry one of a fragment is merged into. Without a protocol a port is the one of its number, if one alone is
    there.
    """
    meant = [one for one in there if _is_meant(one, item, key)]
    return meant[0] if len(meant) == 1 else _id(item, key)


def _arranged(merged: Mapping[_Id, Any], base: Sequence[_Id], wanted: Sequence[_Id]) -> Iterator[Any]:
    """Entries in the order of the fragment; each of the others before the first of those that it was before."""
    others = [key for key in base if key in merged and key not in wanted]
    for key in wanted:
        while others and key in base and base.index(others[0]) < base.index(key):
            yield merged[others.pop(0)]
        yield merged[key]
    yield from (merged[key] for key in others)


def _shape(value: Any) -> str:
    return "a mapping" if isinstance(value, dict) else "a list" if isinstance(value, list) else "a single value"


def _text(path: Sequence[str]) -> str:
    return ".".join(path)
