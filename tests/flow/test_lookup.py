"""What is asked through a Lookup is a dependency, that and nothing else."""

import pytest

from xds_server.flow.failure import OrderError
from xds_server.flow.graph import Graph


class World:
    """One asking row, and a table with an index to be asked."""

    def __init__(self, ask):
        self.graph = Graph(strict=True)
        self.asking = self.graph.input("asking")
        self.asked = self.graph.input("asked")
        self.by_letter = self.asked.by("letter", lambda _, row: row[0], order=lambda _, row: row[1])
        self.answers = self.graph.derive(
            "answers", self.asking, lambda key, row, lookup: [(key, ask(self, row, lookup))]
        )
        self.asking.put("asker", "a")
        self.asked.put(1, ("a", 1))
        self.asked.put(2, ("ab", 2))
        self.asked.put(3, ("b", 3))
        self.graph.settle()

    def calls_after(self, **rows):
        """How often the function is called when these rows of `asked` (k1=row) change; None takes one away."""
        for name, row in rows.items():
            key = int(name[1:])
            if row is None:
                self.asked.remove(key)
            else:
                self.asked.put(key, row)
        return self.graph.settle().calls["answers"]

    @property
    def answer(self):
        return self.answers.get("asker")


def test_get_depends_on_that_row():
    world = World(lambda self, _, lookup: lookup.get(self.asked, 1))
    assert world.answer == ("a", 1)
    assert world.calls_after(k2=("x", 0), k3=None, k4=("a", 1)) == 0
    assert world.calls_after(k1=("c", 1)) == 1
    assert world.answer == ("c", 1)
    assert world.calls_after(k1=None) == 1
    assert world.answer is None


def test_asking_for_what_is_not_there_is_a_dependency():
    world = World(lambda self, _, lookup: (lookup.get(self.asked, 9), lookup.rows(self.by_letter, "z")))
    assert world.answer == (None, ())
    assert world.calls_after(k8=("a", 1)) == 0
    assert world.calls_after(k9=("a", 1)) == 1
    assert world.calls_after(k7=("z", 1)) == 1
    assert world.answer == (("a", 1), (("z", 1),))


def test_rows_depends_on_the_rows_under_that_value_and_on_their_order():
    world = World(lambda self, letter, lookup: lookup.rows(self.by_letter, letter))
    assert world.answer == (("a", 1), ("ab", 2))
    assert world.calls_after(k3=("bc", 0)) == 0
    assert world.calls_after(k2=("abc", 2)) == 1
    assert world.calls_after(k2=("abc", 0)) == 1
    assert world.answer == (("abc", 0), ("a", 1))
    assert world.calls_after(k2=("bc", 0)) == 1
    assert world.calls_after(k3=("a", 3)) == 1
    assert world.answer == (("a", 1), ("a", 3))


def test_keys_does_not_depend_on_what_is_in_the_rows():
    world = World(lambda self, letter, lookup: lookup.keys(self.by_letter, letter))
    assert world.answer == (1, 2)
    assert world.calls_after(k2=("abc", 2)) == 0
    assert world.calls_after(k2=("abc", 5)) == 0, "a new mark, but in the same place"
    assert world.calls_after(k2=("abc", 0)) == 1
    assert world.answer == (2, 1)
    assert world.calls_after(k1=None) == 1
    assert world.calls_after(k4=("a", 1)) == 1
    assert world.answer == (2, 4)


def test_items_depends_on_the_whole_table():
    world = World(lambda self, _, lookup: lookup.items(self.asked))
    assert world.answer == [(1, ("a", 1)), (2, ("ab", 2)), (3, ("b", 3))]
    assert world.calls_after(k0=("z", 1)) == 1
    assert world.calls_after(k0=("z", 2)) == 1
    assert world.calls_after(k0=None) == 1
    assert world.calls_after(k0=None, k1=("a", 1)) == 0


def test_what_is_no_longer_asked_is_no_longer_a_dependency():
    world = World(lambda self, key, lookup: lookup.get(self.asked, key))
    world.asking.put("asker", 1)
    world.graph.settle()
    world.asking.put("asker", 2)
    world.graph.settle()
    assert world.calls_after(k1=("x", 1)) == 0
    assert world.calls_after(k2=("x", 1)) == 1


def test_asking_twice_is_asking_once():
    world = World(lambda self, _, lookup: [lookup.get(self.asked, 1) for _ in range(3)])
    assert world.calls_after(k1=("x", 1)) == 1
    assert world.calls_after(k1=("y", 1)) == 1


@pytest.mark.parametrize("call", ["get", "items", "rows", "keys"])
def test_only_what_was_created_before_may_be_asked(call):
    """So cycles cannot be written, and a settle is one pass."""
    graph = Graph()
    source = graph.input("source")
    later = []

    def ask(key, row, lookup):
        table, index = later
        asked = {"get": (table, key), "items": (table,), "rows": (index, key), "keys": (index, key)}
        return getattr(lookup, call)(*asked[call])

    own = graph.derive("own", source, ask)
    younger = graph.input("younger")
    source.put("a", 1)
    for table in (own, younger):
        later[:] = (table, table.by("all", lambda *_: (0,)))
        with pytest.raises(OrderError, match=f"'own' reads '{table.name}', which is not created before it"):
            graph.settle()
        assert graph.last.failures == {}, "a mistake in the program is not a failure of the key"


def test_a_lookup_is_of_no_use_after_its_function_returned():
    graph = Graph()
    source = graph.input("source")
    kept = []
    graph.derive("kept", source, lambda _, __, lookup: kept.append(lookup) or [])
    source.put("a", 1)
    graph.settle()
    with pytest.raises(OrderError, match="after its function returned"):
        kept[0].get(source, "a")


def test_a_generator_may_ask_until_its_end():
    graph = Graph(strict=True)
    source = graph.input("source")

    def function(key, row, lookup):
        yield key, row
        yield f"{key}'", lookup.get(source, "b")

    table = graph.derive("generated", source, function)
    source.put("a", 1)
    graph.settle()
    source.put("b", 2)
    graph.settle()
    assert table.items() == [("a", 1), ("a'", 2), ("b", 2), ("b'", 2)]
