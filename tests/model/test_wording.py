import pytest

from xds_server.model.wording import some


@pytest.mark.parametrize(
    ("names", "told"),
    [
        ([], ""),
        (["a"], "a"),
        (["a", "b"], "a, b"),
        (["a", "b", "c"], "a, b and 1 more"),
        (list("abcde"), "a, b and 3 more"),
    ],
)
def test_no_more_than_so_many(names: list[str], told: str) -> None:
    assert some(names, 2) == told
