import pytest

from xds_server.xds.resource import ResourceType
from xds_server.xds.subscription import Change, Subscription

CLUSTER, ROUTE, SECRET = ResourceType.CLUSTER, ResourceType.ROUTE, ResourceType.SECRET


def test_a_first_request_without_names_means_all_of_clusters_and_listeners() -> None:
    for type_ in ResourceType:
        expected = type_ in {ResourceType.CLUSTER, ResourceType.LISTENER}
        assert Subscription(type_).incremental([], []) == Change(wildcard_began=expected)
        assert Subscription(type_).complete([]) == Change(wildcard_began=expected)


def test_a_later_request_without_names_means_nothing() -> None:
    delta, sotw = Subscription(CLUSTER), Subscription(CLUSTER)
    delta.incremental(["a"], [])
    assert delta.incremental([], []) == Change()
    sotw.complete(["a"])
    assert sotw.complete([]) == Change(dropped=frozenset("a"))
    assert not sotw.wildcard


def test_a_name_is_owed_each_time_it_is_subscribed() -> None:
    subscription = Subscription(ROUTE)
    assert subscription.incremental(["r", "s"], []).news == ("r", "s")
    assert subscription.incremental(["r"], []).news == ("r",)
    assert Subscription(ROUTE).complete(["s", "r"]).news == ("r", "s")


def test_unsubscribed_under_a_wildcard_it_is_owed_a_last_word() -> None:
    subscription = Subscription(CLUSTER)
    subscription.incremental(["*", "a"], [])
    assert subscription.incremental([], ["a"]) == Change(asked=frozenset("a"))
    assert subscription.incremental([], ["a"]) == Change(), "it was not subscribed any more"
    assert subscription.covers("a")


def test_the_wildcard_ends() -> None:
    subscription = Subscription(CLUSTER)
    assert subscription.incremental(["*", "a"], []).news == ("*", "a")
    assert subscription.incremental([], ["*"]) == Change(wildcard_ended=True)
    assert subscription.covers("a")
    assert not subscription.covers("b")


def test_sotw_keeps_no_legacy_wildcard_beside_names() -> None:
    subscription = Subscription(CLUSTER)
    subscription.complete([])
    assert subscription.complete(["a"]) == Change(asked=frozenset("a"), wildcard_ended=True)


@pytest.mark.parametrize("names", [["*"], [""], ["*", ""]])
def test_no_secret_is_named_by_these(names: list[str]) -> None:
    for change in (Subscription(SECRET).incremental(names, []), Subscription(SECRET).complete(names)):
        assert change == Change()


def test_an_empty_name_is_a_name_of_nothing() -> None:
    subscription = Subscription(CLUSTER)
    assert subscription.complete([""]) == Change()
    assert not subscription.wildcard
    assert not subscription.covers("")


def test_unasked() -> None:
    subscription = Subscription(CLUSTER)
    assert subscription.everything() == Change(wildcard_began=True)
    assert subscription.incremental([], []) == Change(), "the client asks for what it is sent already"
    assert subscription.wildcard
