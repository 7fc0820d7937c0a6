from typing import Any

import pytest

from xds_server.wire.changed import Change, change_of, changed_fields


@pytest.mark.parametrize(
    ("old", "new", "fields"),
    [
        ({"a": 1}, {"a": 1}, []),
        ({"a": 1}, {"a": 2}, ["a"]),
        ({}, {"connectTimeout": "1s"}, ["connect_timeout"]),
        ({"a": {"perConnectionBufferLimitBytes": 1}}, {"a": {}}, ["a.per_connection_buffer_limit_bytes"]),
        ({"a": {"@type": "x", "b": 1}}, {"a": {"@type": "y", "c": 1}}, ["a"]),
        ({"a": {"envoy.filters.http.cors": 1}}, {"a": {"envoy.filters.http.cors": 2}}, ["a[envoy.filters.http.cors]"]),
        ({"a": [1, 2]}, {"a": [1, 3]}, ["a[1]"]),
        ({"a": [1, 2]}, {"a": [1]}, ["a"]),
        ({"a": [{"name": "x", "b": 1}]}, {"a": [{"name": "y"}, {"name": "x", "b": 2}]}, ["a[x].b", "a[y]"]),
        ({"a": [{"name": "x"}, {"name": "y"}]}, {"a": [{"name": "y"}, {"name": "x"}]}, ["a"]),
        ({"a": [{"name": "x"}, {"name": "x"}]}, {"a": [{"name": "x"}, {"name": "y"}]}, ["a[1].name"]),
        ({"a": [{"name": {}}]}, {"a": [{"name": {"b": 1}}]}, ["a[0].name.b"]),
    ],
)
def test_paths_of_what_differs(old: dict[str, Any], new: dict[str, Any], fields: list[str]) -> None:
    assert changed_fields(old, new) == fields
    assert sorted(changed_fields(new, old)) == sorted(fields)


def test_what_happens_to_something() -> None:
    assert [change_of(None, 1), change_of(1, None), change_of(1, 2)] == [Change.ADDED, Change.REMOVED, Change.CHANGED]
