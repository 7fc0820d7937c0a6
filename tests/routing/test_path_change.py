import pytest

from xds_server.routing.path_change import PathChange


@pytest.mark.parametrize(
    ("change", "path", "matched", "result"),
    [
        (PathChange(full="/new"), "/a/b", "/a", "/new"),
        (PathChange(prefix="/new"), "/a/b", "/a", "/new/b"),
        (PathChange(prefix="/new"), "/a", "/a", "/new"),
        (PathChange(prefix="/"), "/a/b", "/a", "/b"),
        (PathChange(prefix="/"), "/a", "/a", "/"),
        (PathChange(prefix="/"), "/a//b", "/a", "/b"),
        (PathChange(prefix="/new"), "/a", "/", "/new/a"),
        (PathChange(prefix="/new"), "/", "/", "/new/"),
        (PathChange(prefix="/"), "//a", "/", "//a"),
    ],
)
def test_apply(change: PathChange, path: str, matched: str, result: str) -> None:
    assert change.apply(path, matched) == result


def test_in_words() -> None:
    assert str(PathChange(full="/new")) == "path /new"
    assert str(PathChange(prefix="/")) == "matched prefix becomes /"
