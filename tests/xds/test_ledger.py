"""What the ledger costs and its states; what it decides is told by the transcripts."""

from collections.abc import Iterable

from tests.xds.fills import AUDIENCES, Shelf, fill
from xds_server.xds.catalog import View
from xds_server.xds.flight import Flight
from xds_server.xds.ledger import Ledger
from xds_server.xds.limits import Limits
from xds_server.xds.resource import Resource, ResourceType

CLUSTER, ENDPOINT = ResourceType.CLUSTER, ResourceType.ENDPOINT


def clusters(names: Iterable[str], content: str = "1") -> list[Resource]:
    return [fill(CLUSTER, name, content) for name in names]


def asked(ledger: Ledger, *names: str) -> None:
    """The type's first request."""
    ledger.begin(ledger.subscription.incremental(names, []), {})


def send(ledger: Ledger, view: View, nonce: str, now: float = 0.0) -> Flight:
    resources = {name: one for name in ledger.adds if (one := ledger.target(view, name)) is not None}
    removed = tuple(name for name in ledger.adds if name not in resources)
    flight = Flight(nonce, now, view.serial, "v", resources, removed)
    ledger.sent(flight)
    return flight


class Counted(View):
    """A view that counts how often a single name is looked up."""

    lookups = 0

    def get(self, type_: ResourceType, name: str) -> Resource | None:
        self.lookups += 1
        return super().get(type_, name)


def counted(shelf: Shelf) -> Counted:
    view = shelf.view()
    return Counted(view.serial, AUDIENCES, view._resources, view._log, view._kept)


def test_one_change_among_thousands_is_one_name_to_look_at() -> None:
    shelf, ledger = Shelf(), Ledger(CLUSTER, Limits())
    shelf.put(*clusters(f"c{number}" for number in range(5000)))
    asked(ledger)
    view = shelf.view()
    ledger.take(view, 0.0)
    assert len(ledger.adds) == 5000
    send(ledger, view, "1")
    ledger.answered("1", None)
    shelf.put(*clusters(["c7"], "2"))
    view = counted(shelf)
    ledger.see(view.changed(CLUSTER, 1))
    ledger.take(view, 0.0)
    assert ledger.adds == {"c7"}
    assert view.lookups <= 3
    ledger.take(view, 0.0)
    assert view.lookups <= 3, "nothing is looked at twice"


def test_what_is_not_subscribed_is_told_apart() -> None:
    shelf, ledger = Shelf(), Ledger(ENDPOINT, Limits())
    shelf.put(fill(ENDPOINT, "e", "1"), fill(ENDPOINT, "f", "1"))
    view = shelf.view()
    ledger.take(view, 0.0)
    assert ledger.missing(view)
    assert not ledger.has_news
    asked(ledger, "e")
    ledger.take(view, 0.0)
    assert (ledger.adds, ledger.unasked) == ({"e"}, {"f"})
    ledger.changed(ledger.subscription.incremental(["f"], []))
    ledger.take(view, 0.0)
    assert not ledger.missing(view)


def test_removals_ripen() -> None:
    shelf, ledger = Shelf(), Ledger(CLUSTER, Limits(removal_seconds=3))
    shelf.put(*clusters("ab"))
    asked(ledger)
    ledger.take(shelf.view(), 0.0)
    send(ledger, shelf.view(), "1")
    shelf.put(gone=clusters("a"))
    ledger.see(["a"])
    ledger.take(shelf.view(), 10.0)
    shelf.put(gone=clusters("b"))
    ledger.see(["b"])
    ledger.take(shelf.view(), 11.0)
    assert not ledger.has_news
    assert ledger.removals == {"a": 10.0, "b": 11.0}
    assert ledger.ripe_removals(12.9) == []
    assert ledger.ripe_removals(13.0) == ["a"]
    assert ledger.ripe_removals(14.0) == ["a", "b"]
    shelf.put(*clusters("a"))
    ledger.see(["a"])
    ledger.take(shelf.view(), 12.0)
    assert ledger.removals == {"b": 11.0}
    assert ledger.adds == set(), "it is back as it was, and the client never lost it"


