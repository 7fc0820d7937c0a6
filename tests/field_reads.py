"""Which fields of what users wrote are read by the code that decides, while the scenarios run.

Descriptors of the models' fields are replaced by properties that note who reads what; msgspec itself, comparing and
hashing, and `model/` with its checks of the schema go by other ways or are left out.
"""

import sys
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import msgspec

from tests.scenarios import scenario as scenarios
from xds_server.model.kinds import kind_of
from xds_server.model.meta import Struct

READERS, NOT_READERS = "xds_server.", "xds_server.model."
Path = tuple[str, str]


def read_by_scenarios() -> set[Path]:
    """Kind and path of every field that is read, as `spec.rules.matches.path`."""
    found: set[Path] = set()
    places: dict[int, set[Path]] = defaultdict(set)
    kept: list[Any] = []
    parse = scenarios.parse_document

    def parsed(document: dict[str, Any]) -> Any:
        value = parse(document)
        kept.append(value)  # else another object may get its id
        for one, place in _structs(value, ""):
            places[id(one)].add((kind_of(value).kind, place))
        return value

    def noted(one: Any, field: str) -> None:
        reader = sys._getframe(2).f_globals["__name__"]
        if reader.startswith(READERS) and not reader.startswith(NOT_READERS):
            found.update((kind, f"{place}.{field}".strip(".")) for kind, place in places.get(id(one), ()))

    with _watched(noted):
        scenarios.parse_document = parsed
        try:
            for one in scenarios.load_all():
                one.run()
                places.clear()
                kept.clear()
        finally:
            scenarios.parse_document = parse
    return found


def _structs(value: Any, place: str) -> Iterator[tuple[Any, str]]:
    """The structs in a value, with their places; values that are a field's default belong to nobody."""
    if isinstance(value, tuple):
        for one in value:
            yield from _structs(one, place)
    elif isinstance(value, Struct):
        yield value, place
        for field in msgspec.structs.fields(value):
            inner = getattr(value, field.name)
            if inner is not field.default:
                yield from _structs(inner, f"{place}.{field.encode_name}".strip("."))


@contextmanager
def _watched(noted: Any) -> Iterator[None]:
    replaced = []
    for model in _models(Struct):
        names = {field.name: field.encode_name for field in msgspec.structs.fields(model)}
        for name, descriptor in list(vars(model).items()):
            if name in names:
                replaced.append((model, name, descriptor))
                type.__setattr__(model, name, _property(descriptor, names[name], noted))
    try:
        yield
    finally:
        for model, name, descriptor in replaced:
            type.__setattr__(model, name, descriptor)


def _models(base: type[Struct]) -> Iterator[type[Struct]]:
    for model in base.__subclasses__():
        if model.__module__.startswith(NOT_READERS):
            yield model
        yield from _models(model)


def _property(descriptor: Any, field: str, noted: Any) -> property:
    def read(one: Any) -> Any:
        noted(one, field)
        return descriptor.__get__(one)

    return property(read)
