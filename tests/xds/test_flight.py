from dataclasses import replace

from tests.xds.fills import fill
from xds_server.xds.flight import Flight, accepted_of, rejection_of, repair_of, underway, version_of
from xds_server.xds.resource import ResourceType

OLD, NEW, GOOD = (fill(ResourceType.CLUSTER, name, content) for name, content in [("a", "1"), ("a", "2"), ("b", "1")])
FRESH = fill(ResourceType.CLUSTER, "c", "1")
FLIGHT = Flight(
    nonce="7",
    sent_at=0.0,
    serial=1,
    version="v",
    resources={"a": NEW, "b": GOOD, "c": FRESH},
    removed=("gone",),
    before={"a": OLD, "b": None},
)


def test_without_a_name_everything_is_suspect() -> None:
    rejection = rejection_of(FLIGHT, {})
    assert rejection.versions == {"a": NEW.version, "b": GOOD.version, "c": FRESH.version, "gone": None}
    assert rejection.accepted == {"a": OLD}


def test_whom_the_client_names_is_suspect_alone() -> None:
    rejection = rejection_of(FLIGHT, {"a": NEW})
    assert rejection.versions == {"a": NEW.version}
    assert rejection.accepted == {"a": OLD}
    assert rejection_of(FLIGHT, {"elsewhere": None}).versions == {}


def test_a_rejected_cluster_goes_back_to_what_it_was() -> None:
    assert repair_of(FLIGHT, {"a"}) == {"a": OLD}
    assert repair_of(FLIGHT, {"c"}) == {"c": None}
    assert repair_of(FLIGHT, {"b"}) == {}, "what it was is not known"
    assert repair_of(FLIGHT, set()) == {"c": None}, "nobody is named: all that is new"


def test_the_version_of_nothing() -> None:
    assert version_of(None) is None
    assert version_of(OLD) == OLD.version


def test_what_is_underway_is_the_latest_of_each_name() -> None:
    later = replace(
        FLIGHT, nonce="8", resources={"a": OLD, "gone": FRESH}, removed=("b",), before={"a": NEW, "b": GOOD}
    )
    assert underway([FLIGHT, later]) == {"a": OLD, "b": None, "c": FRESH, "gone": FRESH}
    assert underway([]) == {}


def test_what_was_accepted_is_from_before_all_that_is_underway() -> None:
    later = replace(FLIGHT, nonce="8", resources={"a": GOOD}, removed=(), before={"a": NEW})
    held = {"a": GOOD, "b": GOOD, "c": FRESH, "d": None}
    assert accepted_of("abcde", held, [FLIGHT, later]) == {"a": OLD, "b": None, "d": None}
