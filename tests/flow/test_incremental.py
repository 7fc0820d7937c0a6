"""Whatever the tables and whatever the changes: incremental equals from scratch, and nothing is left behind.

Graphs are random: each node has a random source and asks random older tables. Keys and rows are few, so that rows
are often equal, keys often contested, and index values often shared. A row of BAD or more makes functions raise.
"""

import random
from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.flow.records import records
from xds_server.flow.graph import Graph, Judged

BAD = 90
KEYS = range(7)
INPUTS = 2


@dataclass(frozen=True)
class Spec:
    """One node: what it is, its source, and what it asks; tables are named by number, modulo how many there are."""

    kind: str
    seed: int
    source: int
    asks: tuple[tuple[str, int], ...]


def mixed(*values):
    """A number from numbers and sequences of them, the same in every run."""
    result = 17
    for value in values:
        part = mixed(*value) if isinstance(value, (tuple, list)) else value or 0
        result = (result * 31 + part + 7) % 1009
    return result


@dataclass(frozen=True)
class Functions:
    """What a node does: numbers that depend on all that it is given and on all that it asks."""

    seed: int
    asks: list

    def answers(self, number, row, lookup):
        at = mixed(self.seed, number, row)
        for kind, table, index in self.asks:
            if kind == "get":
                answer = lookup.get(table, at % 7)
            elif kind == "items":
                answer = lookup.items(table)
            else:
                answer = getattr(lookup, kind)(index, at % 3)
            at = mixed(at, answer)
            yield at
            if at % 11 == 0:
                return  # what is asked depends on the answers

    def rows(self, key, row, lookup):
        if row >= BAD:
            raise ValueError(row)
        found = mixed(self.seed, key, row, tuple(self.answers(key, row, lookup)))
        return {(key + found * number) % 7: (found + number) % 4 for number in range(found % 3)}.items()

    def judge(self, key, row, lookup):
        rows = self.rows(key, row, lookup)
        return Judged(rows, len(rows))

    def join(self, value, members, lookup):
        if max(members) >= BAD:
            raise ValueError(value)
        found = mixed(self.seed, value, members, tuple(self.answers(value, len(members), lookup)))
        return found % 4 if found % 5 else None


class Tables:
    """A graph made from specs, with an index on each table."""

    def __init__(self, specs):
        self.graph = Graph()
        self.inputs = [self.graph.input(f"input-{number}") for number in range(INPUTS)]
        self.tables = []
        self.indexes = []
        for table in self.inputs:
            self.add(table, len(self.tables))
        for spec in specs:
            self.build(spec, f"{spec.kind}-{len(self.tables)}")

    def add(self, table, seed):
        self.tables.append(table)
        order = (lambda _, row: row % 2) if seed % 2 else None
        self.indexes.append(table.by("some", lambda key, row: [(key + seed) % 3, row % 3][: 1 + seed % 2], order=order))

    def build(self, spec, name):
        source = spec.source % len(self.tables)
        asks = [
            (kind, self.tables[number % len(self.tables)], self.indexes[number % len(self.tables)])
            for kind, number in spec.asks
        ]
        functions = Functions(spec.seed, asks)
        match spec.kind:
            case "derive":
                made = [self.graph.derive(name, self.tables[source], functions.rows)]
            case "judged":
                made = self.graph.derive_judged(name, self.tables[source], functions.judge)
            case "group":
                made = [self.graph.group(name, self.indexes[source], functions.join)]
        for table in made:
            self.add(table, spec.seed)

    def state(self):
        """Everything that can be read."""
        return {
            table.name: (table.items(), {value: (index.keys(value), index.rows(value)) for value in index})
            for table, index in zip(self.tables, self.indexes, strict=True)
        }

    def errors(self):
        return {at: failure.error for at, failure in self.graph.last.failures.items()}

    def settle(self, step=None):
        """Settles at once or in steps, and checks the report against what really differs."""
        before = {table.name: dict(table.items()) for table in self.tables}
        clean = not self.graph.last.failures
        if step is None:
            self.graph.settle()
        else:
            for _ in self.graph.steps(step):
                pass
        changed = {}
        for table in self.tables:
            old, new = before[table.name], dict(table.items())
            keys = [key for key in sorted({*old, *new}) if key not in old or key not in new or old[key] != new[key]]
            if keys:
                changed[table.name] = keys
        last = self.graph.last
        if clean and not last.failures:
            assert last.changed == changed
        for name, keys in changed.items():
            assert set(keys) <= set(last.changed[name])


