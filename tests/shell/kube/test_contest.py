"""The brake for what somebody else writes, too, and who it is."""

import time
from typing import Any

import pytest

from xds_server.shell.kube import contest
from xds_server.shell.kube.contest import Contests, contenders, told_contenders


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [1000.0]
    monkeypatch.setattr(contest, "monotonic", lambda: now[0])
    return now


def test_the_other_is_left_alone_ever_longer(clock: list[float]) -> None:
    contests = Contests[str]()
    pauses = []
    for _ in range(10):
        contests.wrote("a", b"x")
        pauses.append(contests.pause("a", b"x"))
        clock[0] += pauses[-1]
        assert contests.pause("a", b"x") <= 0
    assert pauses == [0.5, 1, 2, 4, 8, 16, 32, 60, 60, 60]
    assert contests.pause("b", b"x") == 0


def test_it_may_go_on_for_days(clock: list[float]) -> None:
    contests = Contests[str]()
    for _ in range(3 * 1440):
        contests.wrote("a", b"x")
        clock[0] += 60
    assert contests.pause("a", b"x") == 0
    assert len(contests) == 1


def test_what_is_wanted_otherwise_is_written_at_once(clock: list[float]) -> None:
    contests = Contests[str]()
    for _ in range(5):
        contests.wrote("a", b"x")
    assert contests.pause("a", b"y") == 0
    contests.wrote("a", b"y")
    assert contests.pause("a", b"y") == 0.5
    contests.forget("a")
    assert contests.pause("a", b"y") == 0


def test_a_person_is_told_when_it_goes_on_and_again_before_an_event_is_forgotten(clock: list[float]) -> None:
    contests = Contests[str]()
    told = []
    for number in range(70):
        news = contests.is_news("a", b"x")
        assert contests.wrote("a", b"x") is news
        if news:
            told.append(number)
        assert len(contests) == (number >= 3)
        clock[0] += 60
    assert told == [3, 54]


def test_peace_for_a_while_ends_it(clock: list[float]) -> None:
    """Whoever changes something by hand now and then contends with nobody."""
    contests = Contests[str]()
    for _ in range(6):
        contests.wrote("a", b"x")
    assert len(contests) == 1
    clock[0] += 1201
    assert len(contests) == 0
    for _ in range(6):
        assert not contests.wrote("a", b"x")
        assert contests.pause("a", b"x") == 0.5
        clock[0] += 1201


WANTED = {
    "metadata": {"labels": {"app.kubernetes.io/name": "web", "team": "a"}, "finalizers": ["a.test/f"]},
    "spec": {"replicas": 1, "ports": [{"port": 80, "name": "http"}, {"port": 443, "name": "https"}]},
}
OURS = {
    "f:metadata": {"f:labels": {"f:app.kubernetes.io/name": {}}},
    "f:spec": {"f:ports": {'k:{"port":80,"protocol":"TCP"}': {".": {}, "f:port": {}, "f:name": {}}}},
}


def live(*entries: tuple[str, str, dict[str, Any]]) -> dict[str, Any]:
    fields = [{"manager": name, "operation": operation, "fieldsV1": tree} for name, operation, tree in entries]
    return {"metadata": {"managedFields": [{"manager": "us", "operation": "Apply", "fieldsV1": OURS}, *fields]}}


def test_whoever_has_what_is_wanted_and_lost_contends() -> None:
    found = live(
        ("flux", "Apply", {"f:metadata": {"f:labels": {".": {}, "f:team": {}, "f:app.kubernetes.io/name": {}}}}),
        ("edit", "Update", {"f:spec": {"f:replicas": {}, "f:paused": {}}}),
        ("ports", "Update", {"f:spec": {"f:ports": {'k:{"port":443,"protocol":"TCP"}': {".": {}, "f:name": {}}}}}),
        ("set", "Update", {"f:metadata": {"f:finalizers": {".": {}, 'v:"a.test/f"': {}, 'v:"b.test/f"': {}}}}),
        ("shared", "Apply", {"f:spec": {"f:ports": {'k:{"port":80,"protocol":"TCP"}': {"f:name": {}}}}}),
        ("nothing", "Update", {}),
    )
    assert contenders(found, WANTED, "us") == {
        "flux": ["metadata.labels.team"],
        "edit": ["spec.replicas"],
        "ports": ["spec.ports[443,TCP].name"],
        "set": ["metadata.finalizers[a.test/f]"],
    }


def test_subresources_are_nobodys_business() -> None:
    found = live(("scaler", "Update", {"f:spec": {"f:replicas": {}}}))
    found["metadata"]["managedFields"][1]["subresource"] = "scale"
    assert contenders(found, WANTED, "us") == {}


def test_it_is_told_in_words() -> None:
    many = {f"f:{number}": {} for number in range(5)}
    wanted = {"spec": {str(number): number for number in range(5)}}
    found = live(("flux", "Apply", {"f:spec": many}))
    assert told_contenders(found, wanted, "us") == "flux writes spec.0, spec.1, spec.2 and 2 more"
    assert told_contenders(live(), wanted, "us") == "somebody changes it whom metadata.managedFields does not name"
    assert told_contenders(None, wanted, "us") == "somebody deletes it"


def test_the_clock_is_that_of_the_machine() -> None:
    contests = Contests[str]()
    before = time.monotonic()
    contests.wrote("a", b"x")
    written = time.monotonic()
    time.sleep(0.01)
    asked = time.monotonic()
    pause = contests.pause("a", b"x")
    assert 0.5 - (time.monotonic() - before) <= pause <= 0.5 - (asked - written)
