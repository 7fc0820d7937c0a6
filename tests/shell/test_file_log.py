"""What is said of files: counts, what went, faults and fields that no kind has, and that there is no Gateway."""

from collections.abc import MutableMapping
from typing import Any

from structlog.testing import capture_logs

from tests.pipeline.documents import gateway, listener, route
from xds_server.model.batch import Batch, upsert
from xds_server.model.document import Fault, Ignored
from xds_server.model.meta import Key
from xds_server.model.parse import parse
from xds_server.shell.file_log import FileLog


def told(log: FileLog, batch: Batch) -> list[MutableMapping[str, Any]]:
    with capture_logs() as lines:
        log.read(batch)
    return lines


def given(*documents: Any) -> Batch:
    values = [parse(one) for one in documents]
    return Batch(tuple(upsert(value) for value in values if not isinstance(value, Fault | Ignored)))


GATEWAY = gateway("gw", listener("http"))


def test_what_went_is_named_up_to_some() -> None:
    log = FileLog()
    told(log, given(GATEWAY))
    [line] = told(log, Batch(removals=tuple(("HTTPRoute", Key("shop", f"r{number}")) for number in range(7))))
    assert (line["event"], line["removed"]) == ("files read", 7)
    assert line["gone"] == ", ".join(f"HTTPRoute shop/r{number}" for number in range(5)) + " and 2 more"
    [line] = told(log, Batch(removals=(("HTTPRoute", Key("shop", "a")),)))
    assert line["gone"] == "HTTPRoute shop/a"


def test_a_folder_without_a_gateway_is_told_once_until_there_was_one() -> None:
    log = FileLog()
    [_, line] = told(log, Batch())
    assert (line["event"], line["reason"]) == ("nothing is served", "there is no Gateway among the files")
    assert [line["event"] for line in told(log, given(route("a")))] == ["files read"]
    assert [line["event"] for line in told(log, given(GATEWAY))] == ["files read"]
    gone = told(log, Batch(removals=(("Gateway", Key("default", "gw")),)))
    assert [line["event"] for line in gone] == ["files read", "nothing is served"]


def test_a_fault_says_what_is_kept_only_where_something_was_read_before() -> None:
    log, fault = FileLog(), Fault("is bad", file="a.yaml", line=3)
    [first, *_] = told(log, given(GATEWAY)._replace(faults=(fault,)))
    assert (first["event"], first["problem"], "kept" in first) == ("fault", "a.yaml:3: is bad", False)
    assert [line["event"] for line in told(log, Batch(faults=(fault,)))] == ["files read"]
    assert [line["event"] for line in told(log, Batch())] == ["fault mended", "files read"]
    [again, *_] = told(log, Batch(faults=(fault,)))
    assert again["kept"] == "the last good state stays in service"


def test_a_field_that_no_kind_has_is_told_once_with_its_place() -> None:
    log, remark = FileLog(), Fault("is not a field", field="spec.foo", file="a.yaml", line=3)
    [line, *_] = told(log, given(GATEWAY)._replace(remarks=(remark,)))
    assert (line["event"], line["code"], line["problem"]) == (
        "unknown field",
        "XDS1001",
        "a.yaml:3: spec.foo is not a field",
    )
    assert [line["event"] for line in told(log, Batch(remarks=(remark,)))] == ["files read"]