def test_a_response_is_waited_for_only_so_long() -> None:
    shelf, ledger = Shelf(), Ledger(CLUSTER, Limits(ack_seconds=2))
    shelf.put(*clusters("a"))
    asked(ledger)
    ledger.take(shelf.view(), 0.0)
    send(ledger, shelf.view(), "1", now=10.0)
    assert ledger.busy(11.9)
    assert not ledger.busy(12.0)
    assert ledger.expiries() == [12.0]


def test_responses_that_nobody_answers_do_not_pile_up() -> None:
    shelf, ledger = Shelf(), Ledger(CLUSTER, Limits())
    asked(ledger)
    for number in range(100):
        shelf.put(*clusters("a", str(number)))
        ledger.see(["a"])
        ledger.take(shelf.view(), 0.0)
        send(ledger, shelf.view(), str(number))
    assert len(ledger.flights) < 10
    assert ledger.answered("0", None) == []
    assert len(ledger.answered("99", None)) == 1
    assert not ledger.flights


def test_what_was_sent_unasked_and_never_heard_is_given_up() -> None:
    shelf, ledger = Shelf(), Ledger(ENDPOINT, Limits(ack_seconds=2))
    shelf.put(fill(ENDPOINT, "e", "1"))
    ledger.refresh(["e"], volunteer=True)
    ledger.take(shelf.view(), 0.0)
    assert ledger.adds == {"e"}
    send(ledger, shelf.view(), "1")
    assert ledger.held == {}
    ledger.forget_unheard(1.9)
    assert ledger.flights
    ledger.forget_unheard(2.0)
    assert not ledger.flights


def test_what_refers_to_it_is_sent_before_the_client_first_asks() -> None:
    shelf, ledger = Shelf(), Ledger(ENDPOINT, Limits())
    shelf.put(fill(ENDPOINT, "e", "1"))
    ledger.refresh(["e"], volunteer=False)
    ledger.take(shelf.view(), 0.0)
    assert not ledger.has_news, "it has not asked and would drop it"
    version = fill(ENDPOINT, "e", "1").version
    ledger.begin(ledger.subscription.incremental(["e"], []), {"e": version})
    ledger.take(shelf.view(), 0.0)
    assert ledger.adds == {"e"}, "though it says that it has it"


def rejected() -> tuple[Shelf, Ledger]:
    """Clusters a and b, which the client rejected together, and which are withheld for that."""
    shelf, ledger = Shelf(), Ledger(CLUSTER, Limits())
    shelf.put(*clusters(["a", "b"]))
    asked(ledger)
    ledger.take(shelf.view(), 0.0)
    send(ledger, shelf.view(), "1")
    ledger.answered("1", "no")
    ledger.take(shelf.view(), 0.0)
    assert ledger.adds == set()
    return shelf, ledger


def test_what_was_rejected_is_sent_again_where_another_version_came_between() -> None:
    """By that other version whoever searches for culprits may have forgotten it."""
    shelf, ledger = rejected()
    before = shelf.view().serial
    shelf.put(*clusters(["c"]))
    ledger.see(shelf.view().changed(CLUSTER, before))
    ledger.take(shelf.view(), 0.0)
    assert ledger.adds == {"c"}
    shelf.put(*clusters(["a"], "2"))
    shelf.put(*clusters(["a"]))
    ledger.see(shelf.view().changed(CLUSTER, before))
    ledger.take(shelf.view(), 0.0)
    assert ledger.adds == {"a", "b", "c"}


def test_what_was_rejected_is_sent_again_where_nobody_knows_what_came_between() -> None:
    """The stream is further behind than the catalog's log. One more rejection is all that it may cost."""
    shelf, ledger = rejected()
    before = shelf.view().serial
    shelf.put(*clusters(["a"], "2"))
    shelf.put(*clusters(["a"]))
    for number in range(200):
        shelf.put(fill(ENDPOINT, "e", str(number)))
    assert shelf.view().changed(CLUSTER, before) is None
    ledger.see(None)
    ledger.take(shelf.view(), 0.0)
    assert ledger.adds == {"a", "b"}
    send(ledger, shelf.view(), "2")
    ledger.answered("2", "no")
    ledger.take(shelf.view(), 0.0)
    assert ledger.adds == set()
