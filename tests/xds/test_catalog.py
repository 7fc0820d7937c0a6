from hypothesis import given
from hypothesis import strategies as st

from tests.xds.fills import AUDIENCES, GATEWAY, fill
from xds_server.routing.audience import Audience, Everyone, ForGateway
from xds_server.wire.part import Part
from xds_server.xds.catalog import Catalog, Change, set_version
from xds_server.xds.resource import Resource, ResourceType

CLUSTER, ROUTE = ResourceType.CLUSTER, ResourceType.ROUTE
OTHER = ForGateway("default", "other")


def publish(catalog: Catalog, *resources: Resource) -> int:
    return catalog.publish({(one.audience, one.type, one.name): one for one in resources}).serial


def test_an_empty_catalog() -> None:
    view = Catalog().view(AUDIENCES)
    assert view.serial == 0
    assert dict(view.resources(CLUSTER)) == {}
    assert view.get(ROUTE, "r") is None
    assert view.changed(CLUSTER, -1) is None
    assert view.changed(CLUSTER, 0) == frozenset()


def test_a_publish_says_for_whom_something_changed() -> None:
    catalog = Catalog()
    a, b = fill(CLUSTER, "a", "1"), fill(CLUSTER, "b", "1", audience=OTHER)
    first = catalog.publish({(GATEWAY, CLUSTER, "a"): a, (OTHER, CLUSTER, "b"): b})
    assert (first.serial, first.audiences) == (1, {GATEWAY, OTHER})
    second = catalog.publish({(GATEWAY, CLUSTER, "a"): fill(CLUSTER, "a", "2"), (OTHER, CLUSTER, "b"): b})
    assert (second.serial, second.audiences) == (2, {GATEWAY})


def test_what_is_there_already_is_no_change() -> None:
    catalog = Catalog()
    publish(catalog, fill(CLUSTER, "a", "1"))
    same = catalog.publish({(GATEWAY, CLUSTER, "a"): fill(CLUSTER, "a", "1"), (GATEWAY, CLUSTER, "gone"): None})
    assert (same.serial, same.audiences) == (1, frozenset())
    other_reference = fill(CLUSTER, "a", "1", (ROUTE, "r"))
    assert publish(catalog, other_reference) == 2


def test_later_audiences_win_and_uncover_what_they_hid() -> None:
    catalog = Catalog()
    everyone, gateway, build = (fill(CLUSTER, "a", str(n), audience=one) for n, one in enumerate(AUDIENCES))
    publish(catalog, everyone)
    assert catalog.view(AUDIENCES).get(CLUSTER, "a") is everyone
    publish(catalog, build)
    assert catalog.view(AUDIENCES).get(CLUSTER, "a") is build
    publish(catalog, gateway)
    assert catalog.view(AUDIENCES).get(CLUSTER, "a") is build
    catalog.publish({(AUDIENCES[2], CLUSTER, "a"): None})
    assert catalog.view(AUDIENCES).get(CLUSTER, "a") is gateway
    catalog.publish({(AUDIENCES[1], CLUSTER, "a"): None})
    assert catalog.view(AUDIENCES).get(CLUSTER, "a") is everyone


def test_a_resource_without_a_body_hides_one_of_a_wider_audience() -> None:
    catalog = Catalog()
    publish(catalog, fill(CLUSTER, "a", "1", audience=Everyone()))
    view = catalog.view(AUDIENCES)
    publish(catalog, Resource(CLUSTER, "a", GATEWAY, Part("a", b"")))
    assert view.get(CLUSTER, "a") is not None
    assert catalog.view(AUDIENCES).get(CLUSTER, "a") is None
    assert Catalog.view(catalog, (Everyone(),)).get(CLUSTER, "a") is not None


def test_a_view_is_a_snapshot_shared_by_all_who_see_the_same() -> None:
    catalog = Catalog()
    publish(catalog, fill(CLUSTER, "a", "1"), fill(ROUTE, "r", "1"))
    before = catalog.view(AUDIENCES)
    assert catalog.view(AUDIENCES) is before
    publish(catalog, fill(CLUSTER, "b", "1"))
    after = catalog.view(AUDIENCES)
    assert (before.serial, set(before.resources(CLUSTER))) == (1, {"a"})
    assert (after.serial, set(after.resources(CLUSTER))) == (2, {"a", "b"})
    assert after.resources(ROUTE) is before.resources(ROUTE), "what did not change is not copied"


