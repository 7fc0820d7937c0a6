"""Messages without validation: ordinary instances, made about ten times faster than through pydantic.

Comes in: a message class, once; keyword arguments, each time. Goes out: an instance that equals the validated
one. Wrong types are not noticed here but by `encode`, which names class and field; mypy notices them before.
"""

import dataclasses
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar, cast

import betterproto2
from envoy_data_plane.google.protobuf import Any as ProtobufAny

from xds_server.wire.encode import encode
from xds_server.wire.registry import type_url_of

P = ParamSpec("P")
M = TypeVar("M", bound=betterproto2.Message)


def fast(cls: Callable[P, M]) -> Callable[P, M]:
    """A constructor of message class `cls` with the same signature, for keyword arguments only.

    Fields that are not given have their defaults, lists and maps fresh ones each time. A deprecated field
    gives no warning. Raises TypeError for an unknown or a positional argument, ValueError for two members of
    one oneof.
    """
    message = cast("type[M]", cls)
    plain = dataclasses.fields(cast("type[Any]", message))
    defaults: dict[str, Any] = {one.name: _factory(one)() for one in plain}
    defaults["_unknown_fields"] = b""
    fresh = {one.name: "[]" if _factory(one) is list else "{}" for one in plain if _factory(one) in (list, dict)}
    values_of = _values(defaults, fresh)
    groups = {one.name: betterproto2.FieldMetadata.get(one).group for one in plain}
    groups = {name: group for name, group in groups.items() if group}
    grouped = groups.keys()
    new, size = object.__new__, len(defaults)

    def construct(*args: P.args, **kwargs: P.kwargs) -> M:
        values = values_of(kwargs)
        if args or len(values) != size or "_unknown_fields" in kwargs:
            raise _wrong_arguments(message, args, kwargs)
        if groups and len(kwargs) > 1 and len(grouped & kwargs.keys()) > 1:
            _one_of_each(message, groups, kwargs)
        instance = new(message)
        instance.__dict__ = values
        return instance

    construct.__name__ = construct.__qualname__ = message.__name__
    construct.__doc__ = message.__doc__
    return construct


def _values(defaults: dict[str, Any], fresh: dict[str, str]) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """A function that puts keyword arguments over the defaults: one expression, with the lists and maps in it, since
    every message of every route is made by it. Its source holds the names of fields of generated classes only.
    """
    items = ["**defaults", *(f"{name!r}: {empty}" for name, empty in fresh.items()), "**kwargs"]
    found: Callable[[dict[str, Any]], dict[str, Any]] = eval(
        f"lambda kwargs: {{{', '.join(items)}}}", {"defaults": defaults}
    )
    return found


def copy_of(message: M) -> M:
    """A shallow copy: its fields are the same objects, but setting one changes the copy alone."""
    instance = object.__new__(type(message))
    instance.__dict__ = dict(message.__dict__)
    return instance


def any_of(message: betterproto2.Message) -> ProtobufAny:
    """`message` in a google.protobuf.Any, which says of what type it is. Raises as `encode` does."""
    return _any(type_url=type_url_of(type(message)), value=encode(message))


def _factory(plain: "dataclasses.Field[Any]") -> Callable[[], Any]:
    assert plain.default_factory is not dataclasses.MISSING
    return plain.default_factory


def _one_of_each(cls: type, groups: dict[str, str | None], given: dict[str, Any]) -> None:
    taken: dict[str | None, str] = {}
    for name, value in given.items():
        if name in groups and value is not None:
            other = taken.setdefault(groups[name], name)
            if other != name:
                raise ValueError(f"{cls.__name__}: {other} and {name} are of one oneof, only one can be set")


def _wrong_arguments(cls: type, args: tuple[Any, ...], given: dict[str, Any]) -> TypeError:
    if args:
        return TypeError(f"{cls.__name__} takes keyword arguments only")
    known = {one.name for one in dataclasses.fields(cls)}
    unknown = ", ".join(sorted(given.keys() - known))
    return TypeError(f"{cls.__name__} has no field called {unknown}")


_any = fast(ProtobufAny)
