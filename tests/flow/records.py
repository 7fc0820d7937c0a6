"""Counts what a graph keeps besides rows, to show that nothing is left behind."""

from collections import Counter

from xds_server.flow.derive import Derivation
from xds_server.flow.graph import Graph


def records(graph: Graph) -> dict[str, int]:
    """How many records of each kind there are, without those that there are none of."""
    counts: Counter[str] = Counter()
    for table in graph.tables.values():
        node, store = graph.node(table.name), table.store
        counts["rows"] += len(store.rows)
        counts["questions"] += len(store.questions)
        counts["changed"] += len(store.changed)
        counts["failures"] += len(table.failures)
        counts["queued"] += len(node.queue)
        counts["askers"] += len(node.askers)
        for index in table.indexes.values():
            counts["index values"] += len(index.store.groups)
            counts["questions"] += len(index.store.row_questions) + len(index.store.key_questions)
        if isinstance(node, Derivation):
            counts["claims"] += node.claims.size()
    return {kind: count for kind, count in counts.items() if count}