def test_a_view_tells_what_changed_for_it_since_a_serial() -> None:
    catalog = Catalog()
    publish(catalog, fill(CLUSTER, "a", "1"))
    publish(catalog, fill(CLUSTER, "b", "1"), fill(ROUTE, "r", "1"))
    publish(catalog, fill(CLUSTER, "other", "1", audience=OTHER))
    view = catalog.view(AUDIENCES)
    catalog.publish({(GATEWAY, CLUSTER, "a"): None})
    assert view.changed(CLUSTER, 0) == {"a", "b"}
    assert view.changed(CLUSTER, 1) == {"b"}
    assert view.changed(CLUSTER, 2) == frozenset(), "not what came after the view, nor what others see"
    assert view.changed(ROUTE, 1) == {"r"}
    assert view.types_changed(0) == (CLUSTER, ROUTE)
    assert view.types_changed(2) == ()
    assert catalog.view(AUDIENCES).changed(CLUSTER, 3) == {"a"}


def test_who_is_further_back_than_the_log_has_to_compare_everything() -> None:
    catalog = Catalog()
    old = catalog.view(AUDIENCES)
    for number in range(300):
        publish(catalog, fill(CLUSTER, f"c{number}", "1"))
    view = catalog.view(AUDIENCES)
    assert view.changed(CLUSTER, 10) is None
    assert view.types_changed(10) is None
    assert view.changed(CLUSTER, 299) == {"c299"}
    assert old.changed(CLUSTER, 0) == frozenset()
    assert len(view.resources(CLUSTER)) == 300


def test_the_version_of_a_set_is_a_matter_of_content_alone() -> None:
    one, two = Catalog(), Catalog()
    publish(one, fill(CLUSTER, "a", "1"))
    publish(one, fill(CLUSTER, "b", "1"))
    publish(two, fill(CLUSTER, "b", "1"), fill(CLUSTER, "a", "1", audience=Everyone()))
    version = one.view(AUDIENCES).version(CLUSTER)
    assert version == two.view(AUDIENCES).version(CLUSTER)
    assert version == set_version(one.view(AUDIENCES).resources(CLUSTER))
    publish(two, fill(CLUSTER, "a", "2"))
    assert version != two.view(AUDIENCES).version(CLUSTER)
    assert set_version({}) != version


def test_kept_audiences() -> None:
    catalog = Catalog()
    view = catalog.view(AUDIENCES)
    assert not view.keeps
    catalog.keep([GATEWAY])
    assert view.keeps
    assert not catalog.view((Everyone(), OTHER)).keeps
    catalog.keep([])
    assert not view.keeps


AUDIENCE = st.sampled_from([*AUDIENCES, OTHER])
KEYS: st.SearchStrategy[Change] = st.tuples(AUDIENCE, st.sampled_from([CLUSTER, ROUTE]), st.sampled_from("abc"))
BATCHES = st.lists(st.dictionaries(KEYS, st.none() | st.sampled_from("12"), max_size=6), max_size=12)


@given(BATCHES, st.lists(st.booleans(), min_size=12, max_size=12))
def test_a_view_made_step_by_step_is_the_overlay(batches: list[dict[Change, str | None]], looks: list[bool]) -> None:
    catalog = Catalog()
    plain: dict[Change, Resource] = {}
    seen, since = catalog.view(AUDIENCES), 0
    for batch, look in zip(batches, looks, strict=False):
        changes: dict[Change, Resource | None] = {
            (audience, type_, name): fill(type_, name, content, audience=audience) if content else None
            for (audience, type_, name), content in batch.items()
        }
        catalog.publish(changes)
        for key, resource in changes.items():
            plain.pop(key, None)
            if resource is not None:
                plain[key] = resource
        if not look:
            continue
        view = catalog.view(AUDIENCES)
        for type_ in ResourceType:
            expected: dict[str, Resource] = {}
            for audience in AUDIENCES:
                expected |= {n: r for (a, t, n), r in plain.items() if (a, t) == (audience, type_)}
            assert dict(view.resources(type_)) == expected
            before = seen.resources(type_)
            differs = {n for n in {*before, *expected} if before.get(n) != expected.get(n)}
            changed = view.changed(type_, since)
            assert changed is not None
            assert changed >= differs
        seen, since = view, view.serial


def test_audiences_of_different_kinds_are_never_the_same() -> None:
    kinds: set[Audience] = {Everyone(), GATEWAY, OTHER, *AUDIENCES}
    assert len(kinds) == 4
