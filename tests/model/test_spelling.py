import pytest

from xds_server.model.spelling import perhaps


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("RequestHeaderModifer", "; perhaps meant: RequestHeaderModifier"),
        ("cors", "; perhaps meant: CORS"),
        ("Vault", ""),
        ("", ""),
    ],
)
def test_a_similar_name_is_named(word, meant):
    assert perhaps(word, ["CORS", "RequestHeaderModifier", "ResponseHeaderModifier"]) == meant
