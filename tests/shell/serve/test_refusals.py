"""What is told of clients that are refused, and how much of it."""

from collections.abc import Iterator, MutableMapping
from typing import Any

import pytest
from structlog.testing import capture_logs

from xds_server.shell.serve import refusals
from xds_server.shell.serve.refusals import RefusalLog

Lines = list[MutableMapping[str, Any]]


@pytest.fixture
def lines() -> Iterator[Lines]:
    with capture_logs() as found:
        yield found


def test_one_host_fills_no_log_whatever_it_says_it_is(lines: Lines) -> None:
    now = [0.0]
    told = RefusalLog(lambda: now[0])
    for number in range(1000):
        told.tell("envoy refused", f"ipv4:10.0.0.1:{number}", node=f"gateway~pod-{number}.ns", reason="no token")
    assert len(lines) == 5
    told.tell("envoy refused", "ipv4:10.0.0.2:1", node="gateway~pod.ns", reason="no token")
    assert len(lines) == 6
    now[0] = 60.0
    told.tell("envoy refused", "ipv4:10.0.0.1:7", node="gateway~pod.ns", reason="no token")
    assert [line["event"] for line in lines[6:]] == ["refusals of one host were left out", "envoy refused"]
    assert (lines[6]["peer"], lines[6]["count"]) == ("ipv4:10.0.0.1", 995)


def test_the_same_is_told_once_a_minute(lines: Lines) -> None:
    now = [0.0]
    told = RefusalLog(lambda: now[0])
    for second in range(120):
        now[0] = float(second)
        told.tell("client refused", f"ipv6:%5Bfd00::1%5D:{second}", reason="no request came")
    assert [line["peer"] for line in lines] == ["ipv6:%5Bfd00::1%5D:0", "ipv6:%5Bfd00::1%5D:60"]


def test_texts_are_short_and_hosts_few(lines: Lines) -> None:
    told = RefusalLog(lambda: 0.0)
    for number in range(refusals._MOST_HOSTS + 10):
        told.tell("client refused", f"ipv4:{number}:1", reason="x" * 1000)
    assert len(told._hosts) == refusals._MOST_HOSTS
    assert {len(line["reason"]) for line in lines} == {300}