def from_scratch(specs, content, seed):
    """The same tables, filled in another order, settled once."""
    fresh = Tables(specs)
    entries = [(number, key, row) for number, rows in enumerate(content) for key, row in rows.items()]
    random.Random(seed).shuffle(entries)
    for number, key, row in entries:
        fresh.inputs[number].put(key, row)
    fresh.graph.settle()
    return fresh


def kept(graph):
    """The records that follow from what is there now; those of claims may be in a longer or a shorter form."""
    return {kind: count for kind, count in records(graph).items() if kind != "claims"}


SPECS = st.lists(
    st.builds(
        Spec,
        kind=st.sampled_from(["derive", "judged", "group"]),
        seed=st.integers(0, 50),
        source=st.integers(0, 20),
        asks=st.lists(st.tuples(st.sampled_from(["get", "items", "rows", "keys"]), st.integers(0, 20)), max_size=3).map(
            tuple
        ),
    ),
    min_size=1,
    max_size=6,
)


def batches(rows):
    keys = st.sampled_from(KEYS)
    change = st.one_of(
        st.tuples(st.just("put"), keys, rows),
        st.tuples(st.just("remove"), keys, st.none()),
        st.tuples(st.just("replace"), st.just(0), st.dictionaries(keys, rows, max_size=6)),
    )
    batch = st.lists(st.tuples(st.integers(0, INPUTS - 1), change), max_size=5)
    return st.lists(st.tuples(batch, st.none() | st.integers(1, 7)), min_size=1, max_size=6)


def apply(tables, content, batch):
    for number, (kind, key, row) in batch:
        table = tables.inputs[number]
        match kind:
            case "put":
                table.put(key, row)
                content[number][key] = row
            case "remove":
                table.remove(key)
                content[number].pop(key, None)
            case "replace":
                table.replace(row)
                content[number] = dict(row)


@settings(max_examples=100, deadline=None)
@given(SPECS, batches(st.integers(0, 3)))
def test_incremental_equals_from_scratch(specs, changes):
    tables = Tables(specs)
    content = [{} for _ in range(INPUTS)]
    for turn, (batch, step) in enumerate(changes):
        apply(tables, content, batch)
        tables.settle(step)
        fresh = from_scratch(specs, content, turn)
        assert tables.state() == fresh.state()
        assert tables.errors() == fresh.errors(), "contested keys included"
        assert kept(tables.graph) == kept(fresh.graph)
    for table in tables.inputs:
        table.replace({})
    tables.settle()
    assert records(tables.graph) == {}


@settings(max_examples=100, deadline=None)
@given(
    SPECS,
    batches(st.integers(0, 3) | st.just(BAD)),
    st.lists(st.dictionaries(st.sampled_from(KEYS), st.integers(0, 3)), min_size=INPUTS, max_size=INPUTS),
)
def test_after_failures_nothing_of_them_is_left(specs, changes, good):
    tables = Tables(specs)
    for batch, step in changes:
        apply(tables, [{} for _ in range(INPUTS)], batch)
        tables.settle(step)
    for table, rows in zip(tables.inputs, good, strict=True):
        table.replace(rows)
    tables.settle()
    fresh = from_scratch(specs, good, 0)
    assert tables.state() == fresh.state()
    assert tables.errors() == fresh.errors()
    for table in tables.inputs:
        table.replace({})
    tables.settle()
    assert records(tables.graph) == {}


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(["put", "remove"]), st.integers(-2, 2)), max_size=20))
def test_a_failing_key_keeps_its_last_good_row(changes):
    graph = Graph()
    source = graph.input("source")

    def function(key, row, _):
        if row < 0:
            raise ValueError(row)
        return [(key, row)]

    derived = graph.derive("derived", source, function)
    good: dict[str, int] = {}
    failing: set[str] = set()
    for key, kind, row in changes:
        if kind == "remove":
            source.remove(key)
            good.pop(key, None)
            failing.discard(key)
        else:
            source.put(key, row)
            if row < 0:
                failing.add(key)
            else:
                failing.discard(key)
                good[key] = row
        settled = graph.settle()
        assert dict(derived.items()) == good
        assert {at for _, at in settled.failures} == failing
