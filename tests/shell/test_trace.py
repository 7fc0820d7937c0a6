"""Walking from a row down to its inputs, over small graphs."""

import asyncio
from typing import Any

import pytest

from xds_server.flow.graph import Graph
from xds_server.flow.lookup import Lookup
from xds_server.flow.table import Input
from xds_server.shell import trace as module
from xds_server.shell.trace import trace


class Shop:
    """Orders of goods: `totals` groups `lines`, which look prices up by row, by index and as a whole."""

    def __init__(self) -> None:
        self.graph = Graph()
        self.orders: Input[str, tuple[str, ...]] = self.graph.input("orders")
        self.prices: Input[str, int] = self.graph.input("prices")
        cheap = self.prices.by("cheap", lambda _, price: ["cheap"] if price < 5 else [])

        def lines(key: str, goods: tuple[str, ...], look: Lookup) -> list[tuple[str, int]]:
            if "broken" in goods:
                raise ValueError("no such goods")
            look.rows(cheap, "cheap")
            look.items(self.prices)
            return [(one, look.get(self.prices, one) or 0) for one in goods]

        derived = self.graph.derive("lines", self.orders, lines)
        self.graph.group("totals", derived.by("all", lambda *_: ["all"]), lambda _, rows, __: sum(rows))
        self.prices.replace({"apple": 1, "pear": 9})
        self.orders.put("first", ("apple", "plum"))
        self.graph.settle()


def by_name(found: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {f"{row['table']}: {row['key']}": row for row in found["rows"]}


async def test_every_row_is_visited_once_breadth_first() -> None:
    found = await trace(Shop().graph, ("totals", "all"), 100)
    assert [(row["table"], row["key"], row["depth"]) for row in found["rows"]] == [
        ("totals", "all", 0),
        ("lines", "apple", 1),
        ("lines", "plum", 1),
        ("orders", "first", 2),
        ("prices", "apple", 2),
        ("prices", "pear", 2),
    ]
    assert found["inputs"] == ["orders: first", "prices: apple", "prices: pear"]
    assert found.keys() == {"inputs", "rows"}


async def test_what_was_asked_and_how_much_was_found() -> None:
    found = by_name(await trace(Shop().graph, ("lines", "plum"), 100))
    assert found["lines: plum"] == {
        "table": "lines",
        "key": "plum",
        "depth": 0,
        "kind": "derived",
        "present": True,
        "made_from": ["orders: first"],
        "asked": [
            {"table": "prices", "index": "cheap", "part": "rows", "key": "cheap", "found": 1},
            {"table": "prices", "part": "items", "found": 2},
            {"table": "prices", "part": "row", "key": "apple", "found": 1},
            {"table": "prices", "part": "row", "key": "plum", "found": 0},
        ],
    }


async def test_rivals_and_failures() -> None:
    shop = Shop()
    shop.orders.put("second", ("apple",))
    shop.orders.put("third", ("broken",))
    shop.graph.settle()
    found = by_name(await trace(shop.graph, ("lines", "apple"), 100))
    assert found["lines: apple"]["rivals"] == ["first", "second"]
    failed = by_name(await trace(shop.graph, ("lines", "third"), 100))["lines: third"]
    assert not failed["present"]
    assert failed["failure"]["error"] == "ValueError: no such goods"
    assert failed["failure"]["traceback"][-1] == "ValueError: no such goods"


async def test_long_lists_are_counted() -> None:
    shop = Shop()
    shop.orders.put("many", tuple(f"good-{number:03}" for number in range(150)))
    shop.graph.settle()
    found = await trace(shop.graph, ("totals", "all"), 1)
    sources = found["rows"][0]["made_from"]
    assert (len(sources), sources[-1]) == (101, "and 52 more")
    assert found["truncated"].startswith("152 rows more")


async def test_other_tasks_run_in_between_and_a_settle_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SLICE_SECONDS", 0.0)
    shop = Shop()
    walk = asyncio.create_task(trace(shop.graph, ("totals", "all"), 100))
    await asyncio.sleep(0)
    assert not walk.done()
    shop.orders.remove("first")
    shop.graph.settle()
    found = await walk
    assert "ask again" in found["changed"]
    assert [row["present"] for row in found["rows"]] == [True, False, False]


async def test_an_unknown_table_is_an_error() -> None:
    with pytest.raises(KeyError):
        await trace(Shop().graph, ("nothing", "x"), 1)
